import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MessageQueue } from '../../../node/runtime/message-queue.ts'
import { QueuePool } from '../../../node/runtime/queue-pool.ts'

test('messages come out in the order in which they stand, whatever the mix', () => {
  const steps = fc.array(fc.constantFrom('push', 'prepend', 'shift', 'shiftWhere'), { maxLength: 400 })
  fc.assert(
    fc.property(steps, steps => {
      const queue = new MessageQueue<number>()
      const model: number[] = []
      for (const [at, step] of steps.entries()) {
        if (step === 'push') {
          queue.push(at)
          model.push(at)
        } else if (step === 'prepend') {
          queue.prepend(at)
          model.unshift(at)
        } else if (step === 'shift') expect(queue.shift()).toBe(model.shift())
        else {
          const odd = model.findIndex(message => message % 2 === 1)
          const expected = odd < 0 ? undefined : model.splice(odd, 1)[0]
          expect(queue.shiftWhere(message => message % 2 === 1)).toBe(expected)
        }
        expect(queue.length).toBe(model.length)
      }
      while (model.length > 0) expect(queue.shift()).toBe(model.shift())
      expect(queue.shift()).toBeUndefined()
    }),
  )
})

test('a pool hands a queue out again, unless it has grown large', () => {
  const pool = new QueuePool<number>()
  const small = pool.take()
  pool.give(small)
  expect(pool.take()).toBe(small)
  const large = pool.take()
  for (let i = 0; i < 2000; i++) large.push(i)
  while (large.length > 0) large.shift()
  pool.give(large)
  expect(pool.take()).not.toBe(large)
})
