/**
 * One link's signs of life, as arithmetic on times that its owner passes in.
 *
 * Any traffic counts as life; a ping is due only when nothing was heard for a quarter of `heartbeatTimeoutMs`, or when the other
 * end's ledger waits for our totals. With a sweep every sixteenth (`sweepIntervalMs`), a peer that falls silent is found between
 * 1 - 1/4 - 1/16 = 0.69 and 1 + 1/16 = 1.06 of the timeout; the promise is 0.67 to 1.33.
 */
import type { MeshOptions } from './options.ts'

/** What the sweep has to do: nothing, ping, or end a link that was silent, did not answer a probe, or never ends a frame. */
export type HeartbeatDuty = 'none' | 'ping' | 'silent' | 'unanswered' | 'unframed'

/** A frame may take this many heartbeat timeouts to come. */
const frameTimeouts = 4

/** How often a sweep is needed for the window above, ms. */
export function sweepIntervalMs(heartbeatTimeoutMs: number): number {
  return Math.min(100, Math.max(5, heartbeatTimeoutMs / 16))
}

export class Heartbeat {
  /** Last measured round trip of a ping, ms; NaN before the first. */
  roundTripMs = Number.NaN
  readonly #timeoutMs: number
  readonly #probeTimeoutMs: number
  #heardMs: number
  #pingedMs: number
  #framedMs: number
  /** Since when a probe is under way, and by when it must be answered; Infinity while there is none. */
  #probeSinceMs = Number.POSITIVE_INFINITY
  #probeDeadlineMs = Number.POSITIVE_INFINITY

  constructor({ heartbeatTimeoutMs, probeTimeoutMs }: MeshOptions, nowMs: number) {
    this.#timeoutMs = heartbeatTimeoutMs
    this.#probeTimeoutMs = probeTimeoutMs
    this.#heardMs = nowMs
    this.#pingedMs = nowMs
    this.#framedMs = nowMs
  }

  /** Something came: a sign of life, but no answer to a probe. A kernel delivers late what a process said before it died. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs
  }

  /** A frame was complete. */
  framed(nowMs: number): void {
    this.#framedMs = nowMs
  }

  /** From now on the other end has `probeTimeoutMs` to answer a ping; a probe that is under way already keeps its deadline. */
  probe(nowMs: number): void {
    if (this.#probeDeadlineMs !== Number.POSITIVE_INFINITY) return
    this.#probeSinceMs = nowMs
    this.#probeDeadlineMs = nowMs + this.#probeTimeoutMs
  }

  /** A ping leaves that carries `nowMs`. */
  pinged(nowMs: number): void {
    this.#pingedMs = nowMs
  }

  /**
   * A pong came back; only the answer to the last ping is measured, so a made-up time says nothing. True if a probe was waiting for it: whoever
   * answers a ping that left since then is alive.
   */
  ponged(timeMs: number, nowMs: number): boolean {
    if (timeMs !== this.#pingedMs) return false
    this.roundTripMs = nowMs - timeMs
    if (timeMs < this.#probeSinceMs) return false
    this.#probeSinceMs = Number.POSITIVE_INFINITY
    this.#probeDeadlineMs = Number.POSITIVE_INFINITY
    return true
  }

  /** How long nothing was heard, ms. */
  silentMs(nowMs: number): number {
    return nowMs - this.#heardMs
  }

  /** Our own loop stood still for `ms`: nothing of that counts against the other end. */
  excuse(ms: number, nowMs: number): void {
    this.#heardMs = Math.min(nowMs, this.#heardMs + ms)
    this.#framedMs = Math.min(nowMs, this.#framedMs + ms)
    this.#probeDeadlineMs += ms
  }

  /** @param untold whether messages came since we last told our totals */
  duty(nowMs: number, untold: boolean): HeartbeatDuty {
    const silentMs = this.silentMs(nowMs)
    if (silentMs >= this.#timeoutMs) return 'silent'
    // Bytes that never make a frame are no life: 64 KiB in so long a time is slower than any line that a mesh can use.
    if (nowMs - this.#framedMs >= frameTimeouts * this.#timeoutMs) return 'unframed'
    if (nowMs >= this.#probeDeadlineMs) return 'unanswered'
    const quarterMs = this.#timeoutMs / 4
    return nowMs - this.#pingedMs >= quarterMs && (silentMs >= quarterMs || untold) ? 'ping' : 'none'
  }
}
