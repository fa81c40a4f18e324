/**
 * Incidents: a half alone, a netsplit, a disk that fails, restarts, a hand-over. What is promised holds through each.
 */
import { describe, expect, test } from 'vitest'
import { testMailboxOptions } from '../../../node/services/mailbox/options.ts'
import { MemoryDisk } from '../../../node/storage/memory-store.ts'
import { type Half, type Island, Phone, startIsland } from './harness.ts'

const halves = ['a', 'b'] as const

function held(island: Island): number[] {
  return halves.map(half => island.stats(half).messages)
}

/** Lets time pass until both halves serve and hold the same number of messages, with nothing under way. */
async function alike(island: Island, messages: number): Promise<void> {
  const isAlike = (half: Half) => {
    const stats = island.stats(half)
    return stats.messages === messages && stats.tombstones === 0 && stats.unacknowledgedOps === 0
  }
  await island.world.until(
    () => island.serving === 'ab' && halves.every(isAlike),
    `both halves hold ${messages}`,
  )
}

describe('without a partner', () => {
  test('a half that waits in vain for its partner serves alone, and acknowledges what is on its disk', async () => {
    const island = await startIsland({ halves: ['a'] })
    expect(island.service('a').caughtUp).toBe(true)
    const alice = new Phone(island, 'alice')
    const release = island.disks.a.hold()
    let answered = false
    const reply = alice.ask('bob', 'text', 1).finally(() => {
      answered = true
    })
    await island.world.pass(100)
    expect(answered).toBe(false)
    release()
    expect(await island.wait(reply)).toEqual({ level: 'durable' })
    expect(island.stats('a')).toMatchObject({ acknowledgedDurable: 1, acknowledgedSingleCopy: 1 })
  })

  test('a partner that dies before it answers leaves the sender to the disk', async () => {
    const island = await startIsland()
    const alice = new Phone(island, 'alice')
    island.world.loss = (source, target) => (source === 'b' && target === 'a' ? 1 : 0)
    const reply = alice.ask('bob', 'text', 1)
    await island.world.pass(20)
    island.kill('b')
    expect(await island.wait(reply)).toEqual({ level: 'durable' })
    expect(island.stats('a').acknowledgedSingleCopy).toBe(1)
  })

  test('a half without a disk refuses what it alone would hold, and takes it when the partner is back', async () => {
    const island = await startIsland({ durable: false })
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    expect(await alice.send('bob', 'both', 1)).toEqual({ level: 'replicated' })
    island.world.cut('a', 'b')
    expect(await alice.send('bob', 'alone', 2)).toEqual({ error: 'unavailable' })
    expect(await alice.send('bob', 'both', 1)).toEqual({ error: 'unavailable' })
    island.world.heal('a', 'b')
    await island.world.pass(50)
    expect(await alice.send('bob', 'alone', 2)).toEqual({ level: 'replicated' })
    expect(island.stats('a')).toMatchObject({ acknowledgedDurable: 0, acknowledgedSingleCopy: 0 })
    await bob.attach()
    await alike(island, 0)
    expect(bob.numbers).toEqual([1, 2])
  })

  test('a half without a disk never says durable, whatever the service asks for', async () => {
    const island = await startIsland({ durable: false, options: { acknowledge: 'durable' } })
    expect(await new Phone(island, 'alice').send('bob')).toEqual({ level: 'replicated' })
  })

  test('a partner that has gone silent is left behind after a while, and found again', async () => {
    const island = await startIsland()
    const alice = new Phone(island, 'alice')
    island.world.loss = (source, target) => (source === 'a' && target === 'b' ? 1 : 0)
    const reply = alice.ask('bob', 'text', 1)
    await island.world.pass(testMailboxOptions.partnerSilentMs + 50)
    expect(await island.wait(reply)).toEqual({ level: 'durable' })
    island.world.loss = () => 0
    await alike(island, 1)
    expect(await alice.send('bob', 'text', 2)).toEqual({ level: 'replicated' })
  })

  test('a full disk refuses, the sender repeats when there is room, and the phone sees one message', async () => {
    const island = await startIsland({ halves: ['a'] })
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    island.disks.a.failure = 'disk-full'
    expect(await alice.send('bob', 'text', 1)).toEqual({ error: 'unavailable' })
    expect(await alice.send('bob', 'text', 1)).toEqual({ error: 'unavailable' })
    expect(island.stats('a')).toMatchObject({ messages: 0, messageBytes: 0, refused: 2 })
    island.disks.a.failure = undefined
    await island.world.pass(100)
    expect(await alice.send('bob', 'text', 1)).toEqual({ level: 'durable' })
    await bob.attach()
    await island.world.pass(50)
    expect(bob.handed).toHaveLength(1)
  })

  test('a message that was refused, and yet delivered, is a repetition when it comes again', async () => {
    const island = await startIsland({ halves: ['a'] })
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    bob.acknowledges = false
    await alice.attach()
    await bob.attach()
    island.disks.a.failure = 'io-error'
    expect(await alice.send('bob', 'text', 1)).toEqual({ error: 'unavailable' })
    expect(bob.handed).toHaveLength(1)
    bob.acknowledge(bob.shown)
    await island.world.pass(20)
    expect(alice.receipts).toEqual([{ by: 'bob', number: 1 }])
    expect(await alice.send('bob', 'text', 1)).toEqual({ level: 'replicated' })
    expect(bob.handed).toHaveLength(1)
  })

  test('a message that was refused, and that the partner may have, stays on both halves', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    island.world.loss = (source, target) => (source === 'b' && target === 'a' ? 1 : 0)
    island.disks.a.failure = 'disk-full'
    const reply = alice.ask('bob', 'text', 1, 'a')
    await island.world.pass(testMailboxOptions.partnerSilentMs + 50)
    expect(await island.wait(reply)).toEqual({ error: 'unavailable' })
    island.world.loss = () => 0
    await island.world.pass(500)
    expect(held(island)).toEqual([1, 1])
    expect(await alice.send('bob', 'text', 1)).toEqual({ level: 'replicated' })
    await bob.attach()
    await alike(island, 0)
    expect(bob.handed).toHaveLength(1)
  })

  test('the word of a partner that is gone counts no more: a repetition waits for the disk', async () => {
    const island = await startIsland()
    const alice = new Phone(island, 'alice')
    expect(await alice.send('bob', 'text', 1)).toEqual({ level: 'replicated' })
    island.kill('b')
    expect(await alice.send('bob', 'text', 1)).toEqual({ level: 'durable' })
    expect(island.stats('a').acknowledgedSingleCopy).toBe(1)
  })

  test('a half that hears but is not heard does not take what it hears for an answer', async () => {
    const island = await startIsland({ options: { resyncMsMin: 60_000, resyncMsMax: 60_000 } })
    const alice = new Phone(island, 'alice')
    island.world.loss = (source, target) => (source === 'a' && target === 'b' ? 1 : 0)
    const release = island.disks.a.hold()
    let answered = false
    const reply = alice.ask('bob', 'text', 1, 'a', 5_000).finally(() => {
      answered = true
    })
    await island.world.pass(testMailboxOptions.partnerSilentMs + 50)
    void alice.ask('bob', 'text', 1, 'b')
    await island.world.pass(50)
    expect(answered).toBe(false)
    release()
    expect(await island.wait(reply)).toEqual({ level: 'durable' })
  })

  test('what both had in memory goes to the disk at once when one of them is gone', async () => {
    const island = await startIsland({ storeOptions: { syncDelayMs: 60_000 } })
    await new Phone(island, 'alice').send('bob')
    await island.world.pass(100)
    expect(island.store('a').stats.recordsWritten).toBe(0)
    island.kill('b')
    await island.world.pass(10)
    expect(island.store('a').stats.recordsWritten).toBe(1)
  })

  test('a disk that fails does not matter while the partner is there', async () => {
    const island = await startIsland()
    const alice = new Phone(island, 'alice')
    island.disks.a.failure = 'disk-full'
    for (let i = 0; i < 3; i++) expect(await alice.send('bob')).toEqual({ level: 'replicated' })
    await island.world.pass(50)
    expect(await alice.send('bob')).toEqual({ level: 'replicated' })
    expect(held(island)).toEqual([4, 4])
  })
})

