/** What every command prints: help, tables, JSON, and what is missing; transcripts in test/golden/cli. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PeerRow } from '../../../ops/peer-report.ts'
import {
  detail,
  diversions,
  equalViews,
  groups,
  groupTrace,
  members,
  past,
  peerDetail,
  peers,
  processTree,
  rows,
  sampleOf,
  serviceTrace,
  status,
  wellPeerDetail,
  wrongViews,
} from './cli-fixtures.ts'
import { FakeAdmin } from './fake-admin.ts'
import { expectGolden, wand } from './golden.ts'

const root = join(import.meta.dirname, '../../..')
const missing = [
  { node: 'dc2-chat1', reason: 'timeout' },
  { node: 'dc2-chat2', reason: 'noconnect' },
]

let directory: string
let admin: FakeAdmin

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wand-'))
  admin = await FakeAdmin.listen(join(directory, 'dc1-chat1.sock'))
})

afterAll(async () => {
  await admin.close()
  rmSync(directory, { recursive: true })
})

/** Runs a command line against the fake and compares it with its transcript. */
async function golden(name: string, line: string, world: Parameters<typeof wand>[1] = {}): Promise<void> {
  const argv = line.split(' ')
  const ran = await wand(argv, { ...world, env: { WAND_RUN_DIR: directory, ...world.env } })
  expectGolden(name, argv, ran, text =>
    text
      .replaceAll(directory, '<run directory>')
      .replaceAll(root, '<root>')
      .replaceAll(`node ${process.versions.node}`, 'node <version>')
      .replace(/^\d\d:\d\d:\d\d /gm, 'hh:mm:ss ')
      .replace(/\d+d \d+h ago/g, 'long ago'),
  )
}

function whole(data: unknown) {
  return { data, complete: true, missing: [] }
}

describe('help', () => {
  for (const line of [
    '--help',
    'status --help',
    'node --help',
    'node list --help',
    'node show --help',
    'node drain --help',
    'node run --help',
    'peer --help',
    'peer list --help',
    'peer show --help',
    'group --help',
    'group list --help',
    'group show --help',
    'group diff --help',
    'group history --help',
    'process --help',
    'process tree --help',
    'route --help',
    'route trace --help',
    'tee --help',
    'divert --help',
    'diversion --help',
    'diversion list --help',
    'diversion remove --help',
    'wsar --help',
    'config validate --help',
    'upgrade --help',
    'dev up --help',
    'chat --help',
  ]) {
    test(`of wand ${line}`, () =>
      golden(`help-${line.replace(/ ?--help/, '').replaceAll(' ', '-') || 'wand'}`, line))
  }

  test('fits a line of 80 characters a command', async () => {
    const { stdout } = await wand(['--help'])
    const start = stdout.indexOf('Look:')
    const commands = stdout.slice(start, stdout.indexOf('Examples:')).split('\n')
    for (const line of commands.filter(text => text.startsWith('  '))) {
      expect(line).toMatch(/^ {2}\S/)
      expect(line.length).toBeLessThanOrEqual(80)
    }
  })

  test('the version names wandist and node', () => golden('version', '--version'))
})

