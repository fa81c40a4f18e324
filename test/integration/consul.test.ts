import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  ConfigError,
  type ConfigSource,
  configKey,
  consulSource,
  consulTimings,
  parseConfig,
  pushConfig,
  type Registration,
  registerNode,
  Topology,
} from '../../cluster-config/index.ts'
import { type ConsulAgent, placeConsul, startConsul } from '../support/consul.ts'
import { type ConsulProxy, type ProxyAnswer, startConsulProxy } from '../support/consul-proxy.ts'

const timings = consulTimings.test

let dc1: ConsulAgent
let dc2: ConsulAgent
let proxy: ConsulProxy
let folder: string
let id: string
let count = 0
const started: (ConfigSource | Registration)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wandist-kept-'))
  const places = await Promise.all([placeConsul('dc1', '127.0.0.2'), placeConsul('dc2', '127.0.0.3')])
  ;[dc1, dc2] = await Promise.all([
    startConsul(places[0], { retryJoinWan: [places[1]] }),
    startConsul(places[1], { retryJoinWan: [places[0]] }),
  ])
  proxy = await startConsulProxy(dc1.http)
})

afterAll(async () => {
  await proxy?.stop()
  await Promise.all([dc1?.stop(), dc2?.stop()])
  await rm(folder, { recursive: true, force: true })
})

// Every test has a meta-cluster, and so a key and a kept copy, of its own.
beforeEach(() => {
  count += 1
  id = `meta${count}`
  proxy.set({ kind: 'pass' })
})

afterEach(async () => {
  await Promise.all(started.splice(0).map(each => each.stop()))
})

/** A configuration with the nodes a, b, c… of this many. */
function text(nodes = 2): string {
  const lines = Array.from(
    { length: nodes },
    (_, i) => `  ${String.fromCharCode(97 + i)}: { mesh: 127.0.0.1:${7701 + i} }`,
  )
  return `id: ${id}\nnodes:\n${lines.join('\n')}\n`
}

function names(config: { readonly nodes: object }): string {
  return Object.keys(config.nodes).join('')
}

interface Watched {
  readonly source: ConfigSource
  /** What `onChange` told: the names of the nodes. */
  readonly changes: string[]
  readonly problems: string[]
}

function sourceAt(address: string, more: { datacenter?: string } = {}): Watched {
  const source = consulSource({ address, id, keptCopy: keptCopy(), timings, ...more })
  const changes: string[] = []
  const problems: string[] = []
  source.onChange(config => changes.push(names(config)))
  source.onProblem(problem => problems.push(problem))
  started.push(source)
  return { source, changes, problems }
}

function keptCopy(): string {
  return join(folder, id, 'kept.yaml')
}

const publish = (content: string) => pushConfig({ address: dc1.http }, content)
const writeRaw = (content: string) => dc1.api(`kv/${configKey(id)}`, 'PUT', content)

/** Waits for a condition, at most five seconds. */
const until = (condition: () => void | Promise<void>) =>
  vi.waitFor(condition, { timeout: 5_000, interval: 10 })