describe('a service that promises durable', () => {
  test('answers when the partner has it and the own disk, too, and counts no single copy', async () => {
    const island = await startIsland({ options: { acknowledge: 'durable' } })
    const alice = new Phone(island, 'alice')
    const release = island.disks.a.hold()
    const reply = alice.ask('bob', 'text', 1)
    await island.world.pass(100)
    expect(held(island)).toEqual([1, 1])
    expect(island.stats('a').acknowledgedDurable).toBe(0)
    release()
    expect(await island.wait(reply)).toEqual({ level: 'durable' })
    expect(island.stats('a')).toMatchObject({ acknowledgedDurable: 1, acknowledgedSingleCopy: 0 })
  })

  test('says replicated when the disk fails and the partner has it', async () => {
    const island = await startIsland({ options: { acknowledge: 'durable' } })
    island.disks.a.failure = 'io-error'
    expect(await new Phone(island, 'alice').send('bob')).toEqual({ level: 'replicated' })
  })
})

describe('after a restart', () => {
  test('the messages are there, in the order in which they came', async () => {
    const island = await startIsland({ halves: ['a'] })
    const senders = ['zoe', 'alice', 'mia'].map(user => new Phone(island, user))
    for (let i = 0; i < 2; i++) for (const sender of senders) await sender.send('bob')
    island.kill('a')
    island.start('a')
    await island.world.until(() => island.serving === 'a', 'serves')
    const bob = new Phone(island, 'bob')
    await bob.attach()
    await island.world.until(() => bob.shown.length === 6, 'all six')
    expect(bob.shown.map(message => message.from)).toEqual(['zoe', 'alice', 'mia', 'zoe', 'alice', 'mia'])
  })

  test('a half whose disk was replaced gets everything from its partner before it serves', async () => {
    const island = await startIsland()
    const alice = new Phone(island, 'alice')
    for (let i = 0; i < 23; i++) await alice.send('bob')
    island.kill('b')
    island.disks.b = new MemoryDisk()
    island.start('b')
    await island.world.until(() => island.serving === 'ab', 'b serves')
    expect(held(island)).toEqual([23, 23])
    expect(island.service('b').caughtUp).toBe(true)
    const bob = new Phone(island, 'bob')
    await bob.attach(1, 'b')
    await island.world.until(() => bob.shown.length === 23, 'all of them')
    expect(bob.numbers).toEqual(Array.from({ length: 23 }, (_, i) => i + 1))
  })

  test('a half serves no sooner than its partner has what it has', async () => {
    const island = await startIsland()
    const alice = new Phone(island, 'alice')
    for (let i = 0; i < 23; i++) await alice.send('bob')
    await island.world.pass(50)
    for (const half of halves) island.kill(half)
    island.disks.a = new MemoryDisk()
    island.world.delayMs = () => 10
    for (const half of halves) island.start(half)
    await island.world.until(() => island.serving !== '', 'one of them serves')
    expect(held(island)).toEqual([23, 23])
  })

  test('a process that crashed has everything again, and the budget of its node is not spent twice', async () => {
    const island = await startIsland({ halves: ['a'], options: { heldBytesMax: 3_000 } })
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    const body = 'x'.repeat(1_000)
    expect(await alice.send('bob', body)).toEqual({ level: 'durable' })
    island.crash('a')
    await island.world.pass(20)
    await island.world.until(() => island.serving === 'a', 'serves again')
    expect(await alice.send('bob', body)).toEqual({ level: 'durable' })
    await bob.attach()
    await island.world.until(() => bob.shown.length === 2, 'both')
    expect(bob.numbers).toEqual([1, 2])
  })

  test('a half whose clock went back has its messages replicated, is caught up, and can be drained', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    await alice.send('bob')
    island.kill('b')
    island.start('b', 3)
    await island.world.until(() => island.serving === 'ab', 'b serves')
    expect(await alice.send('bob', 'text', 2, 'b')).toEqual({ level: 'replicated' })
    await alike(island, 2)
    expect(island.stats('b').resyncs).toBe(0)
    await bob.attach(1, 'b')
    await alike(island, 0)
    await island.wait(island.service('b').drain())
  })

  test('a record that rotted is had from the partner', async () => {
    const island = await startIsland()
    await new Phone(island, 'alice').send('bob')
    await island.world.pass(50)
    island.kill('b')
    island.disks.b.damage('mailbox/0/m/bob/alice/0000000000000001')
    island.start('b')
    await alike(island, 1)
  })

  test('an erasure that the partner has not heard of is remembered, and the message does not come back', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    await alice.send('bob')
    await island.world.pass(50)
    island.kill('b')
    await bob.attach()
    await island.world.pass(50)
    expect(island.stats('a')).toMatchObject({ messages: 0, tombstones: 1 })
    island.kill('a')
    island.start('b')
    await island.world.until(() => island.serving === 'b', 'b serves alone, with the message')
    expect(island.stats('b').messages).toBe(1)
    island.start('a')
    await alike(island, 0)
    await island.world.pass(50)
    for (const half of halves) expect(await island.wait(island.store(half).load('mailbox/'))).toEqual([])
  })

  test('so is one that the partner was told of and did not confirm', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    await alice.send('bob')
    await island.world.pass(50)
    island.world.loss = (source, target) => (source === 'a' && target === 'b' ? 1 : 0)
    await bob.attach()
    await island.world.pass(20)
    island.kill('b')
    await island.world.pass(50)
    island.kill('a')
    island.world.loss = () => 0
    for (const half of halves) island.start(half)
    await alike(island, 0)
    expect(bob.handed).toHaveLength(1)
  })

  test('so is one of a message that a half has from its own disk only', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    await alice.send('bob')
    await island.world.pass(50)
    for (const half of halves) island.kill(half)
    island.start('a')
    await island.world.until(() => island.serving === 'a', 'a serves alone')
    await bob.attach()
    await island.world.pass(50)
    island.kill('a')
    for (const half of halves) island.start(half)
    await alike(island, 0)
    expect(bob.handed).toHaveLength(1)
  })

  test('messages that come while a half catches up are not lost, and its backlog keeps its order', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    island.kill('b')
    for (let i = 0; i < 30; i++) await alice.send('bob')
    island.start('b')
    const replies: Promise<unknown>[] = []
    for (let i = 0; i < 10; i++) {
      replies.push(alice.ask('bob', 'meanwhile', alice.nextNumber(), 'a'))
      await island.world.pass(2)
    }
    for (const reply of replies) expect(await island.wait(reply)).toHaveProperty('level')
    await alike(island, 40)
    await bob.attach(1, 'b')
    await island.world.until(() => bob.shown.length === 40, 'all of them')
    expect(bob.numbers).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    expect(bob.shown.some(message => message.late)).toBe(false)
  })
})

