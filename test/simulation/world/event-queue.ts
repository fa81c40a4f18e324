/**
 * What is still to happen, as a binary heap: the earliest first; at the same time timers before bytes before the ends of
 * turns; among those, in the order in which they were asked for. So the order never hangs on the heap's shape.
 */

/** Within one instant a loop looks at its timers, then at its streams, and then ends its turn, as libuv does. */
export const Phase = { timers: 0, streams: 1, turnEnd: 2 } as const
export type Phase = (typeof Phase)[keyof typeof Phase]

/** Something that will happen. */
export interface Event {
  atMs: number
  readonly phase: Phase
  order: number
  /** `undefined` once it is cancelled or has happened. */
  run: (() => void) | undefined
}

export class EventQueue<E extends Event> {
  readonly #heap: E[] = []

  get size(): number {
    return this.#heap.length
  }

  /** The next event, which stays. */
  get first(): E | undefined {
    return this.#heap[0]
  }

  push(event: E): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const above = (at - 1) >>> 1
      if (!isBefore(event, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = event
  }

  /** Takes the next event out. */
  pop(): E | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!isBefore(heap[below]!, last)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
    return first
  }
}

function isBefore(one: Event, other: Event): boolean {
  if (one.atMs !== other.atMs) return one.atMs < other.atMs
  return one.phase === other.phase ? one.order < other.order : one.phase < other.phase
}
