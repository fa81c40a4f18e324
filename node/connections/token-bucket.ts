/**
 * A token bucket: a rate with room for bursts, and a limited debt, in two numbers and without a timer.
 *
 * Whoever is refused and goes on all the same runs into debt; a bucket in full debt tells a flood from a busy moment.
 * Invariant: -burst <= tokens <= burst.
 */
export class TokenBucket {
  #tokens: number
  #atMs: number

  constructor(burst: number, nowMs: number) {
    this.#tokens = burst
    this.#atMs = nowMs
  }

  /** Takes `cost` tokens; true when they were there. */
  take(cost: number, nowMs: number, perSecond: number, burst: number): boolean {
    const refilled = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * perSecond)
    this.#atMs = nowMs
    this.#tokens = Math.max(-burst, refilled - cost)
    return this.#tokens >= 0
  }

  /** Until one token is there again, ms. */
  waitMs(perSecond: number): number {
    return Math.max(0, ((1 - this.#tokens) / perSecond) * 1000)
  }

  /** True when it is so far in debt that this is no busy moment. */
  isFlooded(burst: number): boolean {
    return this.#tokens <= -burst
  }
}
