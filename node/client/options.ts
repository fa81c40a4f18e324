/** What a phone is made with, and its limits. */

import type { Ports } from '../../transport/index.ts'
import type { DeliveredMessage } from '../connections/protocol.ts'
import type { PhoneFailure } from './phone-error.ts'
import type { PhoneState } from './uplink.ts'

/** A text that came in. */
export type IncomingMessage = DeliveredMessage

/** The recipient's phone has what we sent. */
export interface Receipt {
  readonly by: string
  readonly seq: number
}

/** What a phone is told; called from within its stream's events, so they must not block. */
export interface PhoneListeners {
  /**
   * A text, once. It is acknowledged when this returns. What it throws nobody catches, as in any listener of Node's; the
   * text then stays unacknowledged, and comes again with the next login.
   */
  onMessage?: (message: IncomingMessage) => void
  onReceipt?: (receipt: Receipt) => void
  /** `why` is there for `refused` and `waiting`, where a server said. */
  onState?: (state: PhoneState, why: PhoneFailure | undefined) => void
}

export interface PhoneOptions extends PhoneListeners {
  readonly user: string
  /** Where servers listen, `host:port`; tried in turn, from the first. */
  readonly addresses: readonly string[]
  /** From an earlier `confirm`; without it, `register` and `confirm` come first. */
  readonly key?: string
  /**
   * Number of the next text, 1 unless told. A phone that starts again with the same key must go on where it was
   * (`phone.nextSeq`): a number is never used for two texts, or the second is taken for a repetition of the first.
   */
  readonly nextSeq?: number
  /** Clock, timers, random numbers and streams; the real ones unless told. */
  readonly ports?: Ports
  readonly limits?: Partial<PhoneLimits>
}

/** Times in ms. */
export interface PhoneLimits {
  /** From dialling to `welcome`. More endures slow lines; costs time on a dead address. */
  readonly loginTimeoutMs: number
  /** Reconnect after random(0, min(backoffMsMax, backoffMsMin * 2^n)). */
  readonly backoffMsMin: number
  readonly backoffMsMax: number
  /** A connection that lived this long counts as a success: the next failure is the first. */
  readonly stableMs: number
  /** Silence of the server is noticed after one to two of these; 0 never asks. */
  readonly pingMs: number
  /** Acknowledgements to the server wait this long for company. More saves frames; costs the sender's receipt that much. */
  readonly gotDelayMs: number
  /** Texts that may wait for their acknowledgement; more are refused. */
  readonly waitingMax: number
  /** Numbers remembered per sender, and senders: beyond them a repeated text would show twice. */
  readonly numbersPerSenderMax: number
  readonly sendersMax: number
}

export const defaultPhoneLimits: PhoneLimits = {
  loginTimeoutMs: 10_000,
  backoffMsMin: 100,
  backoffMsMax: 5_000,
  stableMs: 5_000,
  pingMs: 15_000,
  gotDelayMs: 5,
  waitingMax: 1_000,
  numbersPerSenderMax: 1_024,
  sendersMax: 4_096,
}
