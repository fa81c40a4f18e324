/**
 * Store and forward on an island whose two halves are both there: order, window, repetition, receipts, sessions.
 */
import { describe, expect, test } from 'vitest'
import { testMailboxOptions } from '../../../node/services/mailbox/options.ts'
import { type Island, Phone, startIsland } from './harness.ts'

const empty = { messages: 0, messageBytes: 0, tombstones: 0, unacknowledgedOps: 0 }

async function phones(island: Island): Promise<{ alice: Phone; bob: Phone }> {
  const alice = new Phone(island, 'alice')
  await alice.attach()
  return { alice, bob: new Phone(island, 'bob') }
}

describe('store and forward', () => {
  test('a message waits for the phone, is handed over and erased, and its sender gets a receipt', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    expect(await alice.send('bob', 'hello')).toEqual({ level: 'replicated' })
    expect([island.stats('a').messages, island.stats('b').messages]).toEqual([1, 1])

    await bob.attach()
    await island.world.until(() => alice.receipts.length > 0, 'a receipt')
    expect(bob.shown).toEqual([{ from: 'alice', number: 1, body: 'hello', sentAtMs: 1, late: false }])
    expect(alice.receipts).toEqual([{ by: 'bob', number: 1 }])
    await island.world.pass(50)
    for (const half of ['a', 'b'] as const) expect(island.stats(half)).toMatchObject(empty)
  })

  test('what is fetched soon never touches the disk of either half', async () => {
    const island = await startIsland({ storeOptions: { syncDelayMs: 50 } })
    const { alice, bob } = await phones(island)
    await bob.attach()
    for (let i = 0; i < 5; i++) expect(await alice.send('bob')).toEqual({ level: 'replicated' })
    await island.world.pass(100)
    expect(bob.numbers).toEqual([1, 2, 3, 4, 5])
    for (const half of ['a', 'b'] as const) {
      expect(island.store(half).stats).toMatchObject({ recordsWritten: 0, recordsNeverWritten: 5 })
    }
  })

  test('what is not fetched is on the disk of both halves soon', async () => {
    const island = await startIsland()
    const { alice } = await phones(island)
    await alice.send('bob')
    await island.world.pass(100)
    for (const half of ['a', 'b'] as const) expect(island.store(half).stats.recordsWritten).toBe(1)
  })

  test('an island on which nothing happens does nothing', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    await alice.send('bob')
    await bob.attach()
    await island.world.pass(500)
    expect(island.world.isIdle).toBe(true)
    island.kill('b')
    await alice.send('carol')
    await island.world.pass(500)
    expect(island.world.isIdle).toBe(true)
  })

  test('a phone gets its backlog in order, and never more than the window before it acknowledges', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    for (let i = 0; i < 10; i++) await alice.send('bob')
    bob.acknowledges = false
    await bob.attach()
    await island.world.pass(50)
    expect(bob.numbers).toEqual([1, 2, 3, 4])
    bob.acknowledge(bob.shown.slice(0, 2))
    await island.world.pass(50)
    expect(bob.numbers).toEqual([1, 2, 3, 4, 5, 6])
    bob.acknowledges = true
    bob.acknowledge(bob.shown)
    await island.world.until(() => bob.shown.length === 10, 'all ten')
    expect(bob.numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(bob.handed).toHaveLength(10)
  })

  test('a connection that attaches again gets everything unacknowledged again, in order', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    for (let i = 0; i < 3; i++) await alice.send('bob')
    bob.acknowledges = false
    await bob.attach()
    await island.world.pass(20)
    bob.acknowledge(bob.shown.slice(1, 2))
    await island.world.pass(20)
    await bob.attach()
    await island.world.pass(20)
    expect(bob.handed.map(message => [message.number, message.late])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [1, true], // The phone has said that it has the second.
      [3, false],
    ])
  })

  test('what a phone does not acknowledge is handed over again, less and less often', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    bob.acknowledges = false
    await bob.attach()
    await alice.send('bob')
    const { redeliverMs } = testMailboxOptions
    await island.world.pass(redeliverMs - 50)
    expect(bob.handed).toHaveLength(1)
    await island.world.pass(100)
    expect(bob.handed).toHaveLength(2)
    await island.world.pass(redeliverMs)
    expect(bob.handed).toHaveLength(2)
    await island.world.pass(redeliverMs)
    expect(bob.handed).toHaveLength(3)
    expect(bob.shown).toHaveLength(1)
  })

  test('a connection that cannot be reached for a while gets its messages when it can', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    await bob.attach()
    const a = island.pid('a')
    island.world.cut('a', 'c')
    // Sent through the other half, delivered by the one that has the session.
    expect(await alice.send('bob')).toEqual({ level: 'replicated' })
    await island.world.pass(50)
    expect(bob.shown).toEqual([])
    island.world.heal('a', 'c')
    await island.world.pass(100)
    expect(bob.numbers).toEqual([1])
    expect(island.pid('a').equals(a)).toBe(true)
  })
})

