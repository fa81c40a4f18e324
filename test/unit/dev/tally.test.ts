import { describe, expect, test } from 'vitest'
import { Tally } from '../../../ops/dev/tally.ts'

function tally(): Tally {
  const made = new Tally(
    new Map([
      ['alice', 'dc1'],
      ['bob', 'dc2'],
      ['carol', 'dc1'],
    ]),
  )
  for (const user of ['alice', 'bob', 'carol']) made.connected(user, 0)
  return made
}

const message = (from: string, number: number, body = 'hello', late = false) => ({ from, number, body, late })

describe('the tally', () => {
  test('counts a message that arrives as sent, acknowledged and delivered', () => {
    const t = tally()
    t.acked(t.sent('alice', 'bob', 'hello', 100), 1)
    t.delivered('bob', message('alice', 1), 130)
    expect(t.counts).toEqual({
      sent: 1,
      acked: 1,
      delivered: 1,
      lost: 0,
      duplicates: 0,
      outOfOrder: 0,
      crossDatacenter: 1,
      p50Ms: 30,
      p99Ms: 30,
    })
    expect(Tally.keepsPromises(t.counts)).toBe(true)
  })

  test('does not mind that a delivery is noticed before the acknowledgement', () => {
    const t = tally()
    const sending = t.sent('alice', 'carol', 'hello', 100)
    t.delivered('carol', message('alice', 1), 110)
    expect(t.counts).toMatchObject({ acked: 0, delivered: 1, lost: 0 })
    t.acked(sending, 1)
    expect(t.counts).toMatchObject({ acked: 1, delivered: 1, lost: 0, p50Ms: 10, crossDatacenter: 0 })
    expect(t.wrong).toBe(0)
  })

  test('calls an acknowledged message lost until the recipient has seen it', () => {
    const t = tally()
    t.acked(t.sent('alice', 'bob', 'hello', 0), 1)
    expect(t.counts.lost).toBe(1)
    expect(t.missing).toMatchObject([{ from: 'alice', to: 'bob' }])
    expect(Tally.keepsPromises(t.counts)).toBe(false)
    t.delivered('bob', message('alice', 1), 10)
    expect(t.counts.lost).toBe(0)
  })

  test('does not call a message lost that was never acknowledged', () => {
    const t = tally()
    const unlucky = t.sent('alice', 'bob', 'hello', 0)
    expect(t.unanswered).toBe(1)
    t.refused(unlucky)
    expect(t.unanswered).toBe(0)
    expect(t.counts).toMatchObject({ sent: 1, acked: 0, lost: 0 })
  })

  test('counts a message that is seen twice as a duplicate, and as delivered once', () => {
    const t = tally()
    t.acked(t.sent('alice', 'bob', 'hello', 0), 1)
    t.delivered('bob', message('alice', 1), 10)
    t.delivered('bob', message('alice', 1), 20)
    expect(t.counts).toMatchObject({ delivered: 1, duplicates: 1, outOfOrder: 0, lost: 0 })
    expect(Tally.keepsPromises(t.counts)).toBe(false)
  })

  test('counts a message after a later one as out of order, unless it is marked late', () => {
    const t = tally()
    t.delivered('bob', message('alice', 1), 0)
    t.delivered('bob', message('alice', 4), 0)
    t.delivered('bob', message('alice', 2), 0)
    t.delivered('bob', message('alice', 3, 'hello', true), 0)
    expect(t.counts).toMatchObject({ delivered: 4, duplicates: 0, outOfOrder: 1 })
    expect(Tally.keepsPromises({ ...t.counts, lost: 0 })).toBe(false)
  })

  test('compares order only within one sender and one recipient', () => {
    const t = tally()
    t.delivered('bob', message('alice', 5), 0)
    t.delivered('bob', message('carol', 1), 0)
    t.delivered('carol', message('alice', 2), 0)
    expect(t.counts.outOfOrder).toBe(0)
  })

  test('still tells a duplicate after a long conversation', () => {
    const t = tally()
    for (let number = 1; number <= 1_000; number++) t.delivered('bob', message('alice', number), 0)
    t.delivered('bob', message('alice', 1_000), 0)
    t.delivered('bob', message('alice', 3), 0)
    expect(t.counts).toMatchObject({ delivered: 1_000, duplicates: 2, outOfOrder: 0 })
  })

  test('takes the latency only of messages whose recipient was connected all the while', () => {
    const t = tally()
    t.away('bob')
    expect(t.awayCount).toBe(1)
    t.acked(t.sent('alice', 'bob', 'hello', 100), 1)
    t.connected('bob', 5_000)
    t.delivered('bob', message('alice', 1), 5_010)
    expect(t.counts).toMatchObject({ delivered: 1, p99Ms: 0 })
    t.acked(t.sent('alice', 'bob', 'hello', 6_000), 2)
    t.delivered('bob', message('alice', 2), 6_020)
    expect(t.counts).toMatchObject({ delivered: 2, p99Ms: 20 })
  })

  test('notices a message that reached somebody else, or with another text', () => {
    const t = tally()
    t.acked(t.sent('alice', 'bob', 'hello', 0), 1)
    t.delivered('carol', message('alice', 1), 10)
    t.acked(t.sent('alice', 'bob', 'hello', 0), 2)
    t.delivered('bob', message('alice', 2, 'hullo'), 10)
    expect(t.wrong).toBe(2)
  })

  test('leaves people out of the count that are not of the crowd', () => {
    const t = tally()
    t.delivered('alice', message('mallory', 1), 0)
    t.delivered('mallory', message('alice', 1), 0)
    expect(t.counts.delivered).toBe(0)
  })
})
