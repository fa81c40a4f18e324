/** What a phone remembers of the texts that it has seen. */
import { expect, test } from 'vitest'
import { SeenMessages } from '../../../node/client/dedupe.ts'

test('a late text is new although its number is lower than the highest', () => {
  const seen = new SeenMessages(10, 10)
  for (const number of [1, 2, 5]) seen.add('bob', number)
  expect(seen.has('bob', 3)).toBe(false)
  expect(seen.highest('bob')).toBe(5)
  seen.add('bob', 3)
  expect([seen.has('bob', 3), seen.highest('bob')]).toEqual([true, 5])
})

test('senders do not share numbers', () => {
  const seen = new SeenMessages(10, 10)
  seen.add('bob', 1)
  expect(seen.has('carol', 1)).toBe(false)
  expect(seen.highest('carol')).toBe(0)
})

test('memory is bounded: the oldest numbers go first, and the senders silent longest', () => {
  const seen = new SeenMessages(3, 2)
  for (const number of [1, 2, 3, 4]) seen.add('bob', number)
  expect([1, 2, 3, 4].map(number => seen.has('bob', number))).toEqual([false, true, true, true])
  seen.add('carol', 1)
  seen.add('bob', 5)
  seen.add('dave', 1)
  expect([seen.has('bob', 5), seen.has('carol', 1), seen.has('dave', 1)]).toEqual([true, false, true])
})
