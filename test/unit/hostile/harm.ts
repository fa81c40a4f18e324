/**
 * What hostile input must never do to a process: change what all objects inherit, or make the heap grow.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Live bytes, on the heap and in buffers. */
export function liveBytes(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** All that plain objects, lists, maps and functions inherit, as one text: equal before and after. */
export function inherited(): string {
  return [Object, Array, Map, Set, Function, Uint8Array, Buffer, Date, String, Number]
    .map(type => Reflect.ownKeys(type.prototype).map(String).join())
    .join('\n')
}
