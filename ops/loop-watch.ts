/**
 * Watches this process's event loop and garbage collector, for the status row and the metrics.
 *
 * Everything is a total that only grows, so that any two looks, by anybody, give the truth about the time between them.
 * A block of the loop is counted once for each tick that it swallowed: whoever came during it waited too.
 * Source: R14 s8, `sched %util` and `gc /sec`; Tene's "coordinated omission".
 */
import { PerformanceObserver, performance } from 'node:perf_hooks'

/** Upper ends of the delay histogram's buckets, in ms; one more bucket takes what is above. */
export const delayBucketsMs: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]

/** Totals since the process began. */
export interface LoopTotals {
  readonly idleMs: number
  readonly activeMs: number
  /** How many ticks were late, by {@link delayBucketsMs}. */
  readonly delayCounts: readonly number[]
  /** Their delays, summed. */
  readonly delayMs: number
  readonly gcRuns: number
}

/** How often the loop is asked how late it is. Less: finer, and more wake-ups of an idle node. */
const TICK_MS = 20

/** Runs from its making to `stop`. It never keeps the process alive. */
export class LoopWatch {
  readonly #delayCounts: number[] = new Array(delayBucketsMs.length + 1).fill(0)
  readonly #collector: PerformanceObserver
  readonly #ticker: NodeJS.Timeout
  #gcRuns = 0
  #delayMs = 0
  #dueMs = performance.now() + TICK_MS

  constructor() {
    this.#collector = new PerformanceObserver(list => {
      this.#gcRuns += list.getEntries().length
    })
    this.#collector.observe({ entryTypes: ['gc'] })
    this.#ticker = setInterval(() => this.#tick(), TICK_MS).unref()
  }

  totals(): LoopTotals {
    const { idle, active } = performance.eventLoopUtilization()
    return {
      idleMs: idle,
      activeMs: active,
      delayCounts: [...this.#delayCounts],
      delayMs: this.#delayMs,
      gcRuns: this.#gcRuns,
    }
  }

  stop(): void {
    clearInterval(this.#ticker)
    this.#collector.disconnect()
  }

  #tick(): void {
    const nowMs = performance.now()
    this.#delayMs += countDelay(this.#delayCounts, Math.max(0, nowMs - this.#dueMs))
    this.#dueMs = nowMs + TICK_MS
  }
}

/** Adds one tick that came `delayMs` late, and those that it swallowed; returns the sum of their delays. */
export function countDelay(counts: number[], delayMs: number): number {
  let sumMs = 0
  for (let leftMs = delayMs; leftMs >= 0; leftMs -= TICK_MS) {
    const bucket = delayBucketsMs.findIndex(endMs => leftMs <= endMs)
    counts[bucket < 0 ? delayBucketsMs.length : bucket]! += 1
    sumMs += leftMs
  }
  return sumMs
}

/**
 * The delay that a share `quantile` of the counted ticks did not exceed, in ms, read off within its bucket; 0 without
 * any tick. What is above the last bucket reads as its end.
 */
export function delayQuantileMs(counts: readonly number[], quantile: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return 0
  let rank = quantile * total
  for (const [bucket, count] of counts.entries()) {
    if (rank > count || count === 0) {
      rank -= count
      continue
    }
    const endMs = delayBucketsMs[bucket]
    const beginMs = delayBucketsMs[bucket - 1] ?? 0
    return endMs === undefined ? beginMs : beginMs + (endMs - beginMs) * (rank / count)
  }
  return delayBucketsMs.at(-1)!
}
