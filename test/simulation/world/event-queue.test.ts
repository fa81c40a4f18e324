/** The queue of events gives them out in the one order that there is. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Event, EventQueue, type Phase } from './event-queue.ts'

test('events come out by time, then by phase, then in the order in which they were asked for', () => {
  const drawn = fc.array(fc.record({ atMs: fc.nat({ max: 5 }), phase: fc.constantFrom<Phase>(0, 1, 2) }))
  fc.assert(
    fc.property(drawn, events => {
      const queue = new EventQueue<Event>()
      const all = events.map((event, order) => ({ ...event, order, run: undefined }))
      for (const event of all) queue.push(event)
      const expected = [...all].sort(
        (one, other) => one.atMs - other.atMs || one.phase - other.phase || one.order - other.order,
      )
      expect(queue.first).toEqual(expected[0])
      expect(expected.map(() => queue.pop())).toEqual(expected)
      expect(queue.pop()).toBeUndefined()
    }),
  )
})

test('events that are pushed while others are taken out find their place', () => {
  const queue = new EventQueue<Event>()
  const taken: number[] = []
  let order = 0
  const push = (atMs: number) => queue.push({ atMs, phase: 0, order: order++, run: undefined })
  for (const atMs of [50, 10, 30]) push(atMs)
  taken.push(queue.pop()!.atMs)
  for (const atMs of [20, 40, 60]) push(atMs)
  while (queue.size > 0) taken.push(queue.pop()!.atMs)
  expect(taken).toEqual([10, 20, 30, 40, 50, 60])
})