async function rejection(promise: Promise<unknown>): Promise<ConfigError> {
  const error = await promise.then(
    () => undefined,
    reason => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return error
}

describe('a well Consul', () => {
  test('is two agents in two datacenters that know each other', async () => {
    await until(async () => expect(await dc2.api('catalog/datacenters')).toEqual(['dc2', 'dc1']))
  })

  test('yields what was published, and a copy of it is kept', async () => {
    expect(await publish(text(2))).toBe(true)
    const { source } = sourceAt(dc1.http)
    expect(names(await source.start())).toBe('ab')
    expect(source.status()).toMatchObject({
      kind: 'consul',
      place: `consul://${dc1.http}/wandist/${id}/config`,
      staleSinceMs: undefined,
      lastError: undefined,
    })
    expect(source.status().version).toMatch(/^[0-9]+$/)
    await source.stop()
    expect(parseConfig(await readFile(keptCopy(), 'utf8'), 'kept')).toEqual(parseConfig(text(2), 'published'))
  })

  test('tells a change, once, and only when something differs', async () => {
    await publish(text(2))
    const { source, changes } = sourceAt(dc1.http)
    await source.start()
    const { version } = source.status()
    await publish(`# only a comment\n${text(2)}`)
    await until(() => expect(source.status().version).not.toBe(version))
    await publish(text(3))
    await until(() => expect(changes).toEqual(['abc']))
    expect(await publish(text(3))).toBe(false)
    await until(async () => expect(await readFile(keptCopy(), 'utf8')).toContain('c: { mesh'))
  })

  test('in another datacenter passes the question on, when it is told whose keys are meant', async () => {
    await publish(text(2))
    const { source, changes } = sourceAt(dc2.http, { datacenter: 'dc1' })
    await until(async () => expect(names(await source.start())).toBe('ab'))
    await publish(text(3))
    await until(() => expect(changes).toEqual(['abc']))
  })

  test('takes a publication only over what the operator has seen, and only if it is right', async () => {
    await publish(text(2))
    const { source } = sourceAt(dc1.http)
    await source.start()
    const over = source.status().version
    await publish(text(3))

    const conflict = await rejection(pushConfig({ address: dc1.http, over }, text(4)))
    expect(conflict.code).toBe('conflict')
    const invalid = await rejection(pushConfig({ address: dc1.http }, `${text(4)}foo: 1\n`, 'new.yaml'))
    expect(invalid.message).toMatch(/^new\.yaml:7:1: foo: unknown key$/)
    const gone = await rejection(pushConfig({ address: '127.0.0.1:1', timeoutMs: 500 }, text(4)))
    expect(gone).toMatchObject({ code: 'unavailable' })
    expect(gone.message).toMatch(/ECONNREFUSED/)

    await until(() => expect(source.status().version).not.toBe(over))
    expect(await dc1.api(`kv/${configKey(id)}?raw`).catch(() => 'YAML, not JSON')).toBe('YAML, not JSON')
    expect(names(await sourceAt(dc1.http).source.start())).toBe('abc')
  })

  test('is asked one question at a time, and none after the stop', async () => {
    await publish(text(2))
    const { source } = sourceAt(proxy.http)
    await source.start()
    await until(() => expect(proxy.waiting).toBe(1))
    await until(() => expect(proxy.questions).toBeGreaterThanOrEqual(3))
    expect(proxy.waiting).toBeLessThanOrEqual(1)
    await source.stop()
    await until(() => expect(proxy.waiting).toBe(0))
  })

  test('with a key that somebody writes in a loop is asked no more often than allowed', async () => {
    await publish(text(2))
    const gapMsMin = 100
    const source = consulSource({
      address: proxy.http,
      id,
      keptCopy: keptCopy(),
      timings: { ...timings, gapMsMin },
    })
    started.push(source)
    await source.start()
    const beginMs = performance.now()
    proxy.set({ kind: 'pass' })
    let writes = 0
    for (; performance.now() - beginMs < 1_000; writes++)
      await writeRaw(`# ${writes}\n${text(2 + (writes % 2))}`)
    const allowed = (performance.now() - beginMs) / gapMsMin + 2
    expect(writes).toBeGreaterThan(allowed)
    expect(proxy.questions).toBeLessThanOrEqual(allowed)
  })
})

describe('a sick Consul takes nothing away', () => {
  test('killed: the configuration stays, and is current again after the restart', async () => {
    await publish(text(2))
    const { source, changes, problems } = sourceAt(dc1.http)
    await source.start()
    await dc1.kill()
    await until(() => expect(source.status().staleSinceMs).toBeTypeOf('number'))
    await until(() => expect(problems.at(-1)).toMatch(/ECONNREFUSED/))
    expect(changes).toEqual([])

    await dc1.restart()
    await until(() =>
      expect(source.status()).toMatchObject({ staleSinceMs: undefined, lastError: undefined }),
    )
    expect(changes).toEqual([])
    await publish(text(3))
    await until(() => expect(changes).toEqual(['abc']))
  })

  test('hanging: noticed, told once, and over when it answers', async () => {
    await publish(text(2))
    const { source, changes, problems } = sourceAt(proxy.http)
    await source.start()
    proxy.set({ kind: 'hang' })
    await until(() =>
      expect(problems).toEqual([
        expect.stringMatching(/config: no answer within \d+ ms$/),
        expect.stringMatching(/config: no answer within 300 ms$/),
      ]),
    )
    await until(() => expect(proxy.questions).toBeGreaterThanOrEqual(3))
    expect(problems).toHaveLength(2)
    expect(changes).toEqual([])
    await publish(text(3))
    proxy.set({ kind: 'pass' })
    await until(() => expect(changes).toEqual(['abc']))
    expect(source.status()).toMatchObject({ staleSinceMs: undefined, lastError: undefined })
  })

  test.each<[string, ProxyAnswer, RegExp]>([
    ['400', { status: 400, body: 'bad request' }, /config: HTTP 400: bad request$/],
    ['403', { status: 403, body: 'Permission denied' }, /config: HTTP 403: Permission denied$/],
    ['429', { status: 429, body: '' }, /config: HTTP 429$/],
    ['500', { status: 500, body: 'No cluster leader\nand more' }, /config: HTTP 500: No cluster leader$/],
    ['a page of somebody else', { status: 200, body: '<html>Welcome!</html>' }, /no X-Consul-Index/],
    [
      'an index that is no number',
      { status: 200, headers: { 'X-Consul-Index': '-1' }, body: text() },
      /no X-Consul-Index/,
    ],
    ['nothing', { status: 200, headers: { 'X-Consul-Index': '9999999' }, body: '' }, /config:1:1: empty$/],
    [
      'bytes that are no text',
      { status: 200, headers: { 'X-Consul-Index': '1' }, body: new Uint8Array([0xff, 0xfe]) },
      /not valid for encoding utf-8$/,
    ],
    [
      'half a configuration',
      { status: 200, headers: { 'X-Consul-Index': '1' }, body: 'id: ', cut: true },
      /no answer within 300 ms$/,
    ],
  ])('answering %s: told, and over when it answers well', async (_, answer, problem) => {
    await publish(text(2))
    const { source, changes, problems } = sourceAt(proxy.http)
    await source.start()
    proxy.set({ kind: 'answer', answer: () => answer })
    await until(() => expect(source.status().lastError).toMatch(problem))
    await until(() => expect(proxy.questions).toBeGreaterThanOrEqual(3))
    expect(problems.filter(each => problem.test(each))).toHaveLength(1)
    expect(source.status().staleSinceMs).toBeTypeOf('number')
    expect(changes).toEqual([])
    await publish(text(3))
    proxy.set({ kind: 'pass' })
    await until(() => expect(changes).toEqual(['abc']))
    expect(source.status().lastError).toBeUndefined()
  })

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['the key deleted', () => dc1.api(`kv/${configKey(id)}`, 'DELETE'), /no such key$/],
    ['the whole prefix deleted', () => dc1.api('kv/wandist/?recurse', 'DELETE'), /no such key$/],
    ['the key empty', () => writeRaw(''), /config:1:1: empty$/],
    ['no YAML in the key', () => writeRaw('id: ['), /config:1:\d+: not YAML/],
    ['an unknown key in it', () => writeRaw(`${text(3)}foo: 1\n`), /config:6:1: foo: unknown key$/],
    [
      'several things wrong in it',
      () => writeRaw(`${text(3)}foo: 1\nbar: 2\n`),
      /foo: unknown key \(and 1 more\)$/,
    ],
    [
      'another meta-cluster in it',
      () => writeRaw(text(3).replace(id, 'other')),
      /another meta-cluster, not meta\d+: "other"$/,
    ],
  ])('%s: the last good one stays in force and on disk', async (_, spoil, problem) => {
    await publish(text(2))
    const { source, changes } = sourceAt(dc1.http)
    await source.start()
    const { version } = source.status()
    await until(async () => expect(await readFile(keptCopy(), 'utf8')).toContain(text(2)))
    await spoil()
    await until(() => expect(source.status().lastError).toMatch(problem))
    expect(source.status()).toMatchObject({ version, staleSinceMs: expect.any(Number) })
    expect(await readFile(keptCopy(), 'utf8')).toContain(text(2))
    await writeRaw(text(3))
    await until(() => expect(changes).toEqual(['abc']))
  })

  test('an old answer, given once, is not believed; given twice, it is', async () => {
    const answerOf = (index: number, nodes: number) => {
      return { status: 200, headers: { 'X-Consul-Index': String(index) }, body: text(nodes) }
    }
    proxy.set({
      kind: 'answer',
      answer: question => [answerOf(50, 3), answerOf(40, 2)][question] ?? answerOf(60, 4),
    })
    const { source, changes } = sourceAt(proxy.http)
    expect(names(await source.start())).toBe('abc')
    await until(() => expect(changes).toEqual(['abcd']))

    proxy.set({ kind: 'answer', answer: () => answerOf(7, 2) })
    await until(() => expect(changes).toEqual(['abcd', 'ab']))
    expect(source.status()).toMatchObject({ version: '7', staleSinceMs: undefined })
  })

  test('a copy that cannot be kept is told, and disturbs nothing', async () => {
    await publish(text(2))
    await writeFile(join(folder, id), 'a file where a folder should be')
    const { source, changes, problems } = sourceAt(dc1.http)
    await source.start()
    await until(() => expect(problems).toEqual([expect.stringContaining('cannot keep a copy')]))
    expect(source.status().staleSinceMs).toBeUndefined()
    await publish(text(3))
    await until(() => expect(changes).toEqual(['abc']))
  })
})

