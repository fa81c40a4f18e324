/**
 * Ten nodes whose configuration comes from Consul, one agent a datacenter: whatever becomes of Consul, phones do not
 * notice, and nodes start.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { configKey } from '../../cluster-config/index.ts'
import { type ConsulAgent, placeConsul, startConsul } from '../support/consul.ts'
import { Conversation, nothingWrong } from '../support/conversation.ts'
import { MetaCluster, until } from '../support/meta-cluster.ts'

let cluster: MetaCluster
let agents: Record<string, ConsulAgent>

beforeAll(async () => {
  cluster = await MetaCluster.prepare()
  const [dc1, dc2] = await Promise.all([placeConsul('dc1', '127.0.0.2'), placeConsul('dc2', '127.0.0.3')])
  const [first, second] = await Promise.all([
    startConsul(dc1, { retryJoinWan: [dc2] }),
    startConsul(dc2, { retryJoinWan: [dc1] }),
  ])
  agents = { dc1: first, dc2: second }
  const pushed = await cluster.wand(
    'config',
    'push',
    cluster.configFile,
    '--consul',
    `${first.http},${second.http}`,
  )
  expect(pushed).toMatchObject({ code: 0, stderr: '' })
  for (const name of cluster.names) cluster.run(name, fromConsul(name))
  await cluster.ready(cluster.names)
}, 120_000)
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
  await Promise.all(Object.values(agents ?? {}).map(agent => agent.stop()))
})

/** Each node asks the agent of its own datacenter. */
function fromConsul(name: string): readonly string[] {
  const { datacenter } = cluster.topology.node(name)!
  return ['--consul', agents[datacenter]!.http, '--id', 'two-datacenters']
}

async function registered(agent: ConsulAgent): Promise<readonly string[]> {
  const services = (await agent.api('health/service/wandist?passing=1')) as { Service: { ID: string } }[]
  return services.map(({ Service }) => Service.ID).sort()
}

test('every node is listed in its datacenter, and passes its check', async () => {
  for (const [datacenter, agent] of Object.entries(agents)) {
    const expected = cluster.topology.inDatacenter(datacenter).map(node => node.name)
    await until(`${datacenter} lists its five`, async () => (await registered(agent)).length === 5)
    expect(await registered(agent)).toEqual(expected.toSorted())
  }
})

test('Consul dies, a node restarts without it, Consul comes back: nobody notices', {
  timeout: 120_000,
}, async () => {
  await using talk = await Conversation.start(cluster, 20, 9)
  await until('they talk', () => talk.counts.delivered >= 50)
  await Promise.all(Object.values(agents).map(agent => agent.kill()))
  const before = talk.counts.acked
  await until('they talk on without Consul', () => talk.counts.acked >= before + 100)
  expect(await cluster.end('dc2-mailbox2', 'SIGKILL')).toBe('SIGKILL')
  cluster.run('dc2-mailbox2', fromConsul('dc2-mailbox2'))
  await cluster.ready(['dc2-mailbox2'])
  await Promise.all(Object.values(agents).map(agent => agent.restart({ forget: true })))
  await until('all are listed again', async () => (await registered(agents.dc2!)).length === 5)
  expect(await talk.verdict()).toEqual(nothingWrong)
})

test('nonsense in Consul changes nothing', async () => {
  await using talk = await Conversation.start(cluster, 20, 10)
  const key = `kv/${configKey('two-datacenters')}`
  for (const nonsense of ['nodes: [', 'id: two-datacenters\nnodes: {}', '']) {
    await Promise.all(Object.values(agents).map(agent => agent.api(key, 'PUT', nonsense)))
    const before = talk.counts.acked
    await until('they talk on', () => talk.counts.acked >= before + 50)
  }
  expect((await cluster.read<{ state: string }[]>('node', 'list')).map(row => row.state)).toEqual(
    new Array(10).fill('ready'),
  )
  expect(await talk.verdict()).toEqual(nothingWrong)
})

test('a changed configuration is taken on by the nodes that run: an eleventh node gets in', async () => {
  const config = parse(await readFile(cluster.configFile, 'utf8'))
  const host = cluster.topology.addressOf('dc1-chat1', 'mesh')!.split(':')[0]
  const guest = { datacenter: 'dc1', cluster: 'dc1-main', mesh: `${host}:7499`, http: `${host}:7699` }
  const file = join(cluster.directory, 'eleven.yaml')
  await writeFile(file, stringify({ ...config, nodes: { ...config.nodes, 'dc1-guest': guest } }))
  const consul = Object.values(agents).map(agent => agent.http)
  expect(await cluster.wand('config', 'push', file, '--consul', consul.join(','))).toMatchObject({ code: 0 })
  cluster.run('dc1-guest', ['--config', file])
  await until('it has all ten links', async () => {
    const rows = await cluster.read<{ node: string; state: string }[]>('node', 'list').catch(() => [])
    const metrics = await fetch(`http://${guest.http}/readyz`).catch(() => undefined)
    return metrics?.ok === true && rows.some(row => row.node === 'dc1-guest' && row.state === 'ready')
  })
})
