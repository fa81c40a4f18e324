/**
 * Waiting: until the next try after failures, and until anything at all, in a way that a stop can end.
 *
 * The moment of the next try is drawn at random, so that nodes which lost Consul together do not come back together.
 */
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Milliseconds until the next try after `failures` failures in a row (1 or more): random, from `msMin` to a
 * bound that doubles up to `msMax`.
 */
export function backoffMs(failures: number, msMin: number, msMax: number, random = Math.random): number {
  const bound = Math.min(msMax, msMin * 2 ** failures)
  return msMin + random() * Math.max(0, bound - msMin)
}

/** Waits; resolves early, without an error, when `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  await delay(ms, undefined, { signal }).catch(() => {})
}
