/**
 * The calls that wait for an answer: by reference number, with one sweep for all their deadlines.
 *
 * Invariants: a call ends exactly once, by its answer, its deadline, its signal, the loss of its node, or the router's
 * stop; an answer counts only if it comes from the node that was called; at most one timer runs. Source: R14 s14, calls with timeouts only; OTP's `gen:call` with its aliases against late replies.
 */
import type { Clock, TimerHandle, Timers } from '../transport/index.ts'
import { describe, type Pid, type Target } from './address.ts'
import { RoutingError, type RoutingErrorCode } from './error.ts'

/** Node's timers take no more than 2^31-1; an early sweep finds nothing due and sets the next. */
const timerMsMax = 2 ** 30

/** The error of a call to `target`. */
export function callError(target: Target, code: RoutingErrorCode, detail?: string): RoutingError {
  return new RoutingError(code, `call ${describe(target)}`, detail)
}

/** One pending call. */
interface Call {
  /** Who was asked. */
  pid: Pid
  readonly target: Target
  readonly deadlineMs: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: RoutingError) => void
  readonly signal: AbortSignal | undefined
  readonly onAbort: (() => void) | undefined
  again: Question | undefined
}

/** What is needed to ask somebody else. */
export interface Question {
  readonly message: unknown
  readonly from: Pid | undefined
}

/** What a new call is made of. */
export interface CallOptions {
  readonly pid: Pid
  /** What the caller named, for the error's text. */
  readonly target: Target
  readonly deadlineMs: number
  readonly signal: AbortSignal | undefined
  /** Kept where the call may be sent to another process, once, when this one is gone. */
  readonly again: Question | undefined
}

export class Calls {
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #sweepMs: number
  readonly #calls = new Map<number, Call>()
  #lastReference = 0
  #sweep: TimerHandle
  /** When the sweep is due; Infinity while there is none. */
  #sweepAtMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock, timers: Timers, sweepMs: number) {
    this.#clock = clock
    this.#timers = timers
    this.#sweepMs = sweepMs
  }

  get pending(): number {
    return this.#calls.size
  }

  /** Opens a call; its reference is not 0, and no other pending call's. */
  open(
    { pid, target, deadlineMs, signal, again }: CallOptions,
    resolve: (value: unknown) => void,
    reject: (error: RoutingError) => void,
  ): number {
    do this.#lastReference = (this.#lastReference + 1) >>> 0
    while (this.#lastReference === 0 || this.#calls.has(this.#lastReference))
    const reference = this.#lastReference
    const onAbort = signal && (() => void this.#abort(reference))
    signal?.addEventListener('abort', onAbort!)
    this.#calls.set(reference, { pid, target, deadlineMs, resolve, reject, signal, onAbort, again })
    this.#sweepBy(deadlineMs)
    return reference
  }

  /** Ends a call with its answer; false when `node` was not called by that reference, or the call has ended. */
  succeed(reference: number, node: string, value: unknown): boolean {
    const call = this.#close(reference, node)
    call?.resolve(value)
    return call !== undefined
  }

  /** Ends a call without an answer; false as for {@link succeed}. */
  fail(reference: number, node: string, code: RoutingErrorCode, detail?: string): boolean {
    const call = this.#close(reference, node)
    call?.reject(callError(call.target, code, detail))
    return call !== undefined
  }

  /** A pending call to a node that may be sent once more to somebody else. */
  movable(reference: number, node: string): (Readonly<Call> & { readonly again: Question }) | undefined {
    const call = this.#calls.get(reference)
    return call?.again && call.pid.node === node ? (call as Call & { again: Question }) : undefined
  }

  /** From now on the call's answer is awaited from `pid`, and it moves no more. */
  move(reference: number, pid: Pid): void {
    const call = this.#calls.get(reference)!
    call.pid = pid
    call.again = undefined
  }

  /** Fails the pending calls to a node (`undefined`: all calls). */
  failAll(node: string | undefined, code: 'noconnect' | 'stopped'): void {
    for (const [reference, call] of this.#calls) {
      if (node === undefined || call.pid.node === node) {
        this.fail(reference, call.pid.node, code)
      }
    }
  }

  /** Fails all calls and ends the sweep. */
  stop(): void {
    this.failAll(undefined, 'stopped')
    this.#timers.cancel(this.#sweep)
    this.#sweepAtMs = Number.POSITIVE_INFINITY
  }

  #abort(reference: number): void {
    const call = this.#calls.get(reference)
    if (call) this.fail(reference, call.pid.node, 'aborted')
  }

  #close(reference: number, node: string): Call | undefined {
    const call = this.#calls.get(reference)
    if (!call || call.pid.node !== node) return undefined
    this.#calls.delete(reference)
    if (call.onAbort) call.signal?.removeEventListener('abort', call.onAbort)
    return call
  }

  /** Makes sure that a sweep comes soon after `deadlineMs`. */
  #sweepBy(deadlineMs: number): void {
    if (this.#sweepAtMs <= deadlineMs + this.#sweepMs) return
    this.#timers.cancel(this.#sweep)
    this.#sweepAtMs = deadlineMs + this.#sweepMs
    const delayMs = Math.max(0, this.#sweepAtMs - this.#clock.nowMs())
    this.#sweep = this.#timers.after(Math.min(delayMs, timerMsMax), () => this.#sweepNow())
  }

  #sweepNow(): void {
    this.#sweepAtMs = Number.POSITIVE_INFINITY
    const nowMs = this.#clock.nowMs()
    let nextMs = Number.POSITIVE_INFINITY
    for (const [reference, call] of this.#calls) {
      if (call.deadlineMs <= nowMs) {
        this.fail(reference, call.pid.node, 'timeout')
      } else if (call.deadlineMs < nextMs) nextMs = call.deadlineMs
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#sweepBy(nextMs)
  }
}
