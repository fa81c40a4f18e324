/**
 * One link's messages that come in fragments: at most one per data lane at a time, each put together in one buffer of its size.
 *
 * A fragment must go on exactly where its lane stands: same channel, same total, next place. Anything else is no accident on an ordered
 * stream, and the link ends. Invariants: no buffer is larger than the longest message taken; a lane without a message under way owns none;
 * what is handed out is whole.
 */
import { Lane, laneCount } from './sent.ts'
import { fragmentHeadBytes, headerBytes, readU32 } from './wire.ts'

interface Partial {
  readonly channel: number
  readonly body: Uint8Array
  filledBytes: number
}

export class Reassembly {
  readonly #bodyBytesMax: number
  readonly #lanes: (Partial | undefined)[] = new Array(laneCount).fill(undefined)

  /** @param frameBytesMax longest message taken, as a frame with its header */
  constructor(frameBytesMax: number) {
    this.#bodyBytesMax = frameBytesMax - headerBytes
  }

  /** Whether a message of `lane` is under way: no other may come before its end. */
  busy(lane: number): boolean {
    return this.#lanes[lane] !== undefined
  }

  /** Takes one fragment frame's body, valid during the call: gives the whole message's body with the last one, or what is wrong with it. */
  take(lane: number, channel: number, fragment: Uint8Array): Uint8Array | undefined | string {
    if (lane === Lane.control || lane >= laneCount) return `a fragment in lane ${lane}`
    if (fragment.length <= fragmentHeadBytes) return 'a fragment of nothing'
    const [totalBytes, at] = [readU32(fragment, 0), readU32(fragment, 4)]
    const partial = this.#lanes[lane] ?? this.#begin(lane, channel, totalBytes, at)
    if (typeof partial === 'string') return partial
    const { body } = partial
    if (partial.channel !== channel) return `a fragment of channel ${channel} in one of ${partial.channel}`
    if (body.length !== totalBytes) return `a fragment of ${totalBytes} bytes in a message of ${body.length}`
    if (partial.filledBytes !== at) return `a fragment for byte ${at} where ${partial.filledBytes} is next`
    const end = at + fragment.length - fragmentHeadBytes
    if (end > totalBytes) return `a fragment to byte ${end} of ${totalBytes}`
    body.set(fragment.subarray(fragmentHeadBytes), at)
    partial.filledBytes = end
    if (end < totalBytes) return undefined
    this.#lanes[lane] = undefined
    return body
  }

  /** Lets go of what is under way. */
  clear(): void {
    this.#lanes.fill(undefined)
  }

  #begin(lane: number, channel: number, totalBytes: number, at: number): Partial | string {
    if (at !== 0) return `a fragment for byte ${at} of a message that never began`
    if (totalBytes > this.#bodyBytesMax) return `a message of ${totalBytes} bytes in fragments`
    // Not from the pool, and not touched before its bytes come: a long total costs address space at first, not memory.
    const partial = { channel, body: Buffer.allocUnsafeSlow(totalBytes), filledBytes: 0 }
    this.#lanes[lane] = partial
    return partial
  }
}
