/**
 * The storm of 22 February 2014 (R14 s33, claim C28) with eight real processes: half of them lose and regain all their links, again and
 * again. What made WhatsApp's pg2 send n^3 messages costs a constant number of frames per pair and flap here, and nobody else suffers.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { LAN, TEST } from '../../transport/index.ts'
import { until } from '../support/meta-cluster.ts'
import type { Asked, Look, Order } from './storm-node.ts'

const names = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8']
const flapping = names.slice(0, 4)
const calm = names.slice(4)

/** Ends whatever a test has started. */
let children = new Map<string, ChildProcess>()
afterEach(async () => {
  const ended = [...children.values()].filter(child => child.exitCode === null && child.signalCode === null)
  await Promise.all(
    ended.map(child => {
      child.kill('SIGKILL')
      return once(child, 'exit')
    }),
  )
  children = new Map()
})

/** Starts so many nodes, linked with each other or about to be. */
async function start(count: number, timing: 'lan' | 'test'): Promise<readonly string[]> {
  const net = `127.${randomInt(16, 250)}.${randomInt(0, 250)}`
  const started = names.slice(0, count)
  const nodes = started.map((name, index) => [name, { mesh: `${net}.${index + 1}:7100` }] as const)
  const config = JSON.stringify({ id: 'storm', timing, nodes: Object.fromEntries(nodes) })
  for (const name of started) {
    const child = fork(new URL('./storm-node.ts', import.meta.url), [name, config], {
      execArgv: ['--conditions=wandist-source', '--disable-warning=ExperimentalWarning'],
    })
    children.set(name, child)
  }
  await Promise.all([...children.values()].map(said))
  return started
}

function said(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`${child.spawnargs.at(-2)} ended: ${code}`))
    child.once('exit', onExit).once('message', word => {
      child.off('exit', onExit)
      resolve(word)
    })
  })
}

async function order<Answer = object>(name: string, what: Order): Promise<Answer> {
  const child = children.get(name)!
  child.send(what)
  return (await said(child)) as Answer
}

function looks(at: readonly string[]): Promise<Look[]> {
  return Promise.all(at.map(name => order<Look>(name, { do: 'look' })))
}

/** Waits until every node is linked to all, and all see the same so many memberships; what they see then. */
async function settled(at: readonly string[], memberships: number): Promise<Look[]> {
  let last: Look[] = []
  await until(`${at.length} nodes see the same ${memberships} memberships`, async () => {
    last = await looks(at)
    return last.every(
      look =>
        look.view === last[0]!.view &&
        look.memberships === memberships &&
        look.linked.length === at.length - 1,
    )
  })
  return last
}

/** What has grown between two looks at each node. */
function grown(before: readonly Look[], after: readonly Look[], what: (look: Look) => number): number[] {
  return after.map((look, index) => what(look) - what(before[index]!))
}

const sum = (list: readonly number[]) => list.reduce((total, one) => total + one, 0)

test('half of eight nodes lose all links again and again: equal views, and four frames per pair and flap', async () => {
  const [flaps, changeTurns, membersPerNode] = [5, 20, 1_000]
  await start(names.length, 'lan')
  await Promise.all(names.map(name => order(name, { do: 'fill', count: membersPerNode })))
  // Each process is in two groups, and there is an echo on each node.
  const memberships = names.length * (2 * membersPerNode + 1)
  const before = await settled(names, memberships)
  const startMs = performance.now()

  const asked = Promise.all([
    order<Asked>('n5', { do: 'ask', node: 'n6', ms: 4_000 }),
    order<Asked>('n7', { do: 'ask', node: 'n8', ms: 4_000 }),
  ])
  await Promise.all([
    ...flapping.map(name => order(name, { do: 'flap', times: flaps, downMs: 100, upMs: 700 })),
    order('n6', { do: 'change', turns: changeTurns, everyMs: 150 }),
    asked,
  ])
  const after = await settled(names, memberships)
  const ticks = Math.ceil((performance.now() - startMs) / (LAN.heartbeatTimeoutMs * 1.25 * 0.75))

  // Both ends of a pair suspect each other, once per flap.
  const pairFlaps = sum(grown(before, after, look => look.suspected)) / 2
  const flappingPairs = (names.length * (names.length - 1) - calm.length * (calm.length - 1)) / 2
  expect(pairFlaps).toBeGreaterThanOrEqual(flappingPairs)
  expect(pairFlaps).toBeLessThanOrEqual(flappingPairs * flaps)
  // Beside flaps: a frame to each peer for each turn with a change, and one to each peer in each period of digests.
  const others = (changeTurns + names.length * ticks) * (names.length - 1)
  // Whoever was away for longer than the grace, because the machine is slow, is sent a whole table: its parts.
  const forgotten = grown(before, after, look => look.forgotten)
  expect(sum(forgotten)).toBeLessThan(pairFlaps / 5)
  const syncs = sum(grown(before, after, look => look.syncs))
  expect(syncs).toBeLessThanOrEqual(sum(forgotten))
  const frames = sum(grown(before, after, look => look.frames))
  expect(frames).toBeLessThanOrEqual(4 * pairFlaps + others + 3 * syncs)
  expect(sum(grown(before, after, look => look.troubles))).toBe(0)
  // Whoever left is known everywhere, and nobody else was ever missed.
  for (const [index, left] of grown(before, after, look => look.left).entries())
    if (forgotten[index] === 0)
      expect(left, `members that left as ${names[index]} saw it`).toBe(2 * changeTurns)
  for (const other of calm) {
    const ended = grown(before, after, look => look.ended[other] ?? 0)
    expect(ended.slice(flapping.length), `links of calm nodes to ${other} that ended`).toEqual(
      calm.map(() => 0),
    )
  }
  for (const { answers, failures } of await asked) {
    expect(failures).toBe(0)
    expect(answers).toBeGreaterThan(50)
  }
}, 60_000)

test('a node with 50,000 members dies: each peer forgets it once, and says nothing to the others', async () => {
  const [dying, ...peers] = await start(3, 'test')
  const members = 50_000
  await order(dying!, { do: 'fill', count: members })
  const before = await settled([dying!, ...peers], 2 * members + 3)
  children.get(dying!)!.kill('SIGKILL')
  const startMs = performance.now()
  const after = await settled(peers, peers.length)
  const ticks = Math.ceil((performance.now() - startMs) / (TEST.heartbeatTimeoutMs * 1.25 * 0.75))

  const atPeers = before.slice(1)
  expect(grown(atPeers, after, look => look.forgotten)).toEqual([1, 1])
  expect(grown(atPeers, after, look => look.left)).toEqual([2 * members + 1, 2 * members + 1])
  // Only what each period of digests costs, to the other peer and, before it died, to the dead one.
  for (const frames of grown(atPeers, after, look => look.frames))
    expect(frames).toBeLessThanOrEqual(2 * (ticks + 1))
}, 60_000)
