/** What operators see of groups and routes, on three real nodes in this process: views, history, traces. */
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClusterConfigInput } from '../../../cluster-config/index.ts'
import { type Node, Server } from '../../../node/index.ts'
import type { ViewDiff } from '../../../ops/admin/diff-routes.ts'
import type { GroupHistory } from '../../../ops/admin/history-routes.ts'
import { type Admin, startAdmin } from '../../../ops/index.ts'
import { type Explanation, Pid } from '../../../routing/index.ts'
import type { Roster } from '../../../routing/roster.ts'
import { SmallCluster } from '../../support/in-process.ts'
import { until } from '../../support/until.ts'
import { type Ran, wand } from './golden.ts'

const node = (name: string, datacenter = 'dc1', cluster = 'main') => ({
  [name]: { mesh: `${name}:1`, datacenter, cluster },
})

const config: ClusterConfigInput = {
  id: 'three',
  // Digests are compared every fifteen seconds or so then: nothing is repaired behind our back.
  timing: 'wan',
  clusters: { main: {}, other: {} },
  talk: [['main', 'other']],
  nodes: { ...node('a'), ...node('b'), ...node('c', 'dc2', 'other') },
}

class Member extends Server<unknown, unknown> {}

let cluster: SmallCluster
let directory: { readonly path: string } & AsyncDisposable
const admins = new Map<string, Admin>()

beforeAll(async () => {
  directory = await mkdtempDisposable(join(tmpdir(), 'wand-'))
  cluster = await SmallCluster.start(config)
  for (const name of ['a', 'b', 'c']) await open(name)
})