describe('a netsplit', () => {
  test('leaves both halves serving, and ends in the union of what was kept, minus what phones have had', async () => {
    const island = await startIsland()
    const [alice, bob, carol] = [
      new Phone(island, 'alice'),
      new Phone(island, 'bob'),
      new Phone(island, 'carol'),
    ]
    await alice.send('bob', 'before', 1)
    await alice.send('carol', 'before', 2)
    await island.world.pass(20)
    island.world.cut('a', 'b')
    expect(await alice.send('bob', 'kept at a', 3, 'a')).toEqual({ level: 'durable' })
    expect(await alice.send('bob', 'kept at b', 4, 'b')).toEqual({ level: 'durable' })
    await carol.attach(1, 'b')
    await island.world.pass(50)
    carol.acknowledge(carol.shown, 'b')
    await island.world.pass(50)
    island.world.heal('a', 'b')
    await alike(island, 3)
    await bob.attach(1, 'a')
    await carol.attach(2, 'a')
    await island.world.until(() => bob.shown.length === 3, 'the union')
    expect(bob.shown.map(message => message.body)).toEqual(['before', 'kept at a', 'kept at b'])
    await island.world.pass(50)
    expect(carol.handed).toHaveLength(1)
  })

  test('can make a message late: it comes, marked, after a later one of the same sender', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    island.world.cut('a', 'b')
    await bob.attach(1, 'a')
    await alice.send('bob', 'first', 1, 'b')
    await alice.send('bob', 'second', 2, 'a')
    await island.world.pass(50)
    island.world.heal('a', 'b')
    await island.world.until(() => bob.shown.length === 2, 'both')
    expect(bob.shown.map(message => [message.body, message.late])).toEqual([
      ['second', false],
      ['first', true],
    ])
  })

  test('makes a message late also when the line dies before the phone has acknowledged the later one', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    island.world.cut('a', 'b')
    bob.acknowledges = false
    await bob.attach(1, 'a')
    await alice.send('bob', 'first', 1, 'b')
    await alice.send('bob', 'second', 2, 'a')
    await island.world.until(() => bob.shown.length === 1, 'the second')
    bob.detach()
    await island.world.pass(20)
    island.world.heal('a', 'b')
    await alike(island, 2)
    await bob.attach(2, 'a')
    await island.world.until(() => bob.shown.length === 2, 'the first')
    expect(bob.shown.map(message => [message.body, message.late])).toEqual([
      ['second', false],
      ['first', true],
    ])
  })

  test('makes a message late at the half that kept it, too', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    island.world.cut('a', 'b')
    await bob.attach(1, 'a')
    await alice.send('bob', 'first', 1, 'b')
    await alice.send('bob', 'second', 2, 'a')
    await island.world.pass(50)
    bob.detach()
    await island.world.pass(20)
    island.world.heal('a', 'b')
    await alike(island, 1)
    await bob.attach(2, 'b')
    await island.world.until(() => bob.shown.length === 2, 'both')
    expect(bob.shown[1]).toMatchObject({ body: 'first', late: true })
  })

  test('does not leave a half believing in a session that the other one has lost', async () => {
    const island = await startIsland()
    const bob = new Phone(island, 'bob')
    await bob.attach(2, 'b')
    await island.world.pass(20)
    island.world.loss = (source, target) => (source === 'b' && target === 'a' ? 1 : 0)
    const session = bob.session.toString()
    island.chat.cast(island.pid('b'), { op: 'detach', user: 'bob', session })
    await island.world.pass(testMailboxOptions.partnerSilentMs + 50)
    island.world.loss = () => 0
    await alike(island, 0)
    await island.world.pass(200)
    expect(await new Phone(island, 'bob').attach(1, 'a')).toEqual({ attached: true })
  })

  test('keeps a text whose number the other half remembers with another body', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    await alice.send('bob', 'of a phone that was lost', 1)
    await bob.attach()
    await alike(island, 0)
    bob.detach()
    island.world.cut('a', 'b')
    expect(await alice.send('bob', 'of the phone after it', 1, 'a')).toEqual({ level: 'durable' })
    island.world.heal('a', 'b')
    await alike(island, 1)
    await bob.attach()
    await alike(island, 0)
    expect(bob.handed.at(-1)!.body).toBe('of the phone after it')
  })

  test('in which a sender repeats at the other half shows the phone one message', async () => {
    const island = await startIsland()
    const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
    island.world.cut('a', 'b')
    await alice.send('bob', 'once', 1, 'a')
    await alice.send('bob', 'once', 1, 'b')
    await bob.attach(1, 'a')
    await island.world.pass(50)
    bob.acknowledge(bob.shown, 'a')
    await alice.send('bob', 'next', 2, 'a')
    await island.world.pass(50)
    island.world.heal('a', 'b')
    await alike(island, 0)
    expect(bob.handed.map(message => message.body)).toEqual(['once', 'next'])
  })
})

