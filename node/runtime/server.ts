/**
 * Server: what service code is written as. State in fields, behaviour in handlers, one handler at a time.
 *
 * A handler may be synchronous or return a promise; while it runs, later messages wait in the process's queue. What a
 * handler throws ends the process with that reason, and its supervisor decides; the node goes on.
 * Source: OTP's gen_server; the talks' habit of casting, and of calling only to get data (C8).
 */
import type { Pid, Target } from '../../routing/index.ts'
import type { ProcessContext } from './context.ts'

/** Returned by `handleCall` that will answer later, through {@link Caller.reply}. */
export const later: unique symbol = Symbol('later')

/** The other end of a call. Keep it to answer later; the first answer counts, and none is needed. */
export interface Caller {
  /** The calling process, where it said so. */
  readonly pid: Pid | undefined
  /** Name of the calling node. */
  readonly node: string
  /** Monotonic time after which nobody waits any more. */
  readonly deadlineMs: number
  /** Aborted when the deadline passes or this process ends, before the answer: for handlers that take long. */
  readonly signal: AbortSignal
  reply(value: unknown): void
  /** Ends the call without an answer: the caller sees code `failed` and `detail`. */
  fail(detail: string): void
}

/**
 * Base of all service processes.
 * `Call` and `Cast` are the types of the messages that it takes; `Info` of what it tells itself.
 */
export abstract class Server<Call = unknown, Cast = unknown, Info = unknown> {
  /** What the process may do; set before `init`. */
  declare context: ProcessContext

  /** This process's own address. */
  get self(): Pid {
    return this.context.self
  }

  /** Runs first, before any message is handled. */
  init?(): void | Promise<void>
  /** Answers a call: the value or promise returned is the reply, unless it is {@link later}. */
  handleCall?(message: Call, caller: Caller): unknown
  /** Takes a message that wants no answer. `from` is the sending process, where it said so. */
  handleCast?(message: Cast, from: Pid | undefined): void | Promise<void>
  /** Takes what the process told itself, through `context.tell` or `context.after`. */
  handleInfo?(info: Info): void | Promise<void>
  /** Runs last. `reason` is `'normal'`, `'drain'`, `'stop'` or the text of what was thrown. */
  terminate?(reason: string): void | Promise<void>

  /** Sends without waiting for an answer; see `Router.cast`. */
  protected cast(target: Target, message: unknown) {
    return this.context.cast(target, message)
  }

  /** Sends and waits for the answer; see `Router.call`. Mind that this process handles nothing else if it awaits it. */
  protected call(target: Target, message: unknown, options?: { timeoutMs?: number }) {
    return this.context.call(target, message, options)
  }
}
