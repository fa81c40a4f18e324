/** `wand upgrade` as a command, against nodes that say what a test wants: what it refuses, and what it plans. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { rows } from '../ops/cli-fixtures.ts'
import { FakeAdmin, type Script } from '../ops/fake-admin.ts'
import { wand } from '../ops/golden.ts'

let directory: string
let env: Record<string, string>
let admin: FakeAdmin | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wand-'))
  env = { WAND_RUN_DIR: directory }
})
afterEach(async () => {
  await admin?.close()
  admin = undefined
  rmSync(directory, { recursive: true })
})

const whole = (data: unknown) => ({ data, complete: true, missing: [] })

/** Ten nodes that are well, with one partition for each island. */
function well(): Script {
  const islands: Record<string, readonly string[]> = {
    'mailbox/0/replica': ['dc1-mailbox1', 'dc1-mailbox2'],
    'mailbox/1/replica': ['dc2-mailbox1', 'dc2-mailbox2'],
    'accounts/0/replica': ['dc1-accounts1', 'dc2-accounts1'],
  }
  const script: Script = {
    '/v1/status': whole(statusWith({})),
    '/v1/groups': whole(
      Object.keys(islands)
        .flatMap(group => [group, group.replace('/replica', '')])
        .map(group => ({ scope: 'main', group, members: 2, byDatacenter: {} })),
    ),
  }
  for (const [group, nodes] of Object.entries(islands)) {
    script[`/v1/groups/${encodeURIComponent(group)}`] = whole(nodes.map(node => ({ group, node })))
  }
  for (const { node } of rows) script[`/v1/nodes/${node}`] = whole({ node, left: { unconfirmed: 0 } })
  return script
}

function statusWith(states: Record<string, string>) {
  return {
    nodes: rows.map(row => ({ ...row, state: states[row.node] ?? 'ready', linked: 9, peers: 9 })),
    links: { up: 90, configured: 90, down: [] },
    troubles: [],
  }
}

async function listen(script: Script): Promise<FakeAdmin> {
  admin = await FakeAdmin.listen(join(directory, 'dc1-chat1.sock'), script)
  return admin
}

