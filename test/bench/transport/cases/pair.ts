/** The cases that a pair of processes runs: what wandist, NATS and Moleculer are compared by. */
import type { Figure, RunOptions } from '../../bench.ts'
import { Pair } from '../pair.ts'
import { measureCalls } from './call.ts'
import { measureOneway } from './oneway.ts'

/** Runs what is asked for, each case with two ends of its own: what one did to their heaps is no business of the next. */
export async function measurePair(
  system: string,
  at: string,
  { seconds, wants }: RunOptions,
  servers: readonly number[] = [],
): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  if (wants('oneway')) {
    using pair = await Pair.start(system, at, servers)
    figures.push(...(await measureOneway(pair, seconds)))
  }
  if (wants('call')) {
    using pair = await Pair.start(system, at, servers)
    figures.push(...(await measureCalls(pair, seconds)))
  }
  return figures
}
