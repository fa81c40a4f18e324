/** Casts of one process to another in one lane arrive in the order in which they were sent, across links too. */
import { type Observer, Violation } from '../observer.ts'

export function orderChecker(): Observer {
  const name = 'order per sender and lane'
  const last = new Map<string, number>()
  return {
    name,
    handled: (node, process, _id, stream, number) => {
      if (stream === undefined) return
      const before = last.get(stream) ?? 0
      if (number <= before)
        throw new Violation(name, `${process} at ${node.name} handles ${number} after ${before} of ${stream}`)
      last.set(stream, number)
    },
  }
}
