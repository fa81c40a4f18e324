/**
 * mesh-oneway: as `oneway`, but the transport alone: what the layers above it cost is the difference.
 * mesh-oneway-unchecked: the same without checksums: what these cost is the difference.
 */
import type { Figure } from '../../bench.ts'
import { freePorts } from '../../machine.ts'
import { Pair } from '../pair.ts'
import { measureOneway } from './oneway.ts'

export async function measureMesh(seconds: number): Promise<readonly Figure[]> {
  return [
    ...(await measure('mesh', 'mesh-oneway', seconds)),
    ...(await measure('mesh-unchecked', 'mesh-oneway-unchecked', seconds)),
  ]
}

async function measure(ends: string, name: string, seconds: number): Promise<readonly Figure[]> {
  using pair = await Pair.start(ends, (await freePorts(2)).join())
  return await measureOneway(pair, seconds, name)
}
