/** The admin endpoint: who is asked, what becomes of silence, and what strangers get. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DrainLine } from '../../../ops/admin/drain-watch.ts'
import type { Document } from '../../../ops/admin/routes.ts'
import type { Status } from '../../../ops/admin/status.ts'
import type { Admin } from '../../../ops/admin.ts'
import { nodeSockets, runDirectory, startAdmin } from '../../../ops/index.ts'
import type { NodeRow } from '../../../ops/report.ts'
import { Pid } from '../../../routing/index.ts'
import { parseExposition } from './exposition-parser.ts'
import { FakeCluster } from './fake-node.ts'
import { ask, sendRaw } from './request.ts'

let directory: string
let cluster: FakeCluster
let admins: Map<string, Admin>

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wand-'))
  cluster = new FakeCluster()
  admins = new Map()
  for (const node of cluster.nodes.values()) {
    admins.set(node.name, await startAdmin(node, { runDirectory: directory, http: '127.0.0.1:0' }))
  }
})

afterEach(async () => {
  for (const admin of admins.values()) await admin.close(0)
  rmSync(directory, { recursive: true })
})

function socket(name: string): string {
  return admins.get(name)!.socketPath
}

interface Body<T> extends Document<T> {
  readonly error: { readonly code: string; readonly message: string }
}

async function get<T>(name: string, path: string): Promise<{ status: number; body: Body<T> }> {
  const { status, text } = await ask(socket(name), path)
  return { status, body: JSON.parse(text) }
}

describe('asking all nodes', () => {
  test('each node answers for itself, in order of name', async () => {
    const { status, body } = await get<NodeRow[]>('b1', '/v1/nodes')
    expect(status).toBe(200)
    expect(body).toMatchObject({ complete: true, missing: [] })
    expect(body.data.map(row => row.node)).toEqual(['a1', 'a2', 'b1', 'far'])
    expect(body.data[1]).toEqual({
      node: 'a2',
      datacenter: 'dc1',
      cluster: 'main',
      roles: ['mailbox'],
      state: 'ready',
      version: '1.2.3',
      creation: 1_001,
      connections: 0,
      uptimeS: 61,
    })
  })

  test('a silent node makes the answer partial, not late', async () => {
    cluster.node('a2').manners = 'silent'
    const startMs = performance.now()
    const { body } = await get('b1', '/v1/nodes?timeoutMs=150')
    expect(performance.now() - startMs).toBeLessThan(1_000)
    expect(body.complete).toBe(false)
    expect(body.missing).toEqual([{ node: 'a2', reason: 'timeout' }])
    expect(body.data).toHaveLength(3)
  })

  test('a node without a link is missing at once, and so is one that the configuration does not link', async () => {
    cluster.cut('a2', 'stream-closed')
    const { body } = await get('a1', '/v1/nodes?timeoutMs=10000')
    expect(body.missing).toEqual([
      { node: 'a2', reason: 'noconnect' },
      { node: 'far', reason: 'not-linked' },
    ])
  })

  test('a node of a version that does not know the question says so and lives', async () => {
    cluster.node('a2').manners = 'old'
    expect((await get('b1', '/v1/nodes')).body.missing).toEqual([{ node: 'a2', reason: 'unsupported' }])
    cluster.node('a2').manners = 'answers'
    expect((await get('b1', '/v1/nodes')).body.complete).toBe(true)
  })

  test('one node is asked alone; an unknown one is a 404', async () => {
    cluster.node('a1').manners = 'silent'
    const { body } = await get('b1', '/v1/nodes/a2?timeoutMs=100')
    expect(body).toMatchObject({
      complete: true,
      data: { node: 'a2', processes: 7, peers: [{ node: 'a1' }, { node: 'b1' }] },
    })
    expect((await get('b1', '/v1/nodes/a1?timeoutMs=100')).body).toEqual({
      data: null,
      complete: false,
      missing: [{ node: 'a1', reason: 'timeout' }],
    })
    expect(await get('b1', '/v1/nodes/nobody')).toEqual({
      status: 404,
      body: { error: { code: 'unknown-node', message: 'no such node: "nobody"' } },
    })
  })

  test('samples are had of all nodes and of one', async () => {
    expect((await get('b1', '/v1/samples')).body.data).toHaveLength(4)
    expect((await get('b1', '/v1/samples/a2')).body.data).toMatchObject([{ node: 'a2', handled: 1_000 }])
  })
})

describe('the overview', () => {
  test('counts states, versions, links and groups', async () => {
    cluster.node('a2').state = 'draining'
    cluster.node('a1').groups.main!.chat = [new Pid('a1', 1_000, 0, 70)]
    cluster.node('b1').groups.main!.chat = [new Pid('b1', 1_002, 0, 70)]
    cluster.node('b1').trouble = 'a peer refused us'
    const { body } = await get('b1', '/v1/status')
    expect(body.data).toMatchObject({
      id: 'demo',
      configured: 4,
      states: { ready: 3, draining: 1 },
      versions: { '1.2.3': 4 },
      groups: 1,
      links: { up: 8, configured: 8, down: [] },
      troubles: [{ node: 'b1', trouble: 'a peer refused us' }],
    })
  })

  test('says which link is down, and why it ended', async () => {
    cluster.node('b1').mesh.peers.get('a1')!.linked = false
    cluster
      .node('b1')
      .mesh.closedLinks.push(
        { node: 'a1', address: '127.0.0.2:7411', reason: 'refused', detail: '', at: 1, times: 1 },
        { node: 'a1', address: '127.0.0.2:7411', reason: 'heartbeat-timeout', detail: '', at: 2, times: 1 },
      )
    const { body } = await get<Status>('a2', '/v1/status')
    expect(body.data.links).toEqual({
      up: 6,
      configured: 7,
      down: [{ node: 'b1', peer: 'a1', reason: 'heartbeat-timeout' }],
    })
  })
})

describe('groups', () => {
  beforeEach(() => {
    const groupsOf = (name: string) => cluster.node(name).groups
    groupsOf('a1').main!['mailbox/10'] = [new Pid('a1', 1_000, 0, 64), new Pid('a1', 1_000, 0, 65)]
    groupsOf('a2').main!['mailbox/2'] = [new Pid('a2', 1_001, 0, 64)]
    groupsOf('b1').main!['mailbox/10'] = [new Pid('b1', 1_002, 0, 64)]
    groupsOf('b1').own = { 'private things': [new Pid('b1', 1_002, 0, 66)] }
    cluster.node('b1').othersGroups.push('mailbox/2', 'somebody-elses')
  })

  test('are counted where their members live, and sorted as people count', async () => {
    const { body } = await get('b1', '/v1/groups')
    expect(body.data).toEqual([
      { scope: 'main', group: 'mailbox/2', members: 1, byDatacenter: { dc1: 1 } },
      { scope: 'main', group: 'mailbox/10', members: 3, byDatacenter: { dc1: 2, dc2: 1 } },
      { scope: 'own', group: 'private things', members: 1, byDatacenter: { dc2: 1 } },
    ])
  })

  test('show each member, and whether far clusters see it', async () => {
    expect((await get('b1', '/v1/groups/mailbox%2F10')).body.data).toEqual([
      { group: 'mailbox/10', node: 'a1', datacenter: 'dc1', pid: 'a1/1000/0/64', published: false },
      { group: 'mailbox/10', node: 'a1', datacenter: 'dc1', pid: 'a1/1000/0/65', published: false },
      { group: 'mailbox/10', node: 'b1', datacenter: 'dc2', pid: 'b1/1002/0/64', published: false },
    ])
    expect((await get('b1', '/v1/groups/private%20things')).body.data).toMatchObject([{ published: false }])
  })

  test('an unknown group is a 404, unless somebody who may know it is missing', async () => {
    expect((await get('b1', '/v1/groups/nothing')).body.error.code).toBe('unknown-group')
    cluster.node('a1').manners = 'silent'
    expect((await get('b1', '/v1/groups/nothing?timeoutMs=50')).body).toEqual({
      data: [],
      complete: false,
      missing: [{ node: 'a1', reason: 'timeout' }],
    })
  })

  test('more of them than an answer carries make it partial', async () => {
    const many = Array.from({ length: 10_001 }, (_, index) => new Pid('a2', 1_001, 0, index))
    cluster.node('a2').groups.main!.many = many
    const { body } = await get('b1', '/v1/groups/many')
    expect(body.data).toHaveLength(10_000)
    expect(body.missing).toEqual([{ node: 'a2', reason: 'truncated' }])
  })
})

describe('a drain', () => {
  async function drain(through: string, name: string, deadlineMs = 5_000): Promise<DrainLine[]> {
    const path = `/v1/nodes/${name}/drain?deadlineMs=${deadlineMs}`
    const { status, text } = await ask(socket(through), path, { method: 'POST' })
    expect(status).toBe(200)
    return text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
  }

  test('of another node is followed until it has said goodbye', async () => {
    const node = cluster.node('a2')
    node.left = { sessions: 12, calls: 2, unconfirmed: 0, queueBytes: 90 }
    node.mesh.peers.get('a1')!.queueFrames = 1
    node.onDrain = async () => void setTimeout(() => cluster.cut('a2', 'goodbye'), 300)
    const lines = await drain('b1', 'a2')
    expect(node.drainDeadlineMs).toBe(5_000)
    expect(lines[0]).toEqual({
      state: 'draining',
      left: { sessions: 12, calls: 2, unconfirmed: 0, queue: 1 },
    })
    expect(lines.at(-1)).toMatchObject({ state: 'stopped', cutOff: false })
  })

  test('of the node that is asked ends with its own last line', async () => {
    const node = cluster.node('a1')
    node.onDrain = async () =>
      void setTimeout(() => {
        node.state = 'stopped'
      }, 100)
    const lines = await drain('a1', 'a1')
    expect(lines.map(line => line.state)).toEqual(['draining', 'stopped'])
  })

  test('that meets its deadline was cut off', async () => {
    const node = cluster.node('a2')
    node.left = { sessions: 3, calls: 0, unconfirmed: 0, queueBytes: 0 }
    node.onDrain = async () => void setTimeout(() => cluster.cut('a2', 'goodbye'), 300)
    expect((await drain('b1', 'a2', 100)).at(-1)).toMatchObject({
      state: 'stopped',
      cutOff: true,
      left: { sessions: 3 },
    })
  })

  test('in which the node is lost has failed', async () => {
    cluster.node('a2').onDrain = async () => void setTimeout(() => cluster.cut('a2', 'stream-closed'), 50)
    expect((await drain('b1', 'a2')).at(-1)).toMatchObject({
      state: 'failed',
      reason: 'link lost: stream-closed',
    })
  })

  test('that cannot hand over says why, and the node lives', async () => {
    cluster.node('a2').onDrain = () => Promise.reject(new Error('sync store: disk-full'))
    expect((await drain('b1', 'a2')).at(-1)).toMatchObject({
      state: 'failed',
      reason: 'sync store: disk-full',
    })
  })

  test('of a node without a link fails at once', async () => {
    cluster.cut('a2', 'stream-closed')
    expect(await drain('b1', 'a2')).toEqual([{ state: 'failed', reason: 'noconnect', left: null }])
  })

  test('needs a POST, a known node and a sane deadline', async () => {
    expect((await ask(socket('b1'), '/v1/nodes/a2/drain')).status).toBe(404)
    const post = { method: 'POST' }
    expect((await ask(socket('b1'), '/v1/nodes/nobody/drain', post)).status).toBe(404)
    expect((await ask(socket('b1'), '/v1/nodes/a2/drain?deadlineMs=-1', post)).status).toBe(400)
    expect(cluster.node('a2').state).toBe('ready')
  })
})

describe('health', () => {
  test('a node is alive while it answers, and ready only when it serves', async () => {
    const place = admins.get('a1')!.httpAddress!
    for (const [state, status] of [
      ['starting', 503],
      ['catching-up', 503],
      ['ready', 200],
      ['draining', 503],
    ] as const) {
      cluster.node('a1').state = state
      expect(await ask(place, '/livez')).toMatchObject({ status: 200, text: `${state}\n` })
      expect(await ask(place, '/readyz')).toMatchObject({ status, text: `${state}\n` })
    }
  })

  test('metrics are had by both doors, and parse', async () => {
    for (const place of [admins.get('a1')!.httpAddress!, socket('a1')]) {
      const { status, type, text } = await ask(place, '/metrics')
      expect(status).toBe(200)
      expect(type).toBe('text/plain; version=0.0.4; charset=utf-8')
      expect(parseExposition(text).get('wandist_node_info')!.samples[0]!.labels.node).toBe('a1')
    }
  })

  test('the HTTP address changes nothing and tells nothing else', async () => {
    const place = admins.get('a1')!.httpAddress!
    expect((await ask(place, '/v1/nodes')).status).toBe(404)
    expect((await ask(place, '/v1/nodes/a2/drain', { method: 'POST' })).status).toBe(405)
    expect(cluster.node('a2').state).toBe('ready')
  })
})

describe('strangers', () => {
  test('bytes that are no HTTP get a 400, and the node goes on', async () => {
    for (const place of [admins.get('a1')!.httpAddress!, socket('a1')]) {
      for (const bytes of [
        '\u0000\u0001\u0002garbage\r\n\r\n',
        'GET\r\n\r\n',
        '\r\n'.repeat(3) + 'x'.repeat(9_000),
      ]) {
        expect(await sendRaw(place, bytes)).toMatch(/^HTTP\/1\.1 4\d\d /)
      }
      expect((await ask(place, '/livez')).status).toBe(200)
    }
  })

  test('odd paths, methods and numbers are turned down with one line', async () => {
    const odd = [
      ['/v1/%ff', 'GET', 400],
      ['/v1', 'GET', 404],
      ['/v1/nodes/a1/b1', 'GET', 404],
      ['/v1/__proto__', 'GET', 404],
      ['/v1/nodes/__proto__', 'GET', 404],
      ['/v1/nodes?timeoutMs=never', 'GET', 400],
      ['/v1/nodes', 'DELETE', 405],
      ['//', 'GET', 400],
    ] as const
    for (const [path, method, status] of odd) {
      const answer = await ask(socket('a1'), path, { method })
      expect([path, answer.status]).toEqual([path, status])
      expect(JSON.parse(answer.text).error.message).not.toContain('\n')
    }
  })

  test('a browser that was led to a forwarded socket is turned away', async () => {
    const headers = { origin: 'https://example.org' }
    expect((await ask(socket('a1'), '/v1/nodes/a2/drain', { method: 'POST', headers })).status).toBe(403)
  })

  test('a body is neither read nor missed', async () => {
    const request = `GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello`
    expect(await sendRaw(socket('a1'), request)).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('the socket', () => {
  test('is its owner’s alone, in a directory that is too', () => {
    expect(statSync(socket('a1')).mode & 0o777).toBe(0o600)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
  })

  test('goes away with the endpoint', async () => {
    await admins.get('a1')!.close()
    expect(existsSync(socket('a1'))).toBe(false)
  })

  test('of a live node is not taken', async () => {
    await expect(startAdmin(cluster.node('a1'), { runDirectory: directory })).rejects.toMatchObject({
      code: 'in-use',
      message: `open admin socket: a live node has it: ${socket('a1')}`,
    })
    expect((await ask(socket('a1'), '/livez')).status).toBe(200)
  })

  test('of a dead node is replaced', async () => {
    await admins.get('a1')!.close()
    // Only a crash leaves a socket behind; here a server that cannot find its own when it closes.
    const left = createServer().listen(join(directory, 'dead.sock'))
    await new Promise(resolve => left.on('listening', resolve))
    renameSync(join(directory, 'dead.sock'), socket('a1'))
    await new Promise(resolve => left.close(resolve))
    expect(existsSync(socket('a1'))).toBe(true)
    admins.set('a1', await startAdmin(cluster.node('a1'), { runDirectory: directory }))
    expect((await ask(socket('a1'), '/livez')).status).toBe(200)
  })

  test('an HTTP address that is taken is one clear error, and leaves no socket', async () => {
    await admins.get('a1')!.close()
    const http = admins.get('b1')!.httpAddress!
    await expect(startAdmin(cluster.node('a1'), { runDirectory: directory, http })).rejects.toMatchObject({
      code: 'in-use',
      message: `listen for HTTP: address in use: ${http}`,
    })
    expect(existsSync(socket('a1'))).toBe(false)
  })
})

describe('the run directory', () => {
  test('is the one named, else the user’s own', () => {
    expect(runDirectory('/x', { WAND_RUN_DIR: '/y' })).toBe('/x')
    expect(runDirectory(undefined, { WAND_RUN_DIR: '/y', XDG_RUNTIME_DIR: '/run/user/7' })).toBe('/y')
    const uid = process.getuid!()
    expect(runDirectory(undefined, { XDG_RUNTIME_DIR: '/run/user/7' })).toBe(`/run/user/7/wandist-${uid}`)
    expect(runDirectory(undefined, {})).toBe(`/tmp/wandist-${uid}`)
  })

  test('is made when it is not there', async () => {
    const made = join(directory, 'deep', 'run')
    const admin = await startAdmin(cluster.node('a1'), { runDirectory: made })
    expect(statSync(made).mode & 0o777).toBe(0o700)
    await admin.close()
  })

  test('that others can write to, or that is a link, is not used', async () => {
    const open = join(directory, 'open')
    mkdirSync(open)
    chmodSync(open, 0o777)
    symlinkSync(open, join(directory, 'link'))
    for (const [name, why] of [
      ['open', 'others can write to it'],
      ['link', 'not a directory'],
    ] as const) {
      const used = startAdmin(cluster.node('a1'), { runDirectory: join(directory, name) })
      await expect(used).rejects.toMatchObject({
        code: 'bad-run-directory',
        message: `use run directory: ${why}: ${join(directory, name)}`,
      })
    }
  })

  test('whose path is too long for a socket is refused before anything is opened', async () => {
    const long = join(directory, 'x'.repeat(100))
    await expect(startAdmin(cluster.node('a1'), { runDirectory: long })).rejects.toMatchObject({
      code: 'bad-run-directory',
    })
  })

  test('is searched for sockets of nodes only', () => {
    expect(nodeSockets(directory)).toEqual(
      ['a1', 'a2', 'b1', 'far'].map(name => join(directory, `${name}.sock`)),
    )
    expect(nodeSockets(join(directory, 'nowhere'))).toEqual([])
  })
})
