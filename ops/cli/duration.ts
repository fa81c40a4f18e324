/**
 * Durations as people write and read them: `500ms`, `2s`, `1m`, `1h`. In code they are always milliseconds.
 */
import { InvalidArgumentError } from 'commander'

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/**
 * Reads a duration, for use as a commander parser.
 *
 * @returns milliseconds, more than 0
 * @throws InvalidArgumentError when the text is none, or is zero
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text)
  const durationMs = match ? Number(match[1]) * unitMs[match[2]!]! : 0
  if (!(durationMs > 0) || durationMs > 0x7fff_ffff) {
    throw new InvalidArgumentError('A duration is a number with ms, s, m or h, such as 500ms, 2s or 1m.')
  }
  return durationMs
}

/** Reads how long to wait for an answer: a duration of at most a minute, beyond which nobody waits for one. */
export function parseTimeout(text: string): number {
  const timeoutMs = parseDuration(text)
  if (timeoutMs > unitMs.m!) throw new InvalidArgumentError('An answer is waited for 1m at most.')
  return timeoutMs
}

/** How long something has lasted, in its two largest units: `3d 4h`, `5m 12s`, `250ms`. */
export function printDuration(durationMs: number): string {
  if (durationMs > 0 && durationMs < 1_000) return `${Math.round(durationMs)}ms`
  const seconds = Math.floor(durationMs / 1_000)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h ${Math.floor((seconds % 3_600) / 60)}m`
  return `${Math.floor(seconds / 86_400)}d ${Math.floor((seconds % 86_400) / 3_600)}h`
}
