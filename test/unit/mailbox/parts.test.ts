/**
 * The mailbox service's parts that stand by themselves: the order within a mailbox, what is remembered of erased
 * messages, the numbers of a stream, the records.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoundedMap } from '../../../node/services/mailbox/bounded.ts'
import { Erased } from '../../../node/services/mailbox/erased.ts'
import { type Entry, keyText, Mailbox } from '../../../node/services/mailbox/mailbox.ts'
import { testMailboxOptions } from '../../../node/services/mailbox/options.ts'
import { Records } from '../../../node/services/mailbox/records.ts'
import type { Operations } from '../../../node/services/mailbox/replication.ts'
import { Incoming, Outgoing } from '../../../node/services/mailbox/stream.ts'
import { MemoryDisk, openMemoryStore } from '../../../node/storage/memory-store.ts'
import { Pid } from '../../../routing/index.ts'

function entryOf(mailbox: Mailbox, from: string, number: number, arrival = 1): Entry {
  return {
    mailbox,
    key: keyText(mailbox.user, from, number),
    message: { from, number, body: `${from} ${number}`, sentAtMs: 5, late: false },
    bytes: 100,
    arrival,
    shared: false,
    sentIn: 0,
    heldIn: 0,
    waiting: undefined,
  }
}

describe('a mailbox', () => {
  test("keeps each sender's messages in the order of their numbers, whatever order they come in", () => {
    const message = fc.record({ from: fc.constantFrom('x', 'y', 'z'), number: fc.nat(1_000) })
    fc.assert(
      fc.property(fc.uniqueArray(message, { selector: one => `${one.from}/${one.number}` }), messages => {
        const mailbox = new Mailbox('bob')
        for (const { from, number } of messages) mailbox.insert(entryOf(mailbox, from, number))
        expect(mailbox.length).toBe(messages.length)
        for (const sender of ['x', 'y', 'z']) {
          const numbers = mailbox.entries.filter(e => e.message.from === sender).map(e => e.message.number)
          expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
        }
      }),
    )
  })

  test('keeps messages of different senders in the order in which they came', () => {
    const mailbox = new Mailbox('bob')
    for (const from of ['z', 'x', 'y']) mailbox.insert(entryOf(mailbox, from, 1))
    expect(mailbox.entries.map(entry => entry.message.from)).toEqual(['z', 'x', 'y'])
  })
})

describe('what is remembered of erased messages', () => {
  const options = { ...testMailboxOptions, erasedRecentMax: 2, erasedHighestMax: 2 }

  test('knows the last ones, and the highest of a sender for longer', () => {
    const erased = new Erased(options)
    for (const number of [1, 2, 3]) erased.note(['bob', 'alice', number], undefined)
    expect([1, 2, 3].map(number => erased.knows(['bob', 'alice', number], 7))).toEqual(['no', 'same', 'same'])
    for (const number of [7, 8]) erased.note(['bob', 'carol', number], undefined)
    expect(erased.knows(['bob', 'alice', 3], 7)).toBe('same')
    expect(erased.knows(['bob', 'alice', 2], 7)).toBe('no')
    expect(erased.isLate(['bob', 'alice', 2])).toBe(true)
    erased.note(['bob', 'dan', 1], undefined)
    expect(erased.isLate(['bob', 'alice', 2])).toBe(false)
  })

  test('tells another body under the same number, as long as the message is not held again', () => {
    const erased = new Erased(options)
    erased.note(['bob', 'alice', 3], 7)
    expect(erased.knows(['bob', 'alice', 3], 7)).toBe('same')
    expect(erased.knows(['bob', 'alice', 3], 8)).toBe('other')
    erased.note(['bob', 'alice', 3], undefined)
    expect(erased.knows(['bob', 'alice', 3], 8)).toBe('other')
    erased.forget(['bob', 'alice', 3])
    expect(erased.knows(['bob', 'alice', 3], 7)).toBe('no')
    expect(erased.isLate(['bob', 'alice', 2])).toBe(true)
  })

  test('never forgets what it owes the partner', () => {
    const erased = new Erased(options)
    erased.owe(['bob', 'alice', 1])
    for (let number = 2; number < 9; number++) erased.note(['bob', 'alice', number], undefined)
    expect(erased.knows(['bob', 'alice', 1], 7)).toBe('same')
    expect(erased.confirm(['bob', 'alice', 1])).toBe(true)
    expect(erased.confirm(['bob', 'alice', 1])).toBe(false)
  })

  test('a bounded map keeps its newest entries', () => {
    const map = new BoundedMap<string, number>(2)
    for (const [key, value] of [
      ['a', 1],
      ['b', 2],
      ['a', 3],
      ['c', 4],
    ] as const)
      map.set(key, value)
    expect([...map]).toEqual([
      ['a', 3],
      ['c', 4],
    ])
  })
})

describe('a stream', () => {
  const first = new Pid('b', 5, 0, 64)
  const batch = (epoch: number, number: number, count = 1): Operations => ({
    op: 'operations',
    epoch,
    first: number,
    operations: Array.from({ length: count }, () => ({ kind: 'end' })),
  })

  test('is followed from its beginning, without gaps', () => {
    const incoming = new Incoming()
    incoming.follow(first)
    expect(incoming.accept(first, batch(1, 2))).toBe('gap')
    expect(incoming.accept(first, batch(1, 1, 3))).toBe('begin')
    expect(incoming.accept(first, batch(1, 4, 2))).toBe('apply')
    expect(incoming.accept(first, batch(1, 7))).toBe('gap')
    expect(incoming.received).toBe(5)
  })

  test('gives way to a later one, and does not come back', () => {
    const incoming = new Incoming()
    incoming.follow(first)
    incoming.accept(first, batch(1, 1))
    expect(incoming.accept(first, batch(3, 1))).toBe('begin')
    expect(incoming.accept(first, batch(2, 1))).toBe('stale')
    expect(incoming.accept(first, batch(1, 2))).toBe('stale')
  })

  test('goes on where it was after a time in which nobody was followed', () => {
    const incoming = new Incoming()
    incoming.follow(first)
    incoming.accept(first, batch(3, 1))
    incoming.follow(undefined)
    expect(incoming.accept(first, batch(4, 1))).toBe('stranger')
    expect(incoming.follow(first)).toBe(false)
    expect(incoming.accept(first, batch(2, 1))).toBe('stale')
    expect(incoming.accept(first, batch(3, 2))).toBe('apply')
  })

  test('is followed of one process only, however high or low its creation', () => {
    const incoming = new Incoming()
    incoming.follow(first)
    incoming.accept(first, batch(4, 1))
    for (const next of [new Pid('b', 5, 0, 70), new Pid('b', 6, 0, 64), new Pid('b', 2, 0, 64)]) {
      expect(incoming.accept(next, batch(1, 1))).toBe('stranger')
      expect(incoming.follow(next)).toBe(true)
      expect(incoming.accept(next, batch(1, 1))).toBe('begin')
      expect(incoming.accept(first, batch(9, 1))).toBe('stranger')
    }
  })

  test('confirms each operation once, in order, and knows what is unacknowledged', () => {
    const outgoing = new Outgoing(100)
    outgoing.open(first, 0)
    const kinds = ['a', 'b', 'c', 'd'].map(user => ({ kind: 'erase', key: [user, 'x', 1] }) as const)
    for (const operation of kinds) outgoing.push(operation, 60, 0)
    expect(outgoing.take().map(({ first, operations }) => [first, operations.length])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1],
    ])
    expect(outgoing.acknowledge(2, 1)).toEqual(kinds.slice(0, 2))
    expect(outgoing.acknowledge(2, 2)).toEqual([])
    expect([outgoing.unacknowledgedOps, outgoing.unacknowledgedBytes, outgoing.progressAtMs]).toEqual([
      2, 120, 1,
    ])
    expect(outgoing.acknowledge(99, 3)).toEqual(kinds.slice(2))
    expect(outgoing.unacknowledgedBytes).toBe(0)
  })

  test('gathers small operations into one batch', () => {
    const outgoing = new Outgoing(100)
    outgoing.open(first, 0)
    for (let i = 0; i < 5; i++) outgoing.push({ kind: 'end' }, 40, 0)
    expect(outgoing.take().map(batch => batch.operations.length)).toEqual([2, 2, 1])
    expect(outgoing.take()).toEqual([])
  })
})

describe('records', () => {
  test('come back in the order of arrival, and not those of another partition', async () => {
    const store = openMemoryStore()
    const records = new Records(store, 1)
    const mailbox = new Mailbox('bob')
    records.putMessage(entryOf(mailbox, 'zoe', 2 ** 40, 1))
    records.putMessage(entryOf(mailbox, 'alice', 7, 2))
    records.putTombstone(['bob', 'carol', 3])
    new Records(store, 11).putTombstone(['bob', 'dan', 1])
    const { messages, tombstones, unreadable } = await records.load()
    expect(messages.map(({ user, message }) => [user, message.from, message.number])).toEqual([
      ['bob', 'zoe', 2 ** 40],
      ['bob', 'alice', 7],
    ])
    expect(messages[0]!.message).toEqual({
      from: 'zoe',
      number: 2 ** 40,
      body: `zoe ${2 ** 40}`,
      sentAtMs: 5,
      late: false,
    })
    expect(tombstones).toEqual([['bob', 'carol', 3]])
    expect(unreadable).toEqual([])
    await store.close()
  })

  test('that this version cannot read are named and left alone', async () => {
    const store = openMemoryStore()
    const key = 'mailbox/1/m/bob/alice/0000000000000001'
    store.put(key, Uint8Array.of(0x81, 0x63)) // CBOR: an array that breaks off
    store.put('mailbox/1/m/bob/alice/zero', new Uint8Array(0))
    expect((await new Records(store, 1).load()).unreadable).toEqual([key, 'mailbox/1/m/bob/alice/zero'])
    expect(await store.load(key)).toHaveLength(1)
    await store.close()
  })

  test('that the store refuses are offered again, and no sync succeeds before it takes them', async () => {
    const disk = new MemoryDisk()
    const store = openMemoryStore({ disk, options: { dirtyBytesLimit: 200, syncDelayMs: 5 }, durable: true })
    const records = new Records(store, 1)
    const mailbox = new Mailbox('bob')
    const entries = [1, 2, 3, 4, 5].map(number => entryOf(mailbox, 'alice', number, number))
    expect(entries.map(entry => records.putMessage(entry))).toContain(false)
    expect(records.refused).toBeGreaterThan(0)
    await expect(records.sync()).rejects.toMatchObject({ code: 'behind' })
    while (records.refused > 0) {
      await store.sync()
      records.retry()
    }
    await records.sync()
    expect((await disk.load('mailbox/')).records).toHaveLength(5)
    await store.close()
  })
})
