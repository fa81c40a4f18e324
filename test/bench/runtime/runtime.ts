/**
 * runtime: what processes cost, on one thread.
 *
 * `memory` is what the heap and the buffers beside it grow by, collected before and after, for each idle process, its
 * server without fields included, and for each pending timer, all of them owned by processes that were there before.
 */
import type { Bench } from '../bench.ts'
import { wandist } from './systems/wandist.ts'

export const runtime: Bench = {
  name: 'runtime',
  about: 'processes on one thread: memory of idle processes and of pending timers',
  ours: wandist,
  peers: [],
}
