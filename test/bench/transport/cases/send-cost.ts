/**
 * send-cost: what one send costs its sender until it returns: ns, and bytes allocated (heap and buffers).
 *
 * Of `path` cast: the target chosen, the message encoded, the frame queued; of `mesh`: the frame queued. Nothing of what the
 * turn's end does, one write for all of it, is in it. Medians over bursts.
 */
import { type Figure, median } from '../../bench.ts'
import { freePorts } from '../../machine.ts'
import type { Source } from '../ends.ts'
import { Pair } from '../pair.ts'
import { callBytes, senders, warmUpSeconds } from '../parameters.ts'

export interface SendCost {
  readonly ns: number
  readonly bytes: number
}

const burst = 1000

/** In the source's process. */
export async function driveSends(source: Source, seconds: number): Promise<SendCost> {
  const message = new Uint8Array(callBytes).fill(97)
  const nanoseconds: number[] = []
  const bytes: number[] = []
  const startMs = performance.now() + warmUpSeconds * 1000
  for (let nowMs = 0; nowMs < startMs + seconds * 1000; nowMs = performance.now()) {
    const beforeBytes = allocatedBytes()
    const beforeMs = performance.now()
    for (let i = 0; i < burst; i++) source.send(i % senders, message)
    const afterMs = performance.now()
    const grownBytes = allocatedBytes() - beforeBytes
    if (nowMs > startMs) nanoseconds.push(((afterMs - beforeMs) * 1e6) / burst)
    // Less than nothing: the garbage collector came in between.
    if (nowMs > startMs && grownBytes >= 0) bytes.push(grownBytes / burst)
    await source.pace()
  }
  return { ns: middle(nanoseconds), bytes: middle(bytes) }
}

export async function measureSendCost(seconds: number): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const path of ['cast', 'mesh'] as const) {
    using pair = await Pair.start(path === 'cast' ? 'wandist' : 'mesh', (await freePorts(2)).join())
    const { ns, bytes } = await pair.cost(seconds)
    const parameters = { path, bytes: callBytes }
    figures.push({ case: 'send-cost', parameters, metric: 'time', value: ns, unit: 'ns/msg' })
    figures.push({ case: 'send-cost', parameters, metric: 'allocated', value: bytes, unit: 'B/msg' })
  }
  return figures
}

function allocatedBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function middle(values: readonly number[]): number {
  return median(values.toSorted((a, b) => a - b))
}