afterAll(async () => {
  for (const admin of admins.values()) await admin.close(0)
  await cluster[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

async function open(name: string): Promise<void> {
  admins.set(name, await startAdmin(cluster.node(name), { runDirectory: directory.path }))
}

/** Runs a command line against node `a`. */
function run(line: string): Promise<Ran> {
  return wand([...line.split(' '), '--connect', join(directory.path, 'a.sock')])
}

async function json<T>(line: string): Promise<T> {
  return JSON.parse((await run(`${line} --json`)).stdout).data
}

/** A new process in a group, which all nodes see. */
async function joinAt(name: string, group: string) {
  const here = cluster.node(name)
  const pid = here.spawn(new Member())
  here.registry.join(group, pid)
  await sees(group, pid.toString())
  return pid
}

function sees(group: string, pid: string, nodes: Iterable<Node> = cluster.nodes.values()): Promise<void> {
  return until(() =>
    [...nodes].every(({ registry }) => registry.members(group).some(one => String(one) === pid)),
  )
}

/** Makes a view wrong, by hand: `holder` forgets a member of `owner`, or believes in one that is none. */
function falsify(holder: string, owner: string, group: string, pid: Pid, times: number): void {
  const held = cluster.node(holder).registry.held('main', owner)
  ;(held as Roster).put(group, pid, times, undefined)
}

describe('wand group diff', () => {
  test('all views are equal, in one line', async () => {
    expect(await run('group diff')).toEqual({
      stdout: 'equal: 3 nodes, 3 owners, 6 views in 1 scope compared\n',
      stderr: '',
      exitCode: 0,
    })
  })

  test('names who holds a wrong view of whom, and of what, until it is repaired', async () => {
    const lost = await joinAt('a', 'room')
    const kept = await joinAt('a', 'room')
    const owner = cluster.node('a').creation
    const invented = new Pid('a', owner, 0, 9_999)
    falsify('b', 'a', 'room', lost, 0)
    falsify('b', 'a', 'room', invented, 2)

    const ran = await run('group diff')
    expect(ran.exitCode).toBe(1)
    expect(ran.stdout).toContain('1 view wrong: 3 nodes, 3 owners, 6 views in 1 scope compared')
    expect(ran.stdout).toMatch(/^main +a +b +not what it was told +1 +1 /m)
    expect(ran.stdout).toContain(`b lacks of a:\n  room  ${lost}\n`)
    expect(ran.stdout).toContain(`b has too many of a:\n  room  ${invented} x2\n`)
    expect(ran.stdout).not.toContain(String(kept))

    const { wrong } = await json<ViewDiff>('group diff room')
    expect(wrong).toMatchObject([
      { owner: 'a', holder: 'b', lasting: true, missing: [{ pid: String(lost) }] },
    ])
    const other = await joinAt('c', 'other-room')
    expect(await run('group diff other-room')).toMatchObject({ exitCode: 0 })

    // A scope that is closed makes its owner tell where it stands, digests included.
    const { registry } = cluster.node('a')
    registry.scope('passing')
    registry.closeScope('passing')
    await until(() => cluster.node('b').registry.counts.repairs > 0)
    expect((await run('group diff')).exitCode).toBe(0)
    cluster.node('c').registry.leave('other-room', other)
  })

  test('a change that is under way is no difference', async () => {
    const pid = cluster.node('a').spawn(new Member())
    let isJoined = false
    const timer = setInterval(() => {
      const { registry } = cluster.node('a')
      isJoined = !isJoined
      if (isJoined) registry.join('flicker', pid)
      else registry.leave('flicker', pid)
    }, 1)
    const ran = await run('group diff')
    clearInterval(timer)
    if (isJoined) cluster.node('a').registry.leave('flicker', pid)
    expect(ran.stdout).not.toContain('wrong')
    expect([0, 75]).toContain(ran.exitCode)
  })

  test('a group that nobody knows is an error', async () => {
    expect(await run('group diff nobody-there')).toMatchObject({
      stderr: 'wand: compare views: no such group: "nobody-there"\n',
      exitCode: 66,
    })
  })
})

describe('wand route trace', () => {
  test('each node names the member that it would choose', async () => {
    const [at, over] = [await joinAt('a', 'work'), await joinAt('c', 'work')]
    const chosen = (await json<Explanation[]>('route trace work')).map(({ from, chosen }) => [from, chosen])
    expect(chosen).toEqual([
      ['a', String(at)],
      ['b', String(at)],
      ['c', String(over)],
    ])
    const { stdout } = await run('route trace work --from b')
    expect(stdout).toMatch(new RegExp(`^> +a +cluster .* ${at}$`, 'm'))
    expect(stdout).toMatch(new RegExp(`^ +c +far .* ${over}$`, 'm'))
  })

  test('a key is the same for all, and a member that drains comes last', async () => {
    const busy = await joinAt('a', 'keyed')
    const free = await joinAt('b', 'keyed')
    cluster.node('a').registry.update('keyed', busy, { draining: true })
    await until(() => cluster.node('c').registry.meta('keyed', busy)?.draining === true)
    const explanations = await json<Explanation[]>('route trace keyed somebody')
    expect(new Set(explanations.map(({ chosen }) => chosen))).toEqual(new Set([String(free)]))
    for (const { candidates } of explanations) {
      expect(candidates.map(({ node, draining }) => [node, draining])).toEqual([
        ['b', false],
        ['a', true],
      ])
    }
  })

  test('what nobody knows is an error', async () => {
    expect((await run('route trace nobody-there')).exitCode).toBe(66)
    expect((await run('route trace nobody-there --from b')).exitCode).toBe(1)
    expect(await run('route trace --service mailbox bob')).toMatchObject({
      stderr: 'wand: trace route: no such service: "mailbox"; there are none\n',
      exitCode: 66,
    })
    expect((await run('route trace work --from nobody')).exitCode).toBe(66)
  })
})

describe('wand group history', () => {
  const members = async (atMs: number) => {
    const past = await json<GroupHistory>(`group history choir --at ${new Date(atMs).toISOString()}`)
    return past.members.map(({ pid, saidBy }) => [pid, saidBy])
  }

  test('survives the death and the restart of a node', async () => {
    const startMs = Date.now()
    const lasting = await joinAt('a', 'choir')
    const first = await joinAt('b', 'choir')
    await later()
    const bothMs = Date.now()
    await later()

    // It dies: nobody hears a goodbye.
    await admins.get('b')!.close(0)
    cluster.split(['b'])
    await cluster.node('b').stop()
    cluster.heal(['b'])
    const without = await run(`group history choir --at ${new Date(bothMs).toISOString()}`)
    expect(without.stderr).toContain('1 node missing: b (')
    expect(without.stdout).toContain(`${first}`)

    await cluster.startNode('b')
    await open('b')
    const second = await joinAt('b', 'choir')
    await later()

    expect(await members(startMs - 1)).toEqual([])
    expect(await members(bothMs)).toEqual([
      [String(lasting), ['a']],
      [String(first), ['a', 'c']],
    ])
    expect(await members(Date.now())).toEqual([
      [String(lasting), ['a']],
      [String(second), ['b']],
    ])

    const { events, members: now } = await json<GroupHistory>(
      `group history choir --since ${new Date(startMs - 1).toISOString()}`,
    )
    const told = events.map(({ kind, node, saidBy }) => `${kind} ${node} by ${saidBy}`)
    expect(told).toEqual(
      expect.arrayContaining(['join a by a', 'link-down b by a', 'suspect b by c', 'join b by b']),
    )
    const ofFirst = events.filter(({ pids }) => pids.includes(String(first))).map(({ kind }) => kind)
    expect(ofFirst).toEqual(['join', 'forgot'])
    // Of its present start a node tells itself, and nobody else.
    const ofSecond = events.filter(({ pids }) => pids.includes(String(second)))
    expect(ofSecond.map(({ kind, saidBy }) => [kind, saidBy])).toEqual([['join', 'b']])
    expect(now.map(({ pid, saidBy }) => [pid, saidBy])).toEqual([
      [String(lasting), ['a']],
      [String(second), ['b']],
    ])
  })

  test('says what cannot be known any more', async () => {
    const ran = await run('group history choir --at 2020-01-01T00:00:00Z')
    expect(ran.exitCode).toBe(75)
    expect(ran.stdout).toMatch(/^not known: members on a, b, c: started later, and nobody else remembers$/m)
    expect(ran.stdout).toMatch(/^3 journals reach back to .* or further; the shortest is b's$/m)
  })
})

/** Wall times are in milliseconds, and what happens in the same one has no order. */
function later(): Promise<void> {
  const startMs = Date.now()
  return until(() => Date.now() > startMs + 1)
}
