/**
 * A clock and timers that stand still until a test moves them: time jumps from timer to timer, so that a minute takes no time and
 * a run is the same every time. `stall` moves time without running anything, as a blocked event loop does.
 */
import type { Clock, Random, TimerHandle, Timers } from '../../../transport/index.ts'

interface Timer {
  readonly dueMs: number
  readonly order: number
  readonly run: () => void
}

export class ManualClock implements Clock, Timers {
  readonly #timers = new Set<Timer>()
  #soon: (() => void)[] = []
  #nowMs = 1_000
  #order = 0

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return Date.UTC(2030, 0, 1) + this.#nowMs
  }

  after(delayMs: number, run: () => void): TimerHandle {
    const timer = { dueMs: this.#nowMs + delayMs, order: this.#order++, run }
    this.#timers.add(timer)
    return timer
  }

  cancel(handle: TimerHandle | undefined): void {
    this.#timers.delete(handle as Timer)
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  /** Timers that have not fired. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** One turn of the loop: what was asked for `soon` before it. */
  turn(): void {
    const soon = this.#soon
    this.#soon = []
    for (const run of soon) run()
  }

  /** Turns until nothing is left to do at this moment. */
  settle(): void {
    for (let turns = 0; this.#soon.length > 0; turns++) {
      if (turns > 10_000) throw new Error('the loop does not come to rest')
      this.turn()
    }
  }

  /** Lets `ms` pass, running every timer at its time; `afterEach` is called after each of them. */
  advance(ms: number, afterEach: () => void = () => {}): void {
    const endMs = this.#nowMs + ms
    this.settle()
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      this.#timers.delete(next)
      next.run()
      this.settle()
      afterEach()
    }
    this.#nowMs = endMs
  }

  /** Advances in small steps until `condition` holds; throws after `msMax`. Returns how long it took, ms. */
  until(condition: () => boolean, msMax = 60_000): number {
    const startMs = this.#nowMs
    this.settle()
    while (!condition()) {
      if (this.#nowMs - startMs >= msMax) throw new Error(`not within ${msMax} ms: ${condition}`)
      this.advance(1)
    }
    return this.#nowMs - startMs
  }

  /** `ms` pass while the loop stands still. */
  stall(ms: number): void {
    this.#nowMs += ms
  }

  #next(endMs: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs > endMs) continue
      if (
        next === undefined ||
        timer.dueMs < next.dueMs ||
        (timer.dueMs === next.dueMs && timer.order < next.order)
      )
        next = timer
    }
    return next
  }
}

/** Random numbers from a seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
  return { next, bytes: count => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)) }
}
