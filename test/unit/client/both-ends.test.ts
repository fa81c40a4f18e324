/** The client library against the real listener, over the carrier in memory: what one end promises the other keeps. */
import { expect, test } from 'vitest'
import { Phone, type PhoneOptions } from '../../../node/client/index.ts'
import { World } from '../connections/world.ts'

function phoneOf(world: World, user: string, options: Partial<PhoneOptions> = {}): Phone {
  return new Phone({
    user,
    key: `key-${user}`,
    addresses: ['chat1:1'],
    ports: world.ports(`${user}-phone`),
    ...options,
  })
}

async function online(world: World, user: string, options: Partial<PhoneOptions> = {}): Promise<Phone> {
  const phone = phoneOf(world, user, options)
  const connected = phone.connect()
  await world.time.settle()
  await connected
  return phone
}

test('from registration to an acknowledged text', async () => {
  const world = await World.start()
  const phone = phoneOf(world, 'alice')
  const registered = phone.register()
  await world.time.settle()
  const confirmed = phone.confirm((await registered).pin!)
  await world.time.settle()
  expect(await confirmed).toEqual({ key: 'key-alice', device: 3 })
  const connected = phone.connect()
  await world.time.settle()
  await connected
  const sent = phone.send('bob', 'hello')
  await world.time.settle()
  expect(await sent).toEqual({ seq: 1, level: 'replicated' })
})

test('five hundred texts beyond rate and window arrive in order, each acknowledged once', async () => {
  const world = await World.start({ sendsPerSecond: 100, sendsBurst: 50 })
  const phone = await online(world, 'alice')
  const sent = Array.from({ length: 500 }, (_, n) => phone.send('bob', `${n}`))
  await world.time.advance(60_000)
  expect((await Promise.all(sent)).map(({ seq }) => seq)).toEqual(sent.map((_, n) => n + 1))
  const first = [...new Set(world.sends.map(({ body }) => body))]
  expect(first).toEqual(sent.map((_, n) => `${n}`))
  expect(world.stats.refusals.rate).toBeGreaterThan(0)
})

test('an island that stalls costs no text and no order', async () => {
  const world = await World.start({ sendsPerSecond: 1_000, sendsBurst: 1_000 })
  const phone = await online(world, 'alice')
  world.onSend = () => 'timeout'
  const sent = Array.from({ length: 100 }, (_, n) => phone.send(n % 2 === 0 ? 'bob' : 'carol', `${n}`))
  await world.time.advance(3_000)
  world.onSend = () => ({ level: 'durable' })
  const kept = world.sends.length
  await world.time.advance(10_000)
  await Promise.all(sent)
  for (const to of ['bob', 'carol']) {
    const numbers = world.sends
      .slice(kept)
      .filter(send => send.to === to)
      .map(({ number }) => number)
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other))
    expect(new Set(numbers).size).toBe(50)
  }
})

test('of two phones of one user the newer stays, and the older keeps quiet', async () => {
  const world = await World.start()
  const older = await online(world, 'alice')
  const { session } = world.attaches[0]!.request
  const newer = await online(world, 'alice')
  world.toSession({ op: 'replaced' }, session)
  await world.time.advance(30_000)
  expect([older.state, newer.state]).toEqual(['replaced', 'online'])
  expect(world.stats).toMatchObject({ connections: 1, logins: 2 })
})

test('a drain moves a phone to another node: what it had sent is answered, what it says next goes there', async () => {
  const first = await World.start()
  const second = await World.start({}, first)
  first.alternatives = ['chat2:1']
  const phone = await online(first, 'alice')
  const before = phone.send('bob', 'before')
  await first.time.settle()
  const drained = first.connections.drain({ deadlineMs: 5_000 })
  await first.time.settle()
  const after = phone.send('bob', 'after')
  await first.time.advance(100)
  await drained
  expect((await Promise.all([before, after])).map(({ seq }) => seq)).toEqual([1, 2])
  expect([first.sends, second.sends].map(sends => sends.map(({ body }) => body))).toEqual([
    ['before'],
    ['after'],
  ])
  expect([first.stats.connections, second.stats.connections]).toEqual([0, 1])
  expect(phone.counts.reconnects).toBe(1)
})
