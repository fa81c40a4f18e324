/** Taking nodes out of service: one by a signal, one by command, and all ten in turn, while phones talk. */
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

describe('a drain under load', () => {
  test.for(['dc1-chat2', 'dc2-mailbox1', 'dc1-accounts1'])(
    'SIGTERM: %s leaves its groups, hands over and exits with 0',
    { timeout: 60_000 },
    async name => {
      await using talk = await Conversation.start(cluster, 30, 6)
      await until('they talk', () => talk.counts.delivered >= 50)
      expect(await cluster.end(name, 'SIGTERM')).toBe(0)
      const members = await cluster
        .read<{ group: string; byDatacenter: object }[]>('group', 'list')
        .catch(() => [])
      expect(JSON.stringify(members)).not.toContain(name)
      const before = talk.counts.acked
      await until('they talk on without it', () => talk.counts.acked >= before + 100)
      expect(await talk.verdict()).toEqual(nothingWrong)
      cluster.run(name)
      await cluster.ready([name])
    },
  )

  test('wand node drain: tells what is left, and the node exits with 0', { timeout: 60_000 }, async () => {
    await using talk = await Conversation.start(cluster, 30, 7)
    await until('they talk', () => talk.counts.delivered >= 50)
    const { code, stdout, stderr } = await cluster.wand('node', 'drain', 'dc2-chat1')
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) })
    expect(stdout + stderr).toContain('drain remaining')
    await until('the process has ended', () => cluster.child('dc2-chat1').exitCode === 0)
    expect(await talk.verdict()).toEqual(nothingWrong)
    cluster.run('dc2-chat1')
    await cluster.ready(['dc2-chat1'])
  })
})
