/** How a node's rooms play together where a message goes by way of the router's own words to other nodes. */
import { expect, test } from 'vitest'
import { later, type Pid, Server } from '../../../node/index.ts'
import { SmallCluster } from '../../support/in-process.ts'
import { until } from '../../support/meta-cluster.ts'

class Member extends Server {
  got: unknown[] = []
  from: unknown
  override handleCall(message: unknown) {
    return [this.self.node, message]
  }
  override handleCast(message: unknown, from?: Pid) {
    this.from = from
    this.got.push(message)
  }
}

test('what a partition’s process gets after it left in order and ended is passed on to its partner', async () => {
  await using cluster = await SmallCluster.start()
  const chat = cluster.node('dc1-chat')
  const target = { service: 'mailbox', key: 'bob' }
  const pid = chat.router.choose(target)!
  const owner = cluster.node(pid.node)
  const partner = cluster.node(owner.topology.partnerOf('mailbox', owner.name)!)
  const before = partner.router.counts.delivered
  const explained = chat.router.explain(target)
  expect(explained).toMatchObject({ chosen: String(pid), why: 'primary' })
  chat.cast(target, { op: 'ack', user: 'bob', items: [] })
  // All in the turn in which the message leaves: nobody can have heard of it.
  owner.runtime.routing.leave(explained.group!, pid)
  void owner.runtime.process(pid.index)!.end('drain')
  await until('it is passed on', () => owner.router.counts.forwarded === 1)
  await until('it arrives', () => partner.router.counts.delivered > before)
  await until('the sender is told', () => chat.router.counts.hintsTaken === 1)
  expect(chat.router.choose(target)!.node).toBe(partner.name)
})

test('a cast to all takes one frame for each node, and tells a queue’s length where a process has one', async () => {
  await using cluster = await SmallCluster.start()
  const [chat, other] = [cluster.node('dc1-chat'), cluster.node('dc1-mailbox1')]
  const members = Array.from({ length: 20 }, () => new Member())
  for (const member of members) other.spawn(member, { groups: ['room'] })
  const own = new Member()
  const self = chat.spawn(own, { groups: ['room'] })
  await until('all are seen', () => chat.members('room').length === 21)
  expect(chat.castAll('room', 'hello')).toBe(21)
  expect(chat.router.counts.fannedOut).toBe(1)
  expect(chat.router.queueOf(self)).toBeGreaterThan(0)
  await until('all have it', () => [own, ...members].every(({ got }) => got[0] === 'hello'))
  expect(chat.router.queueOf(self)).toBe(0)
  own.context.castAll('room', 'and from me')
  await until('all have that, too', () => members.every(({ got }) => got[1] === 'and from me'))
  for (const member of [own, ...members]) expect(member.from).toEqual(self)
})

test('a question to a group has the answers that came in time, and says who is missing', async () => {
  class Silent extends Server {
    override handleCall() {
      return later
    }
  }
  await using cluster = await SmallCluster.start()
  const chat = cluster.node('dc1-chat')
  for (const name of ['dc1-mailbox1', 'dc2-chat'])
    cluster.node(name).spawn(new Member(), { groups: ['room'] })
  const silent = cluster.node('dc1-mailbox2').spawn(new Silent(), { groups: ['room'] })
  await until('all are seen', () => chat.members('room').length === 3)
  const { answers, missing } = await chat.gather('room', 'who?', { timeoutMs: 100 })
  expect(answers.map(({ value }) => value)).toEqual([
    ['dc1-mailbox1', 'who?'],
    ['dc2-chat', 'who?'],
  ])
  expect(missing).toMatchObject([{ pid: silent, code: 'timeout' }])
})
