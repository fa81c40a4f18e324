/** A drain: phones are sent elsewhere at a measured pace, and what they had sent is finished. */
import { expect, test } from 'vitest'
import type { SendReply } from '../../../node/services/mailbox/messages.ts'
import { type RawPhone, World } from './world.ts'

test('phones in are told where to go, strangers are sent away, and group chat is left at once', async () => {
  const world = await World.start()
  const phone = await world.loggedIn('alice')
  const stranger = await world.dial('stranger')
  expect(world.groups.get('chat')).toHaveLength(1)
  const drained = world.connections.drain({ deadlineMs: 10_000 })
  await world.time.settle()
  expect(world.groups.get('chat')).toEqual([])
  expect(phone.heard.at(-1)).toEqual({
    t: 'go-away',
    reason: 'drain',
    retryAfterMs: 20,
    alternatives: ['other:1', 'other:2'],
  })
  expect([phone.isClosed, stranger.isClosed]).toEqual([false, true])
  const late = await world.dial('late')
  expect(late.heard).toMatchObject([{ t: 'go-away', reason: 'drain' }])
  expect(late.isClosed).toBe(true)
  await phone.say({ t: 'bye' })
  await world.time.advance(50)
  await drained
  expect(world.stats.connections).toBe(0)
})

test('what was sent before is answered, what comes after is refused and not tried', async () => {
  const world = await World.start()
  let answer: (reply: SendReply) => void = () => {}
  world.onSend = () => new Promise(resolve => (answer = resolve))
  const phone = await world.loggedIn('alice')
  await phone.say({ t: 'send', seq: 1, to: 'bob', body: 'a' })
  void world.connections.drain({ deadlineMs: 10_000 })
  await phone.say({ t: 'send', seq: 2, to: 'bob', body: 'b' })
  expect(phone.of('error')).toMatchObject([{ code: 'draining', seq: 2 }])
  answer({ level: 'replicated' })
  await world.time.settle()
  expect(phone.of('sent')).toMatchObject([{ seq: 1 }])
  expect(world.sends).toHaveLength(1)
  world.toSession({
    op: 'deliver',
    attachment: 1,
    messages: [{ from: 'bob', number: 1, body: 'still here', sentAtMs: 1, late: false }],
  })
  await world.time.settle()
  expect(phone.of('deliver')).toHaveLength(1)
})

test('a phone that does not go is cut off at the deadline, and not before', async () => {
  const world = await World.start()
  const phone = await world.loggedIn('alice')
  let isDrained = false
  void world.connections.drain({ deadlineMs: 1_000 }).then(() => (isDrained = true))
  await world.time.advance(980)
  expect([phone.isClosed, isDrained]).toEqual([false, false])
  await world.time.advance(60)
  expect([phone.isClosed, isDrained]).toEqual([true, true])
  expect(world.castsOf('detach')).toHaveLength(1)
})

test('go-aways are paced', async () => {
  const world = await World.start({ unprovenPerAddressMax: 100, unprovenMax: 100 })
  const phones: RawPhone[] = []
  for (let i = 0; i < 40; i++) phones.push(await world.loggedIn(`user-${i}`))
  void world.connections.drain({ deadlineMs: 60_000, ratePerSecond: 10, alternatives: ['third:3'] })
  const told = () => phones.filter(phone => phone.of('go-away').length === 1).length
  await world.time.advance(1_000)
  expect(told()).toBeGreaterThan(8)
  expect(told()).toBeLessThan(13)
  await world.time.advance(4_000)
  expect(told()).toBe(40)
  expect(phones[7]!.of('go-away')[0]!.alternatives).toEqual(['third:3'])
})

test('draining a node without phones ends at once, and twice is no error', async () => {
  const world = await World.start()
  await Promise.all([
    world.connections.drain({ deadlineMs: 1_000 }),
    world.connections.drain({ deadlineMs: 1 }),
  ])
})

test('stop closes everything: phones, strangers, lingering streams, the listener and its timers', async () => {
  const world = await World.start()
  const phone = await world.loggedIn('alice')
  const stranger = await world.dial('stranger')
  const stopped = world.connections.stop()
  await world.time.settle()
  await stopped
  expect([phone.isClosed, stranger.isClosed]).toEqual([true, true])
  expect(world.network.listening).toEqual([])
  expect(world.runtime.stats().processes).toBe(0)
  await world.connections.stop()
})

test('an address that is taken is the error of the start', async () => {
  const world = await World.start()
  const { startConnections } = await import('../../../node/connections/service.ts')
  await expect(
    startConnections({
      node: 'dc1-chat1',
      address: 'chat1:1',
      ports: world.ports('chat1'),
      router: { choose: () => undefined },
      registry: { members: () => [], monitor: () => () => {} },
      runtime: world.runtime,
      log: world.runtime.log,
      alternatives: () => [],
    }),
  ).rejects.toMatchObject({ code: 'address-in-use' })
})
