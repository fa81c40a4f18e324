/**
 * call: a message there and its echo back; how long that takes at the median and for the slowest in a hundred.
 *
 * `idle`: one call at a time, the next when the answer is there. A number: that many calls a second, each with a time at
 * which it is due, and measured from that time: a system that stalls is charged for every call that it kept waiting.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Figure, quantile } from '../../bench.ts'
import type { Times } from '../end.ts'
import type { Source } from '../ends.ts'
import type { Pair } from '../pair.ts'
import { callBytes, type Load, loads, warmUpSeconds } from '../parameters.ts'

/** In the source's process. */
export async function driveCalls(source: Source, load: Load, seconds: number): Promise<Times> {
  const drive = load === 'idle' ? oneAtATime : inTime
  await drive(source, warmUpSeconds, Number(load))
  const times = Float64Array.from(await drive(source, seconds, Number(load))).sort()
  return { p50: quantile(times, 0.5) * 1000, p99: quantile(times, 0.99) * 1000 }
}

async function oneAtATime(source: Source, seconds: number): Promise<readonly number[]> {
  const message = new Uint8Array(callBytes).fill(97)
  const times: number[] = []
  const endMs = performance.now() + seconds * 1000
  for (let sentMs = performance.now(); sentMs < endMs; ) {
    await source.call!(message)
    const nowMs = performance.now()
    times.push(nowMs - sentMs)
    sentMs = nowMs
  }
  return times
}

async function inTime(source: Source, seconds: number, perSecond: number): Promise<readonly number[]> {
  const message = new Uint8Array(callBytes).fill(97)
  const times: number[] = []
  const count = seconds * perSecond
  const startMs = performance.now()
  const calls: Promise<unknown>[] = []
  for (let sent = 0; sent < count; ) {
    const dueCount = Math.min(count, ((performance.now() - startMs) / 1000) * perSecond)
    for (; sent < dueCount; sent++) {
      const dueMs = startMs + (sent / perSecond) * 1000
      calls.push(source.call!(message).then(() => times.push(performance.now() - dueMs)))
    }
    await nextTurn()
  }
  await Promise.all(calls)
  return times
}

export async function measureCalls(pair: Pair, seconds: number): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const load of loads) figures.push(...callFigures(load, await pair.call({ load, seconds })))
  return figures
}

/** What every system reports of one load. */
export function callFigures(load: Load, { p50, p99 }: Times): readonly Figure[] {
  return [
    { case: 'call', parameters: { load }, metric: 'p50', value: p50, unit: 'us' },
    { case: 'call', parameters: { load }, metric: 'p99', value: p99, unit: 'us' },
  ]
}
