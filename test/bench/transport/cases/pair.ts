/** The cases that a pair of processes runs: what wandist, NATS and Moleculer are compared by. */
import type { Figure, RunOptions } from '../../bench.ts'
import { Pair } from '../pair.ts'
import { measureCalls } from './call.ts'
import { measureOneway } from './oneway.ts'

/** Starts a system's two ends, runs what is asked for, and ends them. */
export async function measurePair(
  system: string,
  at: string,
  { seconds, wants }: RunOptions,
  servers: readonly number[] = [],
): Promise<readonly Figure[]> {
  if (!wants('oneway') && !wants('call')) return []
  using pair = await Pair.start(system, at, servers)
  const figures: Figure[] = []
  if (wants('oneway')) figures.push(...(await measureOneway(pair, seconds)))
  if (wants('call')) figures.push(...(await measureCalls(pair, seconds)))
  return figures
}
