/** How long to wait before the next dial: full jitter, so that a thousand peers of a restarted node come as a slope. */
import type { Random } from './ports.ts'

/**
 * random(0, min(`msMax`, `msMin` * 2^`failures`)), ms.
 * Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoffMs(random: Random, failures: number, msMin: number, msMax: number): number {
  return random.next() * Math.min(msMax, msMin * 2 ** failures)
}
