/**
 * The receiving half of a process: what waits before it, in which order it comes out, and what happens to what does not fit.
 *
 * Two queues, each there only while something waits in it: an urgent one for timers and notices of ends, which goes first
 * and is bounded by how many of those the process has asked for; and the ordinary one, bounded by its limits.
 * Invariant: every message that came is handled, refused, or counted as dropped. Hot: see message-queue.ts. A base class,
 * not a part, because a part would cost every idle process an object.
 */
import type { Envelope, Pid } from '../../routing/index.ts'
import type { ProcessHost } from './host.ts'
import { Info } from './info.ts'
import type { MessageQueue } from './message-queue.ts'
import { giveWay, type QueueLimits } from './overflow.ts'

export abstract class Inbox {
  abstract readonly self: Pid
  abstract readonly name: string | undefined
  abstract get ended(): boolean
  /** Something waits: the process wants a turn. */
  protected abstract wake(): void

  /** Messages that the full queue did not take, since the start. */
  refused = 0
  /** Messages that were taken and thrown away unhandled, since the start: overflowed or flushed. */
  dropped = 0
  protected readonly runtime: ProcessHost
  readonly #limits: QueueLimits
  #queue: MessageQueue<Envelope | Info> | undefined
  #urgent: MessageQueue<Envelope | Info> | undefined

  constructor(runtime: ProcessHost, limits: QueueLimits) {
    this.runtime = runtime
    this.#limits = limits
    this.#queue = undefined
    this.#urgent = undefined
  }

  /** How much waits, urgent or not. */
  get queueLength(): number {
    return (this.#queue?.length ?? 0) + (this.#urgent?.length ?? 0)
  }

  /** How operators know it. */
  get label(): string {
    return this.name ?? this.self.toString()
  }

  /** Queues a message, last or `first`; false when it is refused, or the process has ended. */
  enqueue(envelope: Envelope, first = false): boolean {
    if (this.ended) return false
    const queue = this.#queueToFill()
    if (queue.length >= this.#limits.messagesMax && !this.#makeRoom(queue, envelope)) {
      return this.#limits.overflow !== 'refuse'
    }
    if (first) queue.prepend(envelope)
    else queue.push(envelope)
    this.wake()
    return true
  }

  tell(info: unknown): void {
    if (this.ended) return
    this.#queueToFill().push(new Info(info))
    this.wake()
  }

  /** As `tell`, before all that others sent. */
  protected tellFirst(info: unknown): void {
    if (this.ended) return
    this.#urgent ??= this.runtime.queues.take()
    this.#urgent.push(new Info(info))
    this.wake()
  }

  flush(): number {
    const queue = this.#queue
    if (queue === undefined) return 0
    let flushed = 0
    for (let left = queue.length; left > 0; left--) {
      const message = queue.shift()!
      if (message instanceof Info) queue.push(message)
      else {
        flushed += 1
        this.#drop(message, 'thrown away')
      }
    }
    if (queue.length === 0) this.#giveBack(queue)
    return flushed
  }

  /** Takes what is to be handled next; `undefined` when nothing waits. */
  protected next(): Envelope | Info | undefined {
    if (this.#urgent !== undefined) return this.#nextUrgent(this.#urgent)
    const queue = this.#queue
    if (queue === undefined) return undefined
    const message = queue.shift()
    if (queue.length === 0) this.#giveBack(queue)
    return message
  }

  /** Empties both queues; calls learn that there is no process any more. */
  protected refuseAll(reason: string): void {
    for (let left = this.next(); left !== undefined; left = this.next()) {
      if (!(left instanceof Info) && left.isCall) left.refuse('noprocess', reason)
    }
  }

  #nextUrgent(urgent: MessageQueue<Envelope | Info>): Envelope | Info | undefined {
    const message = urgent.shift()
    if (urgent.length === 0) {
      this.#urgent = undefined
      this.runtime.queues.give(urgent)
    }
    return message
  }

  #queueToFill(): MessageQueue<Envelope | Info> {
    this.#queue ??= this.runtime.queues.take()
    return this.#queue
  }

  #giveBack(queue: MessageQueue<Envelope | Info>): void {
    this.#queue = undefined
    this.runtime.queues.give(queue)
  }

  /** The queue is full. True when another made room for the new message; if not, that has been counted and told. */
  #makeRoom(queue: MessageQueue<Envelope | Info>, newest: Envelope): boolean {
    const { overflow } = this.#limits
    if (overflow === 'refuse') {
      this.refused += 1
      this.runtime.refused += 1
      newest.refuse('overload', `message queue of ${this.label} is full`)
      return false
    }
    const dropped = giveWay(queue, overflow, newest)
    this.#drop(dropped, 'overflowed')
    return dropped !== newest
  }

  #drop(message: Envelope, why: string): void {
    this.dropped += 1
    this.runtime.dropped += 1
    if (message.isCall) message.refuse('overload', `${why} in the message queue of ${this.label}`)
  }
}
