/** The service on real nodes: mesh, registry and router between two halves of an island, and SQLite below. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Node, Server, startNode } from '../../../node/index.ts'
import type { SendReply, SessionCast } from '../../../node/services/mailbox/messages.ts'
import { MemoryNetwork, realPorts, realTimers } from '../../../transport/index.ts'
import { until } from '../storage/until.ts'

const config = {
  id: 'mailbox-test',
  timing: 'test',
  nodes: {
    one: { mesh: 'one:1', roles: ['mailbox'] },
    two: { mesh: 'two:1', roles: ['mailbox'] },
    chat: { mesh: 'chat:1', roles: ['chat'], phones: 'chat:2' },
  },
  services: { mailbox: { partitions: 2, islands: { island: ['one', 'two'] } } },
} as const

/** What a connection does: acknowledges what it is handed. */
class Session extends Server<unknown, SessionCast> {
  readonly user: string
  readonly bodies: string[] = []

  constructor(user: string) {
    super()
    this.user = user
  }

  override handleCast(message: SessionCast): void {
    if (message.op !== 'deliver') return
    this.bodies.push(...message.messages.map(one => one.body))
    const items = message.messages.map(one => [one.from, one.number])
    this.cast({ service: 'mailbox', key: this.user }, { op: 'ack', user: this.user, items })
  }
}

describe('the mailbox service on two nodes', () => {
  let directory: string
  let network: MemoryNetwork
  let nodes: Map<string, Node>

  const start = async (name: keyof typeof config.nodes): Promise<Node> => {
    const node = await startNode({
      name,
      config,
      secret: 'a secret of the test',
      dataDirectory: directory,
      logLevel: 'silent',
      ports: { ...realPorts, carrier: network.carrier(name) },
    })
    nodes.set(name, node)
    return node
  }
  const allServe = (count: number) =>
    until(
      () => [0, 1].every(n => nodes.get('chat')!.members(`mailbox/${n}`).length === count),
      `${count} serve`,
    )
  const send = (number: number, to = 'bob'): Promise<SendReply> => {
    const request = { op: 'send', to, from: 'alice', number, body: `text ${number}`, sentAtMs: 1 }
    return nodes.get('chat')!.call({ service: 'mailbox', key: to }, request) as Promise<SendReply>
  }
  const fetch = async (user = 'bob'): Promise<Session> => {
    const chat = nodes.get('chat')!
    const session = new Session(user)
    const pid = chat.spawn(session)
    const request = { op: 'attach', user, session: `${pid}`, sessionNumber: 1, attachment: 1 }
    expect(await chat.call({ service: 'mailbox', key: user }, request)).toEqual({ attached: true })
    return session
  }
  const stats = (name: string) => nodes.get(name)!.services!.mailbox!.stats

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'wandist-mailbox-'))
    network = new MemoryNetwork({ timers: realTimers })
    nodes = new Map()
    await Promise.all([start('one'), start('two'), start('chat')])
    await allServe(2)
  })
  afterEach(async () => {
    await Promise.all([...nodes.values()].map(node => node.stop()))
    rmSync(directory, { recursive: true, force: true })
  })

  test('keeps messages through the replacement of both, one after the other', async () => {
    expect(await send(1)).toEqual({ level: 'replicated' })
    await nodes.get('one')!.drain()
    expect(await send(2)).toEqual({ level: 'durable' })
    await start('one')
    await allServe(2)
    await nodes.get('two')!.drain()
    expect(stats('one').messages).toBe(2)
    const { bodies } = await fetch()
    await until(() => bodies.length === 2, 'both messages')
    expect(bodies).toEqual(['text 1', 'text 2'])
    await until(() => stats('one').messages === 0, 'erased')
  })

  test('keeps messages on disk when both stop', async () => {
    for (let number = 1; number <= 5; number++) await send(number)
    await Promise.all(['one', 'two'].map(name => nodes.get(name)!.stop()))
    await Promise.all([start('one'), start('two')])
    await allServe(2)
    const { bodies } = await fetch()
    await until(() => bodies.length === 5, 'all five')
    expect(bodies).toEqual([1, 2, 3, 4, 5].map(number => `text ${number}`))
    await until(() => stats('one').messages + stats('two').messages === 0, 'erased on both')
  })

  test('heals when the two cannot see each other for a while', async () => {
    network.cut('one', 'two')
    await until(() => nodes.get('one')!.members('mailbox/0/replica').length === 1, 'one is alone')
    await until(() => nodes.get('two')!.members('mailbox/0/replica').length === 1, 'two is alone')
    const users = ['bob', 'carol', 'dan', 'eve']
    for (const [at, user] of users.entries()) expect(await send(at + 1, user)).toEqual({ level: 'durable' })
    const { bodies } = await fetch('dan')
    await until(() => bodies.length === 1, "dan's")
    network.heal('one', 'two')
    await until(
      () => stats('one').messages === 3 && stats('two').messages === 3,
      'alike, without what dan has',
    )
    await until(() => stats('one').tombstones + stats('two').tombstones === 0, 'no tombstone is left')
    expect(await send(9)).toEqual({ level: 'replicated' })
  })
})