describe('wand upgrade', () => {
  test('needs a way to replace a node', async () => {
    await listen(well())
    expect(await wand(['upgrade'], { env })).toMatchObject({
      exitCode: 64,
      stderr:
        "wand: upgrade: no wand dev up runs here: --exec 'command with {node}' says how to replace a node\n",
    })
  })

  test('plans without one, by who is whose partner in the running groups', async () => {
    const { asked } = await listen(well())
    const { exitCode, stdout } = await wand(['upgrade', '--dry-run'], { env })
    expect(exitCode).toBe(0)
    expect(stdout.split('\n').slice(0, 4)).toEqual([
      '1. dc1-mailbox1 in dc1; mailbox: dc1-mailbox2 serves meanwhile',
      '2. dc1-accounts1 in dc1; accounts: dc2-accounts1 serves meanwhile',
      '3. dc1-mailbox2 in dc1; mailbox: dc1-mailbox1 serves meanwhile',
      '4. dc1-chat1 in dc1',
    ])
    expect(asked.filter(line => line.startsWith('POST'))).toEqual([])
  })

  test('prints its plan as JSON', async () => {
    await listen(well())
    const { stdout } = await wand(['upgrade', '--dry-run', '--order', 'dc1-accounts1', '--json'], { env })
    expect(JSON.parse(stdout)).toEqual({
      data: [
        {
          node: 'dc1-accounts1',
          datacenter: 'dc1',
          islands: [{ service: 'accounts', partners: ['dc2-accounts1'] }],
        },
      ],
      complete: true,
      missing: [],
    })
  })

  test.each([
    ['dc1-chat9', 66, 'wand: upgrade: no such node: "dc1-chat9"\n'],
    ['dc1-chat1,dc1-chat1', 64, 'wand: upgrade: twice in the order: "dc1-chat1"\n'],
  ])('refuses the order %s', async (order, exitCode, stderr) => {
    await listen(well())
    expect(await wand(['upgrade', '--exec', 'true', '--order', order], { env })).toMatchObject({
      exitCode,
      stderr,
    })
  })

  test.each<[string, Partial<Script>, string]>([
    [
      'a node that does not answer',
      {
        '/v1/status': {
          ...whole(statusWith({})),
          complete: false,
          missing: [{ node: 'dc1-chat2', reason: 'noconnect' }],
        },
      },
      'wand: upgrade: not all nodes answer: partial answer: 1 node missing: dc1-chat2 (noconnect)\n',
    ],
    [
      'a node that is not ready',
      { '/v1/status': whole(statusWith({ 'dc2-chat1': 'draining' })) },
      'wand: upgrade: not begun: dc2-chat1: draining\n',
    ],
    [
      'a link that is down',
      {
        '/v1/status': whole({
          ...statusWith({}),
          links: {
            up: 89,
            configured: 90,
            down: [{ node: 'dc1-chat1', peer: 'dc2-chat1', reason: 'refused' }],
          },
        }),
      },
      'wand: upgrade: not begun: dc2-chat1: its groups are not seen by dc1-chat1\n',
    ],
    [
      'an island whose partner is far behind',
      { '/v1/nodes/dc1-mailbox2': whole({ node: 'dc1-mailbox2', left: { unconfirmed: 5_000 } }) },
      'wand: upgrade: not begun: dc1-mailbox2: not in sync with its island\n',
    ],
    [
      'an island node that says nothing of itself',
      {
        '/v1/nodes/dc2-accounts1': {
          data: null,
          complete: false,
          missing: [{ node: 'dc2-accounts1', reason: 'timeout' }],
        },
      },
      'wand: upgrade: not begun: dc2-accounts1: not in sync with its island\n',
    ],
    [
      'an island of whose nodes one does not serve a partition',
      {
        '/v1/groups': whole(
          ['mailbox/0', 'mailbox/1', 'accounts/0'].flatMap(group => [
            { scope: 'main', group, members: group === 'mailbox/1' ? 1 : 2, byDatacenter: {} },
            { scope: 'main', group: `${group}/replica`, members: 2, byDatacenter: {} },
          ]),
        ),
      },
      'wand: upgrade: not begun: dc2-mailbox1: not in sync with its island; dc2-mailbox2: not in sync with its island\n',
    ],
  ])('does not begin with %s', async (_what, change, stderr) => {
    const { asked } = await listen({ ...well(), ...change } as Script)
    expect(await wand(['upgrade', '--exec', 'true'], { env })).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr,
    })
    expect(asked.filter(line => line.startsWith('POST'))).toEqual([])
  })

  test('does not begin beside another one', async () => {
    await listen(well())
    writeFileSync(join(directory, 'upgrade.lock'), `${process.ppid}\n`)
    const { exitCode, stderr } = await wand(['upgrade', '--exec', 'true'], { env })
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: `wand: upgrade: another one is under way, pid ${process.ppid}: ${directory}\n`,
    })
  })

  test('halts at a node that refuses to drain, and says how to go on', async () => {
    const { asked } = await listen(well())
    admin!.drainLines = [{ state: 'failed', reason: 'partner is gone', left: {} }]
    const { exitCode, stderr } = await wand(
      ['upgrade', '--exec', "ssh {node} 'restart it'", '--order', 'dc1-chat1,dc1-chat2'],
      { env },
    )
    expect(exitCode).toBe(1)
    expect(stderr).toBe(
      'wand: upgrade: halted at dc1-chat1, 0 of 2 nodes replaced: drain: partner is gone\n' +
        `wand: upgrade: to go on, once all nodes are ready: wand upgrade --order dc1-chat1,dc1-chat2 --exec 'ssh {node} '\\''restart it'\\'''\n`,
    )
    expect(asked.filter(line => line.startsWith('POST'))).toHaveLength(1)
  })

  test('says as JSON what it replaced, and what remains', async () => {
    await listen(well())
    admin!.drainLines = [{ state: 'failed', reason: 'partner is gone', left: {} }]
    const { stdout, stderr } = await wand(['upgrade', '--exec', 'true', '--order', 'dc1-chat1', '--json'], {
      env,
    })
    expect(JSON.parse(stdout).data).toEqual({
      replaced: [],
      halted: { node: 'dc1-chat1', reason: 'drain: partner is gone' },
      remaining: ['dc1-chat1'],
    })
    expect(stderr).toMatch(/^\d\d:\d\d:\d\d dc1-chat1: draining version/)
  })
})
