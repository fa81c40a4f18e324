/**
 * Moments as people write and read them: `2026-02-24T18:30:00Z`, `18:30:05` (the last time it was that), `5m` (ago). In code
 * they are always milliseconds since 1970.
 */
import { InvalidArgumentError } from 'commander'
import { parseDuration } from './duration.ts'

const help = 'A time is 5m (ago), 18:30:05, or 2026-02-24T18:30:00 (with Z or +01:00, else local).'
const dayMs = 86_400_000

/**
 * Reads a moment, for use as a commander parser.
 *
 * @returns milliseconds since 1970, not in the future
 * @throws InvalidArgumentError when the text is none, or is in the future
 */
export function parseMoment(text: string, nowMs = Date.now()): number {
  const momentMs = momentOf(text, nowMs)
  if (Number.isNaN(momentMs)) throw new InvalidArgumentError(help)
  if (momentMs > nowMs) throw new InvalidArgumentError('That is in the future.')
  return momentMs
}

/** Local date and time; the date is left out where it is today's. */
export function printMoment(atMs: number, nowMs = Date.now()): string {
  const [date, time] = [dateOf(atMs), timeOf(atMs)]
  return date === dateOf(nowMs) ? time : `${date} ${time}`
}

function momentOf(text: string, nowMs: number): number {
  if (/^\d{1,2}:\d\d(:\d\d)?$/.test(text)) {
    const today = Date.parse(`${dateOf(nowMs)}T${text.padStart(text.length < 6 ? 5 : 8, '0')}`)
    return today > nowMs ? today - dayMs : today
  }
  if (/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(text)) return Date.parse(text)
  try {
    return nowMs - parseDuration(text)
  } catch {
    return Number.NaN
  }
}

function dateOf(atMs: number): string {
  const at = new Date(atMs)
  return [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-')
}

function timeOf(atMs: number): string {
  const at = new Date(atMs)
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