describe('a start without Consul', () => {
  /** Leaves a kept copy behind, as an earlier run does. */
  async function runOnce(): Promise<void> {
    await publish(text(2))
    const { source } = sourceAt(dc1.http)
    await source.start()
    await source.stop()
  }

  test('that refuses takes the kept copy within its time limit, and Consul’s word when it comes', async () => {
    await runOnce()
    await proxy.stop()
    const [host, port] = proxy.http.split(':')
    const { source, changes, problems } = sourceAt(`${host}:${port}`)
    const beginMs = performance.now()
    expect(names(await source.start())).toBe('ab')
    expect(performance.now() - beginMs).toBeLessThan(timings.startMsMax + 500)
    expect(source.status()).toMatchObject({ version: 'kept', staleSinceMs: expect.any(Number) })
    expect(problems[0]).toMatch(/ECONNREFUSED/)

    await publish(text(3))
    proxy = await startConsulProxy(dc1.http, Number(port))
    await until(() => expect(changes).toEqual(['abc']))
    expect(source.status()).toMatchObject({ staleSinceMs: undefined, lastError: undefined })
  })

  test('that hangs takes the kept copy within its time limit', async () => {
    await runOnce()
    proxy.set({ kind: 'hang' })
    const { source, problems } = sourceAt(proxy.http)
    const beginMs = performance.now()
    expect(names(await source.start())).toBe('ab')
    expect(performance.now() - beginMs).toBeLessThan(timings.startMsMax + 500)
    expect(problems).toEqual([expect.stringMatching(/config: no answer within 300 ms$/)])
  })

  test('does not hold up a stop', async () => {
    await runOnce()
    proxy.set({ kind: 'hang' })
    const { source } = sourceAt(proxy.http)
    const beginMs = performance.now()
    const starting = source.start()
    await until(() => expect(proxy.waiting).toBe(1))
    await source.stop()
    await starting
    expect(performance.now() - beginMs).toBeLessThan(timings.startMsMax / 2)
  })

  test('whose content is wrong takes the kept copy at once', async () => {
    await runOnce()
    await writeRaw('id: 3')
    const { source } = sourceAt(dc1.http)
    const beginMs = performance.now()
    expect(names(await source.start())).toBe('ab')
    expect(performance.now() - beginMs).toBeLessThan(timings.startMsMax / 2)
  })

  test('and without a kept copy is one clear error, and leaves nothing running', async () => {
    const absent = await rejection(sourceAt(dc1.http).source.start())
    expect(absent.code).toBe('unavailable')
    expect(absent.message).toBe(
      `consul://${dc1.http}/wandist/${id}/config: no such key; and no kept copy: ${keptCopy()}: no such file`,
    )
    proxy.set({ kind: 'hang' })
    const hanging = await rejection(sourceAt(proxy.http).source.start())
    expect(hanging.message).toContain('no answer within 300 ms; and no kept copy')
    await until(() => expect(proxy.waiting).toBe(0))
  })

  test('and with a kept copy that is broken, or another meta-cluster’s, says so', async () => {
    await runOnce()
    await writeFile(keptCopy(), 'id: [')
    proxy.set({ kind: 'answer', answer: () => ({ status: 500, body: 'No cluster leader' }) })
    const broken = await rejection(sourceAt(proxy.http).source.start())
    expect(broken.message).toMatch(
      /HTTP 500: No cluster leader; and no kept copy: .*kept\.yaml:1:\d+: not YAML/,
    )
    await writeFile(keptCopy(), text(2).replace(id, 'other'))
    const other = await rejection(sourceAt(proxy.http).source.start())
    expect(other.message).toMatch(/no kept copy: .*: id: another meta-cluster, not meta\d+: "other"$/)
  })
})

