import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MessageQueue } from '../../../node/runtime/message-queue.ts'

test('messages come out in the order in which they went in, whatever the mix', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 400 }), pushes => {
      const queue = new MessageQueue<number>(1000)
      const model: number[] = []
      for (const [at, push] of pushes.entries()) {
        if (push) {
          queue.push(at)
          model.push(at)
        } else expect(queue.shift()).toBe(model.shift())
        expect(queue.length).toBe(model.length)
      }
      while (model.length > 0) expect(queue.shift()).toBe(model.shift())
      expect(queue.shift()).toBeUndefined()
    }),
  )
})

test('a full queue refuses, and takes again when there is room', () => {
  const queue = new MessageQueue<number>(3)
  expect([1, 2, 3, 4].map(message => queue.push(message))).toEqual([true, true, true, false])
  expect(queue.shift()).toBe(1)
  expect(queue.push(5)).toBe(true)
  expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([2, 3, 5])
})