describe('reading commands', () => {
  const wholePast = { ...past, sinceMs: null, events: [], unknown: [] }
  const commands: [name: string, line: string, path: string, data: unknown][] = [
    ['status', 'status', '/v1/status', status],
    ['node-list', 'node list', '/v1/nodes', rows],
    ['node-show', 'node show dc1-chat1', '/v1/nodes/dc1-chat1', detail],
    ['peer-list', 'peer list', '/v1/peers', peers],
    ['peer-show', 'peer show dc1-chat1 dc2-chat1', '/v1/peers/dc1-chat1/dc2-chat1', peerDetail],
    ['group-list', 'group list', '/v1/groups', groups],
    ['group-show', 'group show chat', '/v1/groups/chat', members],
    ['process-tree', 'process tree dc1-chat1', '/v1/processes/dc1-chat1', processTree],
    ['group-diff', 'group diff', '/v1/diff', equalViews],
    ['group-history', 'group history chat --at 2024-02-25T07:30:01', '/v1/history', wholePast],
    ['route-trace-service', 'route trace --service mailbox bob', '/v1/trace', serviceTrace],
    ['route-trace', 'route trace chat --pick least-queue --from dc1-mailbox1', '/v1/trace', groupTrace],
    ['diversion-list', 'diversion list', '/v1/diversions', diversions],
  ]
  for (const [name, line, path, data] of commands) {
    test(`wand ${line} prints a table`, async () => {
      admin.script = { [path]: whole(data) }
      await golden(name, line)
    })

    test(`wand ${line} --json prints the document`, async () => {
      admin.script = { [path]: whole(data) }
      await golden(`${name}-json`, `${line} --json`)
      const { stdout } = await wand([...line.split(' '), '--json'], { env: { WAND_RUN_DIR: directory } })
      expect(JSON.parse(stdout)).toEqual(whole(data))
      expect(stdout.endsWith('}\n')).toBe(true)
    })

    test(`wand ${line} prints what came, says what is missing, and exits 75`, async () => {
      admin.script = { [path]: { data, complete: false, missing } }
      const { stdout, stderr, exitCode } = await wand(line.split(' '), { env: { WAND_RUN_DIR: directory } })
      expect(stdout).not.toBe('')
      expect(stderr).toBe(
        'wand: partial answer: 2 nodes missing: dc2-chat1 (timeout), dc2-chat2 (noconnect)\n',
      )
      expect(exitCode).toBe(75)
    })
  }

  test('wand peer show prints a link that is well without closed links', async () => {
    admin.script = { '/v1/peers/dc1-chat1/dc1-chat2': whole(wellPeerDetail) }
    await golden('peer-show-well', 'peer show dc1-chat1 dc1-chat2')
  })

  test('wand peer list --node asks about one node only', async () => {
    admin.script = { '/v1/peers/dc1-chat2': whole(peers.slice(2)) }
    await golden('peer-list-node', 'peer list --node dc1-chat2')
  })

  const orders: [column: string, order: number[]][] = [
    ['peer', [2, 0, 1, 3]],
    ['cluster', [0, 2, 1, 3]],
    ['link', [1, 3, 0, 2]],
    ['rtt', [2, 0, 1, 3]],
    ['queue', [2, 0, 1, 3]],
    ['high', [2, 0, 1, 3]],
    ['accepted', [0, 2, 1, 3]],
    ['lost', [0, 2, 1, 3]],
    ['refused', [1, 0, 2, 3]],
    ['in-flight', [0, 1, 2, 3]],
  ]
  for (const [column, order] of orders) {
    test(`wand peer list --sort ${column} orders text and JSON alike`, async () => {
      admin.script = { '/v1/peers': whole(peers) }
      const env = { WAND_RUN_DIR: directory }
      const argv = ['peer', 'list', '--sort', column]
      const names = order.map(at => `${peers[at]!.node} ${peers[at]!.peer}`)
      const json = JSON.parse((await wand([...argv, '--json'], { env })).stdout).data
      expect(json.map(({ node, peer }: PeerRow) => `${node} ${peer}`)).toEqual(names)
      const lines = (await wand(argv, { env })).stdout.split('\n').slice(1, 5)
      expect(lines.map(line => line.split(/ +/).slice(0, 2).join(' '))).toEqual(names)
    })
  }

  test('colour says again what words say, on a terminal', async () => {
    admin.script = { '/v1/status': whole(status) }
    await golden('status-colour', 'status', { isTTY: true })
  })
})

describe('wand group diff', () => {
  test('names who holds a wrong view of whom, of what, and exits 1', async () => {
    admin.script = { '/v1/diff': whole(wrongViews) }
    await golden('group-diff-wrong', 'group diff')
  })

  test('tells a change that is under way from a difference: ask again', async () => {
    admin.script = { '/v1/diff': whole({ ...wrongViews, wrong: wrongViews.wrong.slice(2) }) }
    await golden('group-diff-moving', 'group diff')
  })

  test('of one group, asks about that', async () => {
    admin.script = { '/v1/diff': whole({ ...equalViews, group: 'mailbox/3' }) }
    await golden('group-diff-group', 'group diff mailbox/3')
    expect(admin.asked.at(-1)).toContain('/v1/diff?group=mailbox%2F3&')
  })

  test('says yes only of all: an unknown view is worse than one that has not been seen', async () => {
    admin.script = { '/v1/diff': { data: wrongViews, complete: false, missing } }
    const { exitCode, stderr } = await wand(['group', 'diff'], { env: { WAND_RUN_DIR: directory } })
    expect([exitCode, stderr.includes('2 nodes missing')]).toEqual([1, true])
  })
})