describe('a registered node', () => {
  function register(address: string): { registration: Registration; problems: string[] } {
    const node = new Topology(parseConfig(text(2), 'c.yaml')).node('a')!
    const problems: string[] = []
    const registration = registerNode({
      address,
      id,
      node: { ...node, name: `${id}-a`, roles: ['chat', 'mailbox'] },
      version: '1.2.3',
      timings,
      onProblem: problem => problems.push(problem),
    })
    started.push(registration)
    return { registration, problems }
  }

  /** The node's entry in Consul's catalogue, and the state of the check that the node passes. */
  async function seen(): Promise<{ service: object; status: string | undefined } | undefined> {
    const entries = (await dc1.api('health/service/wandist')) as {
      Service: { ID: string }
      Checks: { ServiceID: string; Status: string }[]
    }[]
    const entry = entries.find(({ Service }) => Service.ID === `${id}-a`)
    if (entry === undefined) return undefined
    return { service: entry.Service, status: entry.Checks.find(check => check.ServiceID !== '')?.Status }
  }
  const statusOf = async () => (await seen())?.status

  test('is listed with what people want to know, stays passing, and is gone after the stop', async () => {
    const { registration } = register(dc1.http)
    await until(async () => expect(await statusOf()).toBe('passing'))
    expect((await seen())!.service).toMatchObject({
      ID: `${id}-a`,
      Service: 'wandist',
      Tags: ['chat', 'mailbox'],
      Address: '127.0.0.1',
      Port: 7701,
      Meta: { metaCluster: id, datacenter: 'dc1', cluster: 'main', roles: 'chat,mailbox', version: '1.2.3' },
    })
    const endMs = performance.now() + 2 * timings.ttlMs
    while (performance.now() < endMs) {
      expect(await statusOf()).toBe('passing')
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    expect(registration.status()).toEqual({ registered: true, lastError: undefined })
    await registration.stop()
    await until(async () => expect(await seen()).toBeUndefined())
  })

  test('that dies turns critical', async () => {
    const { registration } = register(proxy.http)
    await until(async () => expect(await statusOf()).toBe('passing'))
    proxy.set({ kind: 'hang' })
    await until(async () => expect(await statusOf()).toBe('critical'))
    expect(registration.status().registered).toBe(false)
    proxy.set({ kind: 'pass' })
    await until(async () => expect(await statusOf()).toBe('passing'))
  })

  test('that Consul forgot is registered again', async () => {
    const { registration, problems } = register(dc1.http)
    await until(async () => expect(await statusOf()).toBe('passing'))
    await dc1.kill()
    await until(() => expect(registration.status().registered).toBe(false))
    await dc1.restart({ forget: true })
    // The catalogue remembers; the agent, which the node speaks to, does not.
    await until(async () => expect(await dc1.api('agent/services')).toHaveProperty(`${id}-a`))
    await until(() => expect(registration.status()).toEqual({ registered: true, lastError: undefined }))
    await until(async () => expect(await statusOf()).toBe('passing'))

    await dc1.api(`agent/service/deregister/${id}-a`, 'PUT')
    await until(() => expect(problems.at(-1)).toMatch(/does not have associated TTL|Unknown check/))
    await until(async () => expect(await dc1.api('agent/services')).toHaveProperty(`${id}-a`))
  })

  test('stops within its time limit while Consul hangs', async () => {
    proxy.set({ kind: 'hang' })
    const { registration, problems } = register(proxy.http)
    await until(() => expect(problems).toHaveLength(1))
    const beginMs = performance.now()
    await registration.stop()
    expect(performance.now() - beginMs).toBeLessThan(timings.stopMsMax + 300)
  })
})

test('an address that is none is a clear error', () => {
  const make = () => consulSource({ address: 'consul', id: 'x', keptCopy: '/nowhere/kept.yaml' })
  expect(make).toThrow(ConfigError)
  expect(make).toThrow('consul: address is not host:port: "consul"')
})
