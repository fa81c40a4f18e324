/**
 * A call that a handler has in its hands: whom to answer, until when, and a signal for when nobody waits any more.
 *
 * The signal costs nothing until it is looked at. Then it has a timer on the wheel, until the call is answered.
 * Invariant: a signal is aborted at most once, and never after the answer was given.
 */
import type { Envelope, Pid } from '../../routing/index.ts'
import type { Caller } from './server.ts'
import type { TimerOwner, TimerWheel } from './timer-wheel.ts'

/** What a call asks of the process that handles it. */
export interface CallHost {
  readonly clock: { nowMs(): number }
  readonly ended: boolean
  /** Runs `undo` when the process ends, unless taken back by what it returns. */
  atEnd(undo: () => void): () => void
}

export class OpenCall implements Caller, TimerOwner {
  /** The wheel's. */
  firstTimer = 0
  readonly #envelope: Envelope
  readonly #process: CallHost
  readonly #wheel: TimerWheel
  #abort: AbortController | undefined
  #forget: (() => void) | undefined
  #isAnswered = false

  constructor(envelope: Envelope, process: CallHost, wheel: TimerWheel) {
    this.#envelope = envelope
    this.#process = process
    this.#wheel = wheel
  }

  get pid(): Pid | undefined {
    return this.#envelope.from
  }
  get node(): string {
    return this.#envelope.fromNode
  }
  get deadlineMs(): number {
    return this.#envelope.deadlineMs
  }

  get signal(): AbortSignal {
    if (this.#abort !== undefined) return this.#abort.signal
    const abort = new AbortController()
    this.#abort = abort
    if (this.#isAnswered) return abort.signal
    const leftMs = this.deadlineMs - this.#process.clock.nowMs()
    if (leftMs <= 0) this.#giveUp('the caller has given up')
    else if (this.#process.ended) this.#giveUp('the process has ended')
    else {
      this.#forget = this.#process.atEnd(() => this.#giveUp('the process has ended'))
      if (leftMs < Number.POSITIVE_INFINITY) this.#wheel.add(this, leftMs, undefined)
    }
    return abort.signal
  }

  reply(value: unknown): void {
    this.#settle()
    this.#envelope.reply(value)
  }
  fail(detail: string): void {
    this.#settle()
    this.#envelope.refuse('failed', detail)
  }

  timerDue(): void {
    this.#giveUp('the caller has given up')
  }

  #giveUp(why: string): void {
    this.#release()
    this.#abort?.abort(new Error(why))
  }

  #settle(): void {
    this.#isAnswered = true
    this.#release()
  }

  #release(): void {
    this.#forget?.()
    this.#forget = undefined
    this.#wheel.cancelAll(this)
  }
}