describe('wand group history', () => {
  test('lists what happened, and what nobody knows any more', async () => {
    admin.script = { '/v1/history': whole(past) }
    await golden(
      'group-history-since',
      'group history chat --since 2024-02-25T07:29:01 --at 2024-02-25T07:30:01',
    )
  })

  test('sends times as they are meant', async () => {
    admin.script = { '/v1/history': whole(past) }
    await wand(['group', 'history', 'chat', '--at', '5m', '--since', '1h'], {
      env: { WAND_RUN_DIR: directory },
    })
    const asked = new URL(admin.asked.at(-1)!.replace('GET ', 'http://x')).searchParams
    expect(Number(asked.get('atMs')) - Number(asked.get('sinceMs'))).toBeCloseTo(55 * 60_000, -2)
    expect(Date.now() - Number(asked.get('atMs'))).toBeLessThan(5 * 60_000 + 2_000)
  })
})

describe('wand route trace', () => {
  test('shows the owner of a key, and who else has it, from one node', async () => {
    admin.script = { '/v1/trace': whole(serviceTrace) }
    await golden('route-trace-service-from', 'route trace --service mailbox bob --from dc1-chat1')
    expect(admin.asked.at(-1)).toContain('/v1/trace?service=mailbox&key=bob&from=dc1-chat1&')
  })

  test('says when nobody is there, and exits 1', async () => {
    const nobody = { ...groupTrace[0]!, chosen: null, why: 'no member', candidates: [] }
    admin.script = { '/v1/trace': whole([nobody]) }
    await golden('route-trace-nobody', 'route trace chat --from dc1-mailbox1')
  })
})

describe('wand wsar', () => {
  /** Every look finds the node a second older. */
  function ageing(path: string, names: readonly string[]): void {
    let uptimeMs = 9_000
    admin.script = {
      get [path]() {
        uptimeMs += 1_000
        return whole(names.map(name => sampleOf(name, uptimeMs)))
      },
    }
  }

  test('repeats the header of one node every twenty rows', async () => {
    ageing('/v1/samples/dc1-chat1', ['dc1-chat1'])
    await golden('wsar-one', 'wsar dc1-chat1 0.001 21')
  })

  test('labels the rows of many nodes with time and name', async () => {
    ageing('/v1/samples', ['dc1-chat1', 'dc2-accounts1'])
    await golden('wsar-all', 'wsar 0.001 2')
  })

  test('prints one object a line as JSON', async () => {
    ageing('/v1/samples', ['dc1-chat1', 'dc2-accounts1'])
    const { stdout } = await wand(['wsar', '0.001', '2', '--json'], { env: { WAND_RUN_DIR: directory } })
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    for (const line of lines) {
      const document = JSON.parse(line)
      expect(document).toMatchObject({ complete: true, missing: [] })
      expect(document.data).toMatchObject([
        { node: 'dc1-chat1', recvPerS: 5_000, schedPercent: 40 },
        { node: 'dc2-accounts1' },
      ])
    }
  })

  test('says once, not with every row, who is missing', async () => {
    admin.script = { '/v1/samples': { data: [sampleOf('dc1-chat1', 1_000)], complete: false, missing } }
    await golden('wsar-partial', 'wsar 0.001 3')
  })
})

