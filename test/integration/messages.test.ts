/** Two datacenters, ten processes, phones over TCP: messages arrive, whatever dies in between. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Conversation, nothingWrong } from '../support/conversation.ts'
import { MetaCluster, until } from '../support/meta-cluster.ts'

let cluster: MetaCluster

beforeAll(async () => {
  cluster = await MetaCluster.start()
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

interface NodeRow {
  readonly node: string
  readonly state: string
  readonly connections: number
  readonly creation: number
}

describe('phones in two datacenters', () => {
  test('talk to each other, in one datacenter and across both', async () => {
    await using talk = await Conversation.start(cluster, 30, 1)
    await until('two hundred are delivered', () => talk.counts.delivered >= 200)
    expect(await talk.verdict()).toEqual(nothingWrong)
    expect(talk.counts.crossDatacenter).toBeGreaterThan(0)
    expect(talk.counts.crossDatacenter).toBeLessThan(talk.counts.delivered)
  })

  test('are connected to all four chat nodes', async () => {
    await using _talk = await Conversation.start(cluster, 30, 2)
    await until('every chat node has phones', async () => {
      const nodes = await cluster.read<NodeRow[]>('node', 'list')
      return nodes.filter(row => row.node.includes('chat')).every(row => row.connections > 0)
    })
  })
})

describe('kill -9 under load loses nothing that was acknowledged', () => {
  const victims = ['dc1-chat1', 'dc1-mailbox1', 'dc2-mailbox2', 'dc2-accounts1']

  test.for(victims)('%s dies and comes back', { timeout: 90_000 }, async victim => {
    await using talk = await Conversation.start(cluster, 30, 3)
    await until('they talk', () => talk.counts.delivered >= 50)
    expect(await cluster.end(victim, 'SIGKILL')).toBe('SIGKILL')
    const before = talk.counts.acked
    await until('they talk on without it', () => talk.counts.acked >= before + 100)
    cluster.run(victim)
    await cluster.ready([victim])
    const after = talk.counts.acked
    await until('they talk on with it', () => talk.counts.acked >= after + 100)
    expect(await talk.verdict()).toEqual(nothingWrong)
  })

  test('both nodes of an island die, one after the other', { timeout: 120_000 }, async () => {
    await using talk = await Conversation.start(cluster, 30, 4)
    await until('they talk', () => talk.counts.delivered >= 50)
    for (const victim of ['dc2-mailbox1', 'dc2-mailbox2']) {
      await cluster.end(victim, 'SIGKILL')
      await sleep(500)
      cluster.run(victim)
      await cluster.ready([victim])
    }
    const after = talk.counts.acked
    await until('they talk on', () => talk.counts.acked >= after + 100)
    expect(await talk.verdict()).toEqual(nothingWrong)
  })
})
