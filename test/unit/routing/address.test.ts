import { describe, expect, it } from 'vitest'
import { describe as describeTarget } from '../../../routing/address.ts'
import { Pid } from '../../../routing/index.ts'

describe('a pid', () => {
  it('reads the text that it prints', () => {
    const pid = new Pid('dc1-chat1', 0xffff_ffff, 255, 0xffff_ffff)
    expect(String(pid)).toBe('dc1-chat1/4294967295/255/4294967295')
    expect(Pid.parse(String(pid))!.equals(pid)).toBe(true)
  })

  it.each([
    '',
    'a',
    'a/1/1',
    'a/1/1/1/1',
    'A/1/1/1',
    'a b/1/1/1',
    'a/-1/0/0',
    'a/1/256/1',
    'a/4294967296/0/1',
    'a/1/0/4294967296',
    'a/1/0/1.5',
    `${'a'.repeat(64)}/1/0/1`,
    '__proto__/1/0/1',
  ])('is not read from %j', text => {
    expect(Pid.parse(text)).toBeUndefined()
  })

  it('equals another of the same four numbers only', () => {
    const pid = new Pid('a', 1, 2, 3)
    expect(pid.equals(new Pid('a', 1, 2, 3))).toBe(true)
    for (const other of [
      new Pid('b', 1, 2, 3),
      new Pid('a', 2, 2, 3),
      new Pid('a', 1, 3, 3),
      new Pid('a', 1, 2, 4),
    ]) {
      expect(pid.equals(other)).toBe(false)
    }
  })
})

it('every target has one printed form', () => {
  expect(describeTarget(new Pid('a', 1, 2, 3))).toBe('a/1/2/3')
  expect(describeTarget({ group: 'room' })).toBe('room')
  expect(describeTarget({ group: 'room', key: 'bob' })).toBe('room:bob')
  expect(describeTarget({ group: 'room', pick: 'nearest' })).toBe('room')
  expect(describeTarget({ group: 'room', pick: 'least-queue' })).toBe('room by least-queue')
  expect(describeTarget({ service: 'mailbox', key: 'bob' })).toBe('mailbox:bob')
})
