/**
 * A message as it reaches the process it was sent to: what was said, by whom, and how to answer.
 *
 * Routing makes envelopes, the runtime queues them, a process opens them. An answer may be given once, at any later
 * time, or never: the caller's own deadline ends its wait.
 */
import type { Pid } from './address.ts'

/** Why a call got no answer. The texts are also what callers see as `code`. */
export type Refusal =
  /** No process of that address (any more). */
  | 'noprocess'
  /** The process's message queue is full, or it sheds load. */
  | 'overload'
  /** The handler failed, or the process ended before it answered. */
  | 'failed'

/** One delivered message. */
export interface Envelope {
  /** True when the sender waits for an answer. */
  readonly isCall: boolean
  readonly message: unknown
  /** The sending process, where it said so. */
  readonly from: Pid | undefined
  /** The name of the sending node. */
  readonly fromNode: string
  /** Monotonic time of the local clock after which nobody waits for the answer; Infinity for casts. */
  readonly deadlineMs: number
  /** Answers a call; ignored for casts and after the first answer. */
  reply(value: unknown): void
  /** Tells the caller that there will be no answer; `detail` is for people. */
  refuse(refusal: Refusal, detail?: string): void
}

/** Hands an envelope to a process of this node; false when there is none, or it refused. */
export type Deliver = (index: number, worker: number, envelope: Envelope) => boolean
