/**
 * oneway: messages one way as fast as they are taken; the figure is what arrived and was decoded, per second.
 *
 * Eight senders, eight receivers. The receiver tells count and time in one breath, so nothing that is still under way
 * is counted. `cpu` is the processor time of both ends, and of servers in between, per message.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Figure } from '../../bench.ts'
import type { Source } from '../ends.ts'
import type { Pair } from '../pair.ts'
import { bytesList, senders, warmUpSeconds } from '../parameters.ts'

/** Messages between two looks at the back-pressure: this many bytes of them, within limits. */
const burstBytes = 256 * 1024
const burstMessagesMax = 1000

/** In the source's process: sends until told to stop. */
export async function driveOneway(source: Source, bytes: number, stop: AbortSignal): Promise<void> {
  const message = new Uint8Array(bytes).fill(97)
  const burst = Math.min(burstMessagesMax, Math.max(senders, Math.floor(burstBytes / bytes)))
  while (!stop.aborted) {
    for (let i = 0; i < burst; i++) source.send(i % senders, message)
    await source.pace()
  }
}

export async function measureOneway(
  pair: Pair,
  seconds: number,
  name = 'oneway',
  sizes: readonly number[] = bytesList,
): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const bytes of sizes) {
    await pair.blast(bytes)
    await sleep(warmUpSeconds * 1000)
    const [start, startCpuMs] = [await pair.mark(), pair.cpuMs()]
    await sleep(seconds * 1000)
    const [end, endCpuMs] = [await pair.mark(), pair.cpuMs()]
    await pair.stop()
    await settled(pair)
    const messages = end.received - start.received
    const rate = (messages / (end.nowMs - start.nowMs)) * 1000
    figures.push(...onewayFigures(name, bytes, rate, ((endCpuMs - startCpuMs) * 1000) / messages))
  }
  return figures
}

/** Until what was sent has arrived, or been refused: the next size must not be credited with it. */
async function settled(pair: Pair): Promise<void> {
  let last = -1
  for (let now = (await pair.mark()).received; now !== last; now = (await pair.mark()).received) {
    last = now
    await sleep(200)
  }
}

/** What every system reports of one size. */
export function onewayFigures(name: string, bytes: number, rate: number, cpu: number): readonly Figure[] {
  return [
    { case: name, parameters: { bytes }, metric: 'rate', value: rate, unit: 'msg/s' },
    { case: name, parameters: { bytes }, metric: 'throughput', value: (rate * bytes) / 1e9, unit: 'GB/s' },
    { case: name, parameters: { bytes }, metric: 'cpu', value: cpu, unit: 'us/msg' },
  ]
}