describe('a stream', () => {
  test('that loses a frame is replaced by another, and nothing waits for it', async () => {
    const island = await startIsland()
    const alice = new Phone(island, 'alice')
    let lost = 0
    island.world.loss = (source, target) => (source === 'a' && target === 'b' && lost++ === 0 ? 1 : 0)
    const first = alice.ask('bob', 'lost on its way to the partner', 1)
    await island.world.pass(20)
    expect(await alice.send('bob', 'shows the gap', 2)).toHaveProperty('level')
    expect(await island.wait(first)).toHaveProperty('level')
    await alike(island, 2)
    expect(island.stats('a').resyncs).toBe(1)
  })

  test('that the partner cannot keep up with is given up: senders get the disk, and memory stays bounded', async () => {
    const island = await startIsland({ options: { unacknowledgedBytesMax: 8_000, partnerSilentMs: 60_000 } })
    const alice = new Phone(island, 'alice')
    island.world.loss = (source, target) => (source === 'b' && target === 'a' ? 1 : 0)
    const replies = Array.from({ length: 10 }, (_, i) => alice.ask('bob', 'x'.repeat(1_000), i + 1, 'a'))
    for (const reply of replies) expect(await island.wait(reply)).toEqual({ level: 'durable' })
  })
})

describe('a drain', () => {
  test('leaves the service to the partner and ends when the partner has everything', async () => {
    const island = await startIsland()
    const alice = new Phone(island, 'alice')
    island.world.loss = (source, target) => (source === 'a' && target === 'b' ? 1 : 0)
    const reply = alice.ask('bob', 'text', 1, 'a')
    await island.world.pass(20)
    let drained = false
    const drain = island
      .service('a')
      .drain()
      .then(() => {
        drained = true
      })
    await island.world.pass(100)
    expect(island.serving).toBe('b')
    expect(drained).toBe(false)
    island.world.loss = () => 0
    await island.wait(drain)
    expect(held(island)).toEqual([1, 1])
    await island.wait(reply)
    // What still comes to the one that has left is kept, too.
    expect(await alice.send('bob', 'text', 2, 'a')).toEqual({ level: 'replicated' })
  })

  test('that begins before a half serves keeps it from ever serving', async () => {
    const island = await startIsland({ halves: ['a'] })
    island.start('b')
    await island.wait(island.service('b').drain())
    await island.world.pass(500)
    expect(island.serving).toBe('a')
  })

  test('of a half with a full disk ends when the partner has everything', async () => {
    const island = await startIsland()
    island.disks.a.failure = 'disk-full'
    expect(await new Phone(island, 'alice').send('bob')).toEqual({ level: 'replicated' })
    await island.world.pass(50)
    expect(island.store('a').stats.failed).toBeDefined()
    await island.wait(island.service('a').drain())
    expect(held(island)).toEqual([1, 1])
  })

  test('without a partner ends when the disk has everything, and fails when it cannot', async () => {
    const island = await startIsland({ halves: ['a'] })
    await new Phone(island, 'alice').send('bob')
    await island.wait(island.service('a').drain())
    expect(island.store('a').stats.dirtyRecords).toBe(0)
    const failing = await startIsland({ halves: ['a'] })
    failing.disks.a.failure = 'disk-full'
    await new Phone(failing, 'alice').send('bob')
    await expect(failing.wait(failing.service('a').drain())).rejects.toMatchObject({ code: 'disk-full' })
  })
})