describe('wand node drain', () => {
  const left = { sessions: 12, calls: 2, unconfirmed: 0, queue: 1 }

  test('prints what is left until the node has stopped', async () => {
    admin.drainLines = [
      { state: 'draining', left },
      { state: 'draining', left },
      { state: 'draining', left: { ...left, sessions: 3 } },
      { state: 'draining', left: { sessions: 0, calls: 0, unconfirmed: 0, queue: 0 } },
      { state: 'stopped', cutOff: false, left: null },
    ]
    await golden('node-drain', 'node drain dc1-chat2 --deadline 5s')
    expect(admin.asked.at(-1)).toBe('POST /v1/nodes/dc1-chat2/drain?deadlineMs=5000')
  })

  test('exits 1 when something was cut off', async () => {
    admin.drainLines = [
      { state: 'draining', left },
      { state: 'stopped', cutOff: true, left },
    ]
    await golden('node-drain-cut-off', 'node drain dc1-chat2')
  })

  test('exits 1 with the reason when the node cannot hand over', async () => {
    admin.drainLines = [{ state: 'failed', reason: 'sync store: disk-full', left }]
    await golden('node-drain-failed', 'node drain dc1-chat2')
  })

  test('exits 69 when the node that was asked goes away', async () => {
    admin.drainLines = [{ state: 'draining', left }]
    admin.drainBreaks = true
    const { stderr, exitCode } = await wand(['node', 'drain', 'dc1-chat2'], {
      env: { WAND_RUN_DIR: directory },
    })
    expect(stderr.split('\n').at(-2)).toBe('wand: drain dc1-chat2: the node went away: aborted')
    expect(exitCode).toBe(69)
    admin.drainBreaks = false
  })

  test('prints its lines as they come with --json', async () => {
    admin.drainLines = [
      { state: 'draining', left },
      { state: 'stopped', cutOff: false, left: null },
    ]
    const { stdout } = await wand(['node', 'drain', 'dc1-chat2', '--json'], {
      env: { WAND_RUN_DIR: directory },
    })
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line)),
    ).toEqual(admin.drainLines)
  })
})

describe('wand tee and divert', () => {
  const env = () => ({ env: { WAND_RUN_DIR: directory } })

  test('say what is in force now, and where', async () => {
    admin.script = { '/v1/diversions': whole(diversions.slice(1)) }
    await golden('tee', 'tee --group chat --fraction 0.1 --to dc2-chat2')
    expect(admin.asked.at(-1)).toMatch(
      /^POST \/v1\/diversions\?kind=tee&of=group&source=chat&target=dc2-chat2&on=all&fraction=0\.1&forMs=600000&timeoutMs=\d+$/,
    )
  })

  test('of a peer, on one node, for a while', async () => {
    admin.script = { '/v1/diversions': whole(diversions.slice(0, 1)) }
    await golden(
      'divert',
      'divert --peer dc1-mailbox1 --fraction 0.1 --to dc2-chat2 --on dc1-chat1 --for 10m --json',
    )
    expect(admin.asked.at(-1)).toContain(
      'kind=divert&of=peer&source=dc1-mailbox1&target=dc2-chat2&on=dc1-chat1',
    )
  })

  test('say which nodes could not be told, and exit 75', async () => {
    admin.script = { '/v1/diversions': { data: diversions.slice(1, 2), complete: false, missing } }
    await golden('tee-partial', 'tee --group chat --fraction 0.1 --to dc2-chat2')
  })

  test('what cannot be is wrong usage', async () => {
    admin.script = {
      '/v1/diversions': { error: { code: 'bad-diversion', message: 'no such node: "nobody"' } },
    }
    await golden('tee-wrong', 'tee --group chat --fraction 0.1 --to nobody')
    for (const line of [
      'tee --fraction 0.1 --to dc2-chat2',
      'tee --group chat --peer dc1-chat1 --fraction 0.1 --to dc2-chat2',
      'tee --group chat --fraction 1.1 --to dc2-chat2',
      'divert --group chat --to dc2-chat2',
    ]) {
      expect([line, (await wand(line.split(' '), env())).exitCode]).toEqual([line, 64])
    }
  })

  test('end where wand diversion remove finds them', async () => {
    const path = '/v1/diversions/tee-f00d42/remove'
    const nodes = ['dc1-chat1', 'dc1-chat2'].map(node => ({ id: 'tee-f00d42', node }))
    admin.script = { [path]: whole(nodes) }
    await golden('diversion-remove', 'diversion remove tee-f00d42')
    admin.script = {
      [path]: { error: { code: 'unknown-diversion', message: 'no such diversion: "tee-f00d42"' } },
    }
    expect((await wand(['diversion', 'remove', 'tee-f00d42'], env())).exitCode).toBe(66)
  })
})

describe('wand config validate', () => {
  test('says ok of a configuration', () =>
    golden('config-validate', `config validate ${join(root, 'cluster-config/default.yaml')}`))

  test('lists problems at their lines and exits 78', () =>
    golden('config-validate-wrong', `config validate ${join(import.meta.dirname, 'wrong.yaml')}`))

  test('a file that is not there is a problem too', () =>
    golden('config-validate-missing', 'config validate nowhere.yaml'))

  test('prints problems as JSON', () =>
    golden('config-validate-json', `config validate --json ${join(import.meta.dirname, 'wrong.yaml')}`))
})
