/**
 * A number that stands for a set of members: equal sets have equal digests, and different ones differ but for one case in 2^64.
 *
 * It is a sum of one hash per member, in two lanes of 32 bits, so the order of changes does not matter and a change costs
 * the same however large the set is. Its values travel between nodes: they never change, and golden vectors pin them.
 * Hot: twice per change of a member. Source: incremental hashing of multisets (Clarke et al. 2003); PROTOCOL.md.
 */
import { keyHash, mix } from './hash.ts'
import type { MemberMeta } from './meta.ts'

/** The two lanes of something: of a name, of metadata, of a whole digest; each u32. */
export interface Lanes {
  readonly high: number
  readonly low: number
}

const prime = 0x01000193
/** FNV-1a's state after U+0001. */
const afterPrefix = Math.imul(0x811c9dc5 ^ 1, prime)
const none: Lanes = { high: 0, low: 0 }
const float = new DataView(new ArrayBuffer(8))

/**
 * A text in both lanes: its key hash, and that of U+0001 and the text. The prefix makes the second one start from another state, so
 * the two do not collide together.
 */
export function lanesOf(text: string): Lanes {
  let low = afterPrefix
  for (let index = 0; index < text.length; index++) low = Math.imul(low ^ text.charCodeAt(index), prime)
  return { high: keyHash(text), low: mix(low) }
}

export class Digest implements Lanes {
  #high = 0
  #low = 0

  get high(): number {
    return this.#high >>> 0
  }

  get low(): number {
    return this.#low >>> 0
  }

  /** Adds a member of a group, or with `sign` -1 takes it out again; one with `times` 0 is no member. */
  count(
    group: Lanes,
    worker: number,
    index: number,
    times: number,
    meta: MemberMeta | undefined,
    sign: 1 | -1,
  ): void {
    if (times === 0) return
    const said = meta ? metaLanes(meta) : none
    this.#high = (this.#high + sign * memberHash(group.high, worker, index, times, said.high)) | 0
    this.#low = (this.#low + sign * memberHash(group.low, worker, index, times, said.low)) | 0
  }

  equals(other: Lanes): boolean {
    return this.high === other.high && this.low === other.low
  }
}

/** The one printed form: 16 hexadecimal digits, `high` first. */
export function digestText({ high, low }: Lanes): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}

function memberHash(group: number, worker: number, index: number, times: number, meta: number): number {
  return mix(mix(mix(mix(group + index) + worker) + times) + meta)
}

/** Field by field in their order: 0 where there is none, else 1 and the value; `draining` is 0, 1 (false) or 2 (true). */
export function metaLanes({ weight, zone, version, draining }: MemberMeta): Lanes {
  const zoneLanes = zone === undefined ? none : lanesOf(zone)
  const versionLanes = version === undefined ? none : lanesOf(version)
  const lane = (start: number, zoneHash: number, versionHash: number) => {
    let hash = mix(start)
    hash = weight === undefined ? mix(hash) : weightHash(mix(hash + 1), weight)
    hash = zone === undefined ? mix(hash) : mix(mix(hash + 1) + zoneHash)
    hash = version === undefined ? mix(hash) : mix(mix(hash + 1) + versionHash)
    return mix(hash + (draining === undefined ? 0 : draining ? 2 : 1))
  }
  return {
    high: lane(1, zoneLanes.high, versionLanes.high),
    low: lane(2, zoneLanes.low, versionLanes.low),
  }
}

/** The two halves of the weight as an IEEE 754 double. */
function weightHash(hash: number, weight: number): number {
  float.setFloat64(0, weight)
  return mix(mix(hash + float.getUint32(0)) + float.getUint32(4))
}
