/** Ten processes that link over TLS, with certificates as `wand cert` makes them: phones do not notice, and no secret shows anywhere. */
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Node, startNode } from '../../node/index.ts'
import { MemoryNetwork, parseAddress, realPorts, realTimers } from '../../transport/index.ts'
import { Conversation, nothingWrong } from '../support/conversation.ts'
import { MetaCluster, until } from '../support/meta-cluster.ts'

let cluster: MetaCluster
let certs: string

beforeAll(async () => {
  cluster = await MetaCluster.prepare()
  certs = join(cluster.directory, 'certs')
  expect(await cluster.wand('cert', 'ca', certs)).toMatchObject({ code: 0, stderr: '' })
  await issue()
  const files = '{ ca: certs/ca.crt, certificate: "certs/{node}.crt", key: "certs/{node}.key" }'
  await appendFile(cluster.configFile, `\ntls: ${files}\n`)
  for (const name of cluster.names)
    cluster.run(name, ['--config', cluster.configFile, '--log-level', 'trace'])
  await cluster.ready(cluster.names)
}, 120_000)
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

/** Makes, or renews, the certificate of every node. */
async function issue(): Promise<void> {
  const ran = await Promise.all(cluster.names.map(name => cluster.wand('cert', 'node', name, '--ca', certs)))
  for (const { code, stderr } of ran) expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

/** What a node shows to whoever dials its mesh address. */
async function shownBy(name: string): Promise<{ names: string | undefined; serial: string }> {
  const { host, port } = parseAddress(cluster.topology.node(name)!.mesh)
  const ca = await readFile(join(certs, 'ca.crt'), 'utf8')
  return new Promise((resolve, reject) => {
    const options = { host, port, ca, ALPNProtocols: ['wandist/1'], checkServerIdentity: () => undefined }
    const socket = tls.connect(options, () => {
      const certificate = socket.getPeerX509Certificate()!
      resolve({ names: certificate.subjectAltName, serial: certificate.serialNumber })
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

test('phones in two datacenters talk, and nothing is lost', { timeout: 60_000 }, async () => {
  expect((await shownBy('dc1-chat1')).names).toBe('DNS:dc1-chat1, URI:wandist:dc1-chat1')
  await using talk = await Conversation.start(cluster, 30, 1)
  await until('two hundred are delivered', () => talk.counts.delivered >= 200)
  expect(await talk.verdict()).toEqual(nothingWrong)
  expect(talk.counts.crossDatacenter).toBeGreaterThan(0)
})

test('certificates are renewed while they talk: no link ends', { timeout: 60_000 }, async () => {
  const downs = () => cluster.names.flatMap(name => cluster.output(name).match(/"link down"/g) ?? []).length
  await using talk = await Conversation.start(cluster, 30, 2)
  await until('they talk', () => talk.counts.delivered >= 50)
  const [downsBefore, shownBefore] = [downs(), await shownBy('dc1-mailbox1')]
  await issue()
  for (const name of cluster.names) cluster.child(name).kill('SIGHUP')
  await until('all have read them', () =>
    cluster.names.every(name => cluster.output(name).includes('"certificates reloaded"')),
  )
  expect((await shownBy('dc1-mailbox1')).serial).not.toBe(shownBefore.serial)
  const after = talk.counts.acked
  await until('they talk on', () => talk.counts.acked >= after + 100)
  expect(downs()).toBe(downsBefore)

  // And one that starts now links with all that were there before.
  expect(await cluster.end('dc1-mailbox1', 'SIGKILL')).toBe('SIGKILL')
  cluster.run('dc1-mailbox1')
  await cluster.ready(['dc1-mailbox1'])
  expect(await talk.verdict()).toEqual(nothingWrong)
})

test('neither the secret nor a key shows in a log, a metric, an answer or a command line', async () => {
  const keys = await Promise.all(
    ['ca', ...cluster.names].map(name => readFile(join(certs, `${name}.key`), 'utf8')),
  )
  // The middle of each key: its frame of letters is the same for all.
  const canaries = [cluster.secret, ...keys.map(key => key.split('\n')[1]!.slice(40))]
  const texts: string[] = []
  for (const name of cluster.names) {
    const metrics = await fetch(`http://${cluster.topology.node(name)!.http}/metrics`)
    const pid = cluster.child(name).pid
    texts.push(cluster.output(name), await metrics.text(), await readFile(`/proc/${pid}/cmdline`, 'utf8'))
  }
  for (const line of ['status', 'node list', 'node show dc1-chat1', 'group list']) {
    texts.push((await cluster.wand(...line.split(' '), '--json')).stdout)
  }
  const all = texts.join('\n')
  for (const sign of ['"link up"', 'wandist_', '--log-level', '"dc1-chat1"']) expect(all).toContain(sign)
  expect(canaries.map(canary => canary.length >= 20)).toEqual(canaries.map(() => true))
  expect(canaries.filter(canary => all.includes(canary))).toEqual([])
})

test('a secret is rotated node by node, and the two are linked at every step', async () => {
  const network = new MemoryNetwork({ timers: realTimers })
  const config = {
    id: 'rotation',
    timing: 'test',
    nodes: { a: { mesh: 'a:1' }, b: { mesh: 'b:1' } },
  } as const
  const nodes = new Map<string, Node>()
  const restart = async (name: string, secret: readonly string[]) => {
    await nodes.get(name)?.stop()
    const ports = { ...realPorts, carrier: network.carrier(name) }
    nodes.set(name, await startNode({ name, config, secret, ports, logLevel: 'silent' }))
  }
  const steps = [['old'], ['old', 'new'], ['new', 'old'], ['new']]
  for (const secrets of steps) {
    for (const name of ['a', 'b']) {
      await restart(name, secrets)
      if (nodes.size < 2) continue
      await until(`they are linked: ${name} has ${secrets}`, () =>
        [...nodes.values()].every(node => [...node.mesh.peers.values()].every(peer => peer.linked)),
      )
    }
  }
  await restart('a', ['old'])
  await until(
    'the old one alone is turned away',
    () => nodes.get('a')!.trouble?.includes('wrong-secret') === true,
  )
  await Promise.all([...nodes.values()].map(node => node.stop()))
})
