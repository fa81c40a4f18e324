/**
 * Whether a phone's frame may pass now: its rate, and the order behind a refusal.
 *
 * A send that is refused for now holds back every later one until it comes again; otherwise a later text would pass
 * it, and order would be broken by the very limit that protects others. A phone that goes on and on all the same is
 * a flood.
 */

import type { PhoneErrorCode } from './error-codes.ts'
import type { ConnectionsOptions } from './options.ts'
import { TokenBucket } from './token-bucket.ts'

/** Frames other than sends are cheap; ten of them count as one. */
const SMALL_FRAME_COST = 0.1

export type Verdict = 'pass' | 'slow-down' | 'flood'

export class Gate {
  readonly #options: ConnectionsOptions
  readonly #bucket: TokenBucket
  /** The lowest send that was refused for now. */
  #held: { readonly seq: number; readonly code: PhoneErrorCode } | undefined

  constructor(options: ConnectionsOptions, nowMs: number) {
    this.#options = options
    this.#bucket = new TokenBucket(options.sendsBurst, nowMs)
  }

  /** For how long a send that was refused for now had better stay away, ms. */
  get waitMs(): number {
    return Math.max(this.#bucket.waitMs(this.#options.sendsPerSecond), this.#options.backoffMsMin)
  }

  /** A frame that is no send. */
  small(nowMs: number): Verdict {
    return this.#pay(SMALL_FRAME_COST, nowMs)
  }

  /** A send that is refused anyway. */
  useless(nowMs: number): Verdict {
    return this.#pay(1, nowMs)
  }

  /** A send: passes, is part of a flood, or is refused for now with this code. */
  send(seq: number, nowMs: number): 'pass' | 'flood' | PhoneErrorCode {
    const verdict = this.#pay(1, nowMs)
    if (verdict === 'flood') return 'flood'
    if (this.#held !== undefined && seq > this.#held.seq) return this.#held.code
    return verdict === 'pass' ? 'pass' : 'rate'
  }

  /** This send was refused for now. */
  hold(seq: number, code: PhoneErrorCode): void {
    if (this.#held === undefined || seq < this.#held.seq) this.#held = { seq, code }
  }

  /** This send was taken. */
  taken(seq: number): void {
    if (seq === this.#held?.seq) this.#held = undefined
  }

  #pay(cost: number, nowMs: number): Verdict {
    const { sendsPerSecond, sendsBurst } = this.#options
    if (this.#bucket.take(cost, nowMs, sendsPerSecond, sendsBurst)) return 'pass'
    return this.#bucket.isFlooded(sendsBurst) ? 'flood' : 'slow-down'
  }
}