describe('a repeated send', () => {
  test('is acknowledged and not stored again while the message waits', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    await alice.send('bob', 'once', 1)
    expect(await alice.send('bob', 'once', 1)).toEqual({ level: 'replicated' })
    expect(await alice.send('bob', 'once', 1, 'b')).toEqual({ level: 'replicated' })
    expect(island.stats('a').messages).toBe(1)
    await bob.attach()
    await island.world.pass(50)
    expect(bob.handed).toHaveLength(1)
  })

  test('is acknowledged and not delivered again after the phone has had it, at either half', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    await bob.attach()
    await alice.send('bob', 'once', 1)
    await island.world.pass(50)
    for (const half of ['a', 'b'] as const) {
      expect(await alice.send('bob', 'once', 1, half)).toEqual({ level: 'replicated' })
    }
    await island.world.pass(50)
    expect(bob.handed).toHaveLength(1)
    expect(island.stats('a').duplicates + island.stats('b').duplicates).toBe(2)
  })

  test('of a number that the phone has had, with another body, is a new message that comes late', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    await bob.attach()
    await alice.send('bob', 'of a phone that was lost', 1)
    await island.world.pass(50)
    expect(await alice.send('bob', 'of the phone after it', 1, 'b')).toEqual({ level: 'replicated' })
    await island.world.pass(50)
    expect(bob.handed.map(message => [message.body, message.late])).toEqual([
      ['of a phone that was lost', false],
      ['of the phone after it', true],
    ])
    for (const half of ['a', 'b'] as const) expect(island.stats(half)).toMatchObject(empty)
  })

  test('of a number that waits, with another body, is refused until the phone has had the first', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    await alice.send('bob', 'first', 1)
    expect(await alice.send('bob', 'second', 1)).toEqual({ error: 'unavailable' })
    await bob.attach()
    await island.world.pass(50)
    expect(await alice.send('bob', 'second', 1)).toEqual({ level: 'replicated' })
    await island.world.pass(50)
    expect(bob.handed.map(message => message.body)).toEqual(['first', 'second'])
  })

  test('that overtakes the news of its delivery at the other half comes to nothing', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    bob.acknowledges = false
    await bob.attach(1, 'b')
    await island.world.pass(50)
    island.world.delayMs = (source, target) => (source === 'c' || target === 'c' ? 1 : 100)
    void alice.ask('bob', 'once', 1, 'b')
    await island.world.pass(10)
    bob.acknowledge(bob.shown, 'b')
    await island.world.pass(10)
    expect(await alice.send('bob', 'once', 1, 'a')).toEqual({ level: 'replicated' })
    await island.world.pass(500)
    for (const half of ['a', 'b'] as const) expect(island.stats(half)).toMatchObject(empty)
    expect(bob.handed).toHaveLength(1)
  })

  test('of a number that was never kept is no repetition, though later ones have been delivered', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    await bob.attach()
    await alice.send('bob', 'second', 2)
    await island.world.pass(50)
    expect(await alice.send('bob', 'first', 1)).toEqual({ level: 'replicated' })
    await island.world.pass(50)
    expect(bob.shown.map(message => [message.body, message.late])).toEqual([
      ['second', false],
      ['first', true],
    ])
  })
})

describe('bounds', () => {
  test('a full mailbox refuses, its neighbours do not, and it takes more when there is room', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    for (let i = 0; i < testMailboxOptions.mailboxMessagesMax; i++) await alice.send('bob')
    expect(await alice.send('bob', 'too much', 99)).toEqual({ error: 'mailbox-full' })
    expect(await alice.send('carol')).toEqual({ level: 'replicated' })
    await bob.attach()
    await island.world.until(() => island.stats('a').messages === 1, 'only what is for carol')
    expect(await alice.send('bob', 'now', 99)).toEqual({ level: 'replicated' })
  })

  test('a node whose budget of bytes is used up refuses with overload, until phones fetch', async () => {
    const island = await startIsland({ options: { heldBytesMax: 3_000 } })
    const { alice, bob } = await phones(island)
    const body = 'x'.repeat(1_000)
    expect(await alice.send('bob', body)).toEqual({ level: 'replicated' })
    expect(await alice.send('bob', body)).toEqual({ level: 'replicated' })
    expect(await alice.send('bob', body, 9)).toEqual({ error: 'overload' })
    await bob.attach()
    await island.world.until(() => island.stats('a').messages === 0, 'fetched')
    expect(await alice.send('bob', body, 9)).toEqual({ level: 'replicated' })
  })

  test.each([
    ['a body that is too long', 'bob', 'é'.repeat(513), 1],
    ['a user that is no user', 'b/ob', 'text', 1],
    ['a number that is no number', 'bob', 'text', 1.5],
  ])('%s fails the call and leaves nothing behind', async (_, to, body, number) => {
    const island = await startIsland()
    const { alice } = await phones(island)
    await expect(alice.send(to, body, number)).rejects.toThrow(/^send: /)
    expect(island.stats('a').messages).toBe(0)
  })
})

