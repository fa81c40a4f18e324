/** How long to wait before trying again: full jitter, so that what fails together does not return together. */
import type { Random } from '../../transport/index.ts'

/**
 * random(0, min(`msMax`, `msMin` * 2^`failures`)), ms, for the try after `failures` + 1 failures in a row.
 * Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backOffMs(random: Random, failures: number, msMin: number, msMax: number): number {
  return random.next() * Math.min(msMax, msMin * 2 ** failures)
}
