/** What `wand` makes of bad input and of bad weather: one line, the right exit code, never late. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { rows, status } from './cli-fixtures.ts'
import { FakeAdmin } from './fake-admin.ts'
import { wand } from './golden.ts'

const launcher = join(import.meta.dirname, '../../../ops/cli/wand.js')
const execute = promisify(execFile)

let directory: string
let env: Record<string, string>
const admins: FakeAdmin[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wand-'))
  env = { WAND_RUN_DIR: directory }
})

afterEach(async () => {
  for (const admin of admins.splice(0)) await admin.close()
  rmSync(directory, { recursive: true })
})

async function listen(name: string, script: FakeAdmin['script'] = {}): Promise<FakeAdmin> {
  const admin = await FakeAdmin.listen(join(directory, `${name}.sock`), script)
  admins.push(admin)
  return admin
}

function whole(data: unknown) {
  return { data, complete: true, missing: [] }
}

describe('wrong arguments', () => {
  const wrong: [line: string, says: RegExp][] = [
    ['nonsense', /^wand: unknown command 'nonsense'/],
    ['node lst', /^wand: unknown command 'lst' \(Did you mean list\?\)/],
    ['node show', /^wand: missing required argument 'name'/],
    ['node show a b', /^wand: too many arguments/],
    ['status --nonsense', /^wand: unknown option '--nonsense'/],
    ['status --timeout', /^wand: option '--timeout <duration>' argument missing/],
    ['status --timeout 2', /^wand: option '--timeout <duration>' argument '2' is invalid\. A duration is/],
    ['status --timeout 0s', /is invalid/],
    ['node drain x --deadline soon', /^wand: option '--deadline <duration>' argument 'soon' is invalid/],
    ['route trace', /^wand: trace route: of what\? GROUP \[KEY\], or --service NAME KEY$/m],
    ['route trace a b c', /^wand: too many arguments/],
    ['route trace --service mailbox', /^wand: trace route: --service mailbox needs a key/],
    ['route trace --service mailbox a b', /^wand: trace route: --service takes one key, and no group/],
    ['route trace --service mailbox a --pick nearest', /^wand: trace route: --pick is for groups/],
    ['route trace a b --pick nearest', /^wand: trace route: a key picks by itself/],
    ['route trace a --pick farthest', /^wand: option '--pick <how>' argument 'farthest' is invalid/],
    ['group diff a b', /^wand: too many arguments/],
    ['group history', /^wand: missing required argument 'group'/],
    ['group history a', /^wand: history of a: when\? --at TIME or --since TIME/],
    ['group history a --at soon', /^wand: option '--at <time>' argument 'soon' is invalid\. A time is 5m/],
    ['group history a --at 2999-01-01T00:00:00', /invalid\. That is in the future/],
    ['group history a --since 1m --at 2m', /^wand: history of a: --since is later than --at/],
    ['node run --embedded', /^wand: required option '--name <name>' not specified/],
    ['node run --name x', /^wand: run x: needs one of --config, --embedded and --consul/],
    ['node run --name x --embedded --config y', /^wand: run x: needs one of/],
    ['node run --name x --consul 127.0.0.1:8500', /^wand: run x: --consul needs --id and --data/],
    ['wsar a b', /^wand: wsar: seconds: not a number above 0: b/],
    ['wsar 0', /^wand: wsar: seconds: not a number above 0: 0/],
    ['wsar 1 1.5', /^wand: wsar: count: not a number above 0: 1\.5/],
    ['wsar 1 2 3', /^wand: wsar: too many arguments: 3/],
    ['peer show dc1-chat1', /^wand: missing required argument 'peer'/],
    ['peer list dc1-chat1', /^wand: too many arguments/],
    [
      'peer list --sort size',
      /^wand: option '--sort <column>' argument 'size' is invalid\. Allowed choices are/,
    ],
    ['config validate', /^wand: missing required argument 'file'/],
  ]
  for (const [line, says] of wrong) {
    test(`wand ${line} exits 64 with one line`, async () => {
      const { stdout, stderr, exitCode } = await wand(line.split(' '), { env })
      expect(stderr).toMatch(says)
      expect(stderr.trimEnd()).not.toContain('\n')
      expect(stdout).toBe('')
      expect(exitCode).toBe(64)
    })
  }

  for (const line of ['', 'node', 'peer', 'group', 'route', 'config']) {
    test(`wand ${line} alone prints its help to standard error and exits 64`, async () => {
      const { stdout, stderr, exitCode } = await wand(line.split(' ').filter(Boolean), { env })
      expect(stderr).toMatch(/^Usage: wand/)
      expect(stdout).toBe('')
      expect(exitCode).toBe(64)
    })
  }
})

describe('no node to ask', () => {
  test('an empty run directory, and one that is not there', async () => {
    expect(await wand(['status'], { env })).toEqual({
      stdout: '',
      stderr: `wand: find a node: no admin socket in ${directory} (wand dev up starts some)\n`,
      exitCode: 69,
    })
    expect((await wand(['status', '--run-dir', join(directory, 'nowhere')])).exitCode).toBe(69)
  })

  test('sockets that nobody listens on, and files that are none', async () => {
    writeFileSync(join(directory, 'a.sock'), '')
    writeFileSync(join(directory, 'b.sock'), '')
    const { stderr, exitCode } = await wand(['status'], { env })
    expect(stderr).toBe(`wand: find a node: nobody answers: ${directory}\n`)
    expect(exitCode).toBe(69)
  })

  test('a place that is named and not there says why', async () => {
    const path = join(directory, 'gone.sock')
    const { stderr, exitCode } = await wand(['status', '--connect', path])
    expect(stderr).toBe(`wand: find a node: nobody answers: connect ENOENT ${path}: ${path}\n`)
    expect(exitCode).toBe(69)
    expect((await wand(['status'], { env: { WAND_CONNECT: path } })).exitCode).toBe(69)
  })

  test('something that speaks no HTTP', async () => {
    const server = createTcpServer(socket => {
      socket.on('error', () => {})
      socket.end('SSH-2.0-whatever\r\n')
    }).listen(0, '127.0.0.1')
    await new Promise(resolve => server.on('listening', resolve))
    const { port } = server.address() as { port: number }
    const { stderr, exitCode } = await wand(['status', '--connect', `http://127.0.0.1:${port}`])
    expect(stderr).toMatch(/^wand: find a node: nobody answers: Parse Error.*\n$/)
    expect(exitCode).toBe(69)
    server.close()
  })

  test('an address where only metrics and health are had', async () => {
    await listen('a', {
      '/v1/self': {
        error: { code: 'no-such-path', message: 'only /metrics, /livez and /readyz are had here' },
      },
    })
    const { stderr, exitCode } = await wand(['status'], { env })
    expect(stderr).toBe(
      `wand: find a node: nobody answers: only /metrics, /livez and /readyz are had here: ${directory}\n`,
    )
    expect(exitCode).toBe(69)
  })
})

describe('no such thing', () => {
  test('an unknown node exits 66', async () => {
    await listen('a', { '/v1/nodes/x': { error: { code: 'unknown-node', message: 'no such node: "x"' } } })
    const { stdout, stderr, exitCode } = await wand(['node', 'show', 'x'], { env })
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: '',
      stderr: 'wand: show node: no such node: "x"\n',
      exitCode: 66,
    })
  })

  test('an unknown peer exits 66, and so does an unknown node that is asked for its peers', async () => {
    await listen('a', {
      '/v1/peers/x': { error: { code: 'unknown-node', message: 'no such node: "x"' } },
      '/v1/peers/a/x': { error: { code: 'unknown-peer', message: 'no such peer of a: "x"' } },
    })
    expect(await wand(['peer', 'show', 'a', 'x'], { env })).toEqual({
      stdout: '',
      stderr: 'wand: show peer: no such peer of a: "x"\n',
      exitCode: 66,
    })
    expect(await wand(['peer', 'list', '--node', 'x'], { env })).toEqual({
      stdout: '',
      stderr: 'wand: list peers: no such node: "x"\n',
      exitCode: 66,
    })
  })

  test('an unknown group exits 66, with any name', async () => {
    const name = '../../x y/%'
    const admin = await listen('a', {
      [`/v1/groups/${encodeURIComponent(name)}`]: {
        error: { code: 'unknown-group', message: 'no such group' },
      },
    })
    expect((await wand(['group', 'show', name], { env })).exitCode).toBe(66)
    expect(admin.asked).toHaveLength(1)
  })
})

describe('silence', () => {
  test('a node that takes the connection and stays silent is not waited for longer than the timeout', async () => {
    await listen('dc1-chat1', { '/v1/self': 'silent' })
    const startMs = performance.now()
    const ran = await wand(['node', 'list', '--json', '--timeout', '200ms'], { env })
    expect(performance.now() - startMs).toBeLessThan(1_500)
    expect(JSON.parse(ran.stdout)).toEqual({
      data: [],
      complete: false,
      missing: [{ node: 'dc1-chat1', reason: 'timeout' }],
    })
    expect(ran.exitCode).toBe(75)
  })

  test('a peer that nobody tells of in time is no data, and exits 75', async () => {
    await listen('a', {
      '/v1/peers/a/b': { data: null, complete: false, missing: [{ node: 'a', reason: 'timeout' }] },
    })
    expect(await wand(['peer', 'show', 'a', 'b'], { env })).toEqual({
      stdout: '',
      stderr: 'wand: partial answer: 1 node missing: a (timeout)\n',
      exitCode: 75,
    })
  })

  test('a node that falls silent after it has said who it is, neither', async () => {
    await listen('dc1-chat1', { '/v1/status': 'silent' })
    const startMs = performance.now()
    const ran = await wand(['status', '--timeout', '200ms'], { env })
    expect(performance.now() - startMs).toBeLessThan(1_500)
    expect(ran).toEqual({
      stdout: '',
      stderr: 'wand: partial answer: 1 node missing: dc1-chat1 (timeout)\n',
      exitCode: 75,
    })
  })

  test('one silent node does not keep the others from answering', async () => {
    await listen('a', { '/v1/self': 'silent' })
    await listen('b', { '/v1/nodes': whole(rows) })
    const startMs = performance.now()
    const ran = await wand(['node', 'list', '--timeout', '30s'], { env })
    expect(ran.exitCode).toBe(0)
    expect(performance.now() - startMs).toBeLessThan(5_000)
  })

  test('the nodes have less time than the operator', async () => {
    const admin = await listen('a', { '/v1/nodes': whole(rows) })
    await wand(['node', 'list', '--timeout', '1m'], { env })
    const timeoutMs = Number(new URL(admin.asked[0]!.slice(4), 'http://x').searchParams.get('timeoutMs'))
    expect(timeoutMs).toBeGreaterThan(30_000)
    expect(timeoutMs).toBeLessThan(50_000)
  })

  test('a drain through silent nodes only exits 75', async () => {
    await listen('a', { '/v1/self': 'silent' })
    const ran = await wand(['node', 'drain', 'x', '--timeout', '200ms'], { env })
    expect(ran.stderr).toContain('wand: drain x: partial answer: 1 node missing: a (timeout)\n')
    expect(ran.exitCode).toBe(75)
  })
})

describe('which node is asked', () => {
  test('one that is ready, before one that is leaving', async () => {
    const leaving = await listen('a', { '/v1/nodes': whole(rows) })
    leaving.self = { ...leaving.self, state: 'draining' }
    const ready = await listen('b', { '/v1/nodes': whole(rows) })
    await wand(['node', 'list'], { env })
    expect(leaving.asked).toEqual([])
    expect(ready.asked).toHaveLength(1)
  })

  test('one that is leaving, when there is no other', async () => {
    const leaving = await listen('a', { '/v1/nodes': whole(rows) })
    leaving.self = { ...leaving.self, state: 'draining' }
    expect((await wand(['node', 'list'], { env })).exitCode).toBe(0)
  })

  test('never the socket of dev up', async () => {
    const dev = await listen('dev')
    expect((await wand(['node', 'list'], { env })).exitCode).toBe(69)
    expect(dev.asked).toEqual([])
  })
})

describe('colour', () => {
  const csi = '\u001b['

  beforeEach(async () => {
    await listen('a', { '/v1/status': whole(status) })
  })

  test('is for terminals, not for pipes', async () => {
    expect((await wand(['status'], { env, isTTY: true })).stdout).toContain(csi)
    expect((await wand(['status'], { env })).stdout).not.toContain(csi)
    expect((await wand(['status'], { env: { ...env, TERM: 'dumb' }, isTTY: true })).stdout).not.toContain(
      escape,
    )
  })

  test('NO_COLOR forbids it, FORCE_COLOR asks for it in a pipe', async () => {
    const noColour = { ...env, NO_COLOR: '1' }
    expect((await wand(['status'], { env: noColour, isTTY: true })).stdout).not.toContain(csi)
    expect((await wand(['status'], { env: { ...env, FORCE_COLOR: '1' } })).stdout).toContain(csi)
    expect((await wand(['status'], { env: { ...env, FORCE_COLOR: '0' }, isTTY: true })).stdout).not.toContain(
      escape,
    )
  })

  test('JSON has none', async () => {
    expect((await wand(['status', '--json'], { env, isTTY: true })).stdout).not.toContain(csi)
  })
})

describe('the launcher', () => {
  test('runs the source tree as it stands, without a word from Node', async () => {
    const { stdout, stderr } = await execute(process.execPath, [launcher, '--version'])
    expect(stdout).toBe(
      `wandist ${process.env.npm_package_version ?? '0.1.0'}, node ${process.versions.node}\n`,
    )
    expect(stderr).toBe('')
  })

  test('tells the shell how it went', async () => {
    const failed = await execute(process.execPath, [launcher, 'status', '--run-dir', directory]).catch(
      error => error,
    )
    expect(failed.code).toBe(69)
    expect(failed.stdout).toBe('')
    expect(failed.stderr).toMatch(/^wand: find a node: no admin socket in .*\n$/)
  })

  test('turns an old Node away with one line', async () => {
    const old = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"24.11.1"})'
    const failed = await execute(process.execPath, ['--import', old, launcher, '--version']).catch(
      error => error,
    )
    expect(failed.code).toBe(69)
    expect(failed.stderr).toBe('wand: needs Node 24.12 or later: this is 24.11.1\n')
  })
})