describe('sessions', () => {
  test('a newer login takes over with all that waits, and the older one is told and cannot come back', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    bob.acknowledges = false
    await bob.attach(1)
    await alice.send('bob')
    await island.world.pass(20)
    const newer = new Phone(island, 'bob')
    expect(await newer.attach(2)).toEqual({ attached: true })
    await island.world.pass(20)
    expect(bob.replaced).toBe(true)
    expect(newer.numbers).toEqual([1])
    expect(await bob.attach(1)).toEqual({ error: 'replaced' })
    expect(newer.replaced).toBe(false)
  })

  test('a newer login at the other half takes over, and messages go to it wherever they come in', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    await bob.attach(1, 'a')
    const newer = new Phone(island, 'bob')
    await newer.attach(2, 'b')
    await island.world.pass(20)
    expect(bob.replaced).toBe(true)
    expect(await bob.attach(1, 'a')).toEqual({ error: 'replaced' })
    await alice.send('bob', 'in at a', 1, 'a')
    await alice.send('bob', 'in at b', 2, 'b')
    await island.world.pass(50)
    expect(newer.shown.map(message => message.body)).toEqual(['in at a', 'in at b'])
    expect(bob.shown).toEqual([])
    expect([island.stats('a').sessions, island.stats('b').sessions]).toEqual([1, 1])
  })

  test('an older login at the other half, unseen at first, ends when the halves meet', async () => {
    const island = await startIsland()
    const { bob } = await phones(island)
    island.world.cut('a', 'b')
    await bob.attach(1, 'b')
    const newer = new Phone(island, 'bob')
    await newer.attach(2, 'a')
    await island.world.pass(20)
    expect(bob.replaced).toBe(false)
    island.world.heal('a', 'b')
    await island.world.until(() => bob.replaced, 'the older one is told')
    expect(newer.replaced).toBe(false)
    expect(island.stats('b').sessions).toBe(0)
  })

  test('one connection attached at both halves is served by one of them', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    island.world.cut('a', 'b')
    await bob.attach(1, 'a')
    // The answer got lost, say: the same attachment is asked for at the other half.
    const again = {
      op: 'attach',
      user: 'bob',
      session: `${bob.session}`,
      sessionNumber: 1,
      attachment: 1,
    } as const
    await island.wait(island.call(again, island.pid('b')))
    island.world.heal('a', 'b')
    await island.world.until(
      () => island.stats('a').sessions + island.stats('b').sessions === 2,
      'alice and bob',
    )
    await alice.send('bob')
    await island.world.until(() => bob.handed.length > 0, 'the message')
    await island.world.pass(50)
    expect(bob.handed).toHaveLength(1)
    expect(bob.replaced).toBe(false)
  })

  test('a user who has left is handed nothing, and a detach that comes to the other half counts', async () => {
    const island = await startIsland()
    const { alice, bob } = await phones(island)
    await bob.attach(1, 'b')
    await island.world.pass(20)
    bob.detach() // Routing brings it to the other half.
    await island.world.pass(20)
    expect(island.stats('b').sessions).toBe(0)
    await alice.send('bob')
    await island.world.pass(50)
    expect(bob.handed).toEqual([])
  })
})

describe('the news that a session is over', () => {
  test('does not end a later attachment of it, however late it comes to the other half', async () => {
    const island = await startIsland()
    const { bob } = await phones(island)
    const { session } = bob
    await bob.attach(1, 'b')
    await island.world.pass(20)
    island.world.delayMs = (source, target) => (source === 'c' || target === 'c' ? 1 : 100)
    island.chat.cast(island.pid('b'), { op: 'detach', user: 'bob', session: session.toString() })
    await bob.attach(1, 'a')
    await island.world.pass(500)
    expect([island.stats('a').sessions, island.stats('b').sessions]).toEqual([2, 0])
  })
})

describe('receipts', () => {
  test('wait for a sender who is away: the newest of each recipient, of so many recipients', async () => {
    const island = await startIsland()
    const alice = new Phone(island, 'alice')
    const { receiptsPerUserMax } = testMailboxOptions
    for (let i = 0; i <= receiptsPerUserMax; i++) {
      const friend = new Phone(island, `friend${i}`)
      await friend.attach()
      await alice.send(friend.user)
      await alice.send(friend.user)
    }
    await island.world.pass(50)
    await alice.attach()
    await island.world.pass(50)
    expect(alice.receipts).toEqual([
      { by: 'friend1', number: 4 },
      { by: 'friend2', number: 6 },
      { by: 'friend3', number: 8 },
    ])
  })

  test('reach a sender whose session is at the other half', async () => {
    const island = await startIsland()
    const { bob } = await phones(island)
    const carol = new Phone(island, 'carol')
    await carol.attach(1, 'b')
    await carol.send('bob')
    await bob.attach(1, 'a')
    await island.world.until(() => carol.receipts.length > 0, 'the receipt')
    expect(carol.receipts).toEqual([{ by: 'bob', number: 1 }])
  })
})
