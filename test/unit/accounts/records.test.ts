import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AccountRecord,
  confirmed,
  decodeRecord,
  encodeRecord,
  keyMatches,
  loggedIn,
  merge,
} from '../../../node/services/accounts/records.ts'

/** Copies of one user's record as they can exist: a device number names one key, whoever holds the copy. */
const copies = fc
  .array(fc.record({ device: fc.nat(6), session: fc.nat(6) }), { minLength: 1, maxLength: 6 })
  .map(list =>
    list.map(
      ({ device, session }): AccountRecord => ({
        user: 'ann',
        device,
        session,
        keyHash: `${device}`.padEnd(43, 'x'),
      }),
    ),
  )
const mergeAll = (records: readonly AccountRecord[]) =>
  records.reduce<AccountRecord | undefined>((mine, copy) => merge(mine, copy), undefined)!

describe('account records', () => {
  it('merge to the same record in whatever order, and however often, copies arrive', () => {
    fc.assert(
      fc.property(copies, fc.integer(), (records, turn) => {
        const turned = records.map((_, index) => records[(index + Math.abs(turn)) % records.length]!)
        expect(mergeAll(turned.reverse())).toEqual(mergeAll(records))
        expect(mergeAll([...records, ...records])).toEqual(mergeAll(records))
      }),
    )
  })

  it('keep the highest device with its key, and the highest session', () => {
    const old = { user: 'ann', device: 1, session: 9, keyHash: 'old' }
    const young = { user: 'ann', device: 3, session: 4, keyHash: 'young' }
    expect(merge(old, young)).toEqual({ user: 'ann', device: 3, session: 9, keyHash: 'young' })
    expect(merge(young, old)).toEqual({ user: 'ann', device: 3, session: 9, keyHash: 'young' })
    expect(merge(old, { ...old })).toBe(old)
  })

  it('number devices odd on one side and even on the other, always upwards', () => {
    let record = confirmed('ann', 'key', undefined, 0, 1)
    expect(record.device).toBe(1)
    record = confirmed('ann', 'key', record, 0, 1)
    expect(record.device).toBe(3)
    record = confirmed('ann', 'key', record, 0, 0)
    expect(record.device).toBe(4)
    record = confirmed('ann', 'key', record, 0, 1)
    expect(record.device).toBe(5)
  })

  it('number the devices of a user whose record was lost higher than before, and always below 2**21', () => {
    const wallMs = Date.UTC(2026, 10, 20)
    const lost = confirmed('ann', 'key', undefined, wallMs, 1)
    const again = confirmed('ann', 'key', undefined, wallMs + 20 * 60_000, 1)
    expect(again.device).toBe(lost.device + 2)
    expect(confirmed('ann', 'key', lost, wallMs, 1).device).toBe(lost.device + 2)
    expect(confirmed('ann', 'key', lost, wallMs, 0).device).toBe(lost.device + 1)
    expect(confirmed('ann', 'key', again, wallMs - 1e9, 1).device).toBe(again.device + 2)
    const farAhead = confirmed('ann', 'key', undefined, Date.UTC(3000, 0, 1), 1)
    expect(confirmed('ann', 'key', farAhead, Date.UTC(3000, 0, 1), 0).device).toBeLessThan(2 ** 21)
  })

  it('number sessions by the clock, and upwards when the clock goes back', () => {
    const start = confirmed('ann', 'key', undefined, 0, 1)
    const first = loggedIn(start, 1_000_000.7, 1)
    expect(first.session).toBe(1_000_001)
    const second = loggedIn(first, 500_000, 1)
    expect(second.session).toBe(1_000_003)
    expect(loggedIn(second, 500_000, 0).session).toBe(1_000_004)
    expect(loggedIn(second, 2_000_000, 0).session).toBe(2_000_000)
  })

  it('know their key by its hash alone', () => {
    const record = confirmed('ann', 'the key', undefined, 0, 1)
    expect(keyMatches(record, 'the key')).toBe(true)
    expect(keyMatches(record, 'the kez')).toBe(false)
    expect(keyMatches(record, '')).toBe(false)
    expect(JSON.stringify(record)).not.toContain('the key')
  })

  it('come back from the store as they went in, and what is no record does not', () => {
    const record = loggedIn(confirmed('ann', 'key', undefined, 0, 1), 1_000, 1)
    expect(decodeRecord(encodeRecord(record))).toEqual(record)
    for (const text of [
      '',
      'nonsense',
      'null',
      '[]',
      '{"user":"ann"}',
      '{"user":"ann","device":-1,"session":0}',
    ]) {
      expect(decodeRecord(new TextEncoder().encode(text))).toBeUndefined()
    }
  })
})
