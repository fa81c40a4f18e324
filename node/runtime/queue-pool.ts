/**
 * Message queues that nobody uses just now: a process takes one when something comes for it, and gives it back when
 * nothing waits any more.
 *
 * Hot: one take and one give for each time that an idle process is woken, and no allocation for either.
 * Invariant: a queue in the pool is empty and small; the pool holds at most QUEUES_MAX of them.
 */
import { MessageQueue } from './message-queue.ts'

const QUEUES_MAX = 64
/** A queue that has grown beyond this goes to the garbage collector instead. */
const SLOTS_MAX = 1024

export class QueuePool<T> {
  readonly #queues: MessageQueue<T>[] = []

  take(): MessageQueue<T> {
    return this.#queues.pop() ?? new MessageQueue<T>()
  }

  /** @param queue an empty one, which the giver forgets */
  give(queue: MessageQueue<T>): void {
    if (this.#queues.length < QUEUES_MAX && queue.slots <= SLOTS_MAX) this.#queues.push(queue)
  }
}
