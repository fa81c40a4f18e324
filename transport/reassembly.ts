/**
 * One link's messages that come in fragments: at most one per data lane at a time, each put together in one buffer.
 *
 *   [ ▒▒▒▒▒▒▒▒ 256 KiB ]  ──▶  [ ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒         1 MiB ]  ──▶  ...  ──▶  [ ▒▒▒ the whole ▒▒▒ ]
 *
 * A fragment must go on exactly where its lane stands: same channel, same total, next place. Anything else is no accident on an ordered
 * stream, and the link ends. Invariants: a buffer is at most four times what came, or {@link firstBytes}; a lane without a message under way
 * owns none; what is handed out is whole.
 */
import type { ArrivalBudget } from './arrival-budget.ts'
import { Lane, laneCount } from './sent.ts'
import { fragmentHeadBytes, headerBytes, readU32 } from './wire.ts'

/** A message's first buffer, bytes. */
const firstBytes = 256 * 1024
/** A full buffer is followed by one so many times its size: a third of a long message is copied once more, and a lie costs its teller a quarter of it. */
const growth = 4

/** What a fragment came to: nothing yet, a whole message's body, one that was too much, or what is wrong with it. */
export type Reassembled = undefined | Uint8Array | typeof overflowed | { readonly wrong: string }

/** The last fragment of a message that was not kept. */
export const overflowed = Symbol('overflowed')

interface Partial {
  readonly channel: number
  readonly totalBytes: number
  /** Grows with what comes; `undefined` when there was no memory for it. */
  body: Uint8Array | undefined
  filledBytes: number
}

export class Reassembly {
  readonly #bodyBytesMax: number
  readonly #budget: ArrivalBudget
  readonly #lanes: (Partial | undefined)[] = new Array(laneCount).fill(undefined)

  /** @param frameBytesMax longest message taken, as a frame with its header */
  constructor(frameBytesMax: number, budget: ArrivalBudget) {
    this.#bodyBytesMax = frameBytesMax - headerBytes
    this.#budget = budget
  }

  /** Whether a message of `lane` is under way: no other may come before its end. */
  busy(lane: number): boolean {
    return this.#lanes[lane] !== undefined
  }

  /** Takes one fragment frame's body, valid during the call. */
  take(lane: number, channel: number, fragment: Uint8Array): Reassembled {
    if (lane === Lane.control || lane >= laneCount) return { wrong: `a fragment in lane ${lane}` }
    if (fragment.length <= fragmentHeadBytes) return { wrong: 'a fragment of nothing' }
    const [totalBytes, at] = [readU32(fragment, 0), readU32(fragment, 4)]
    const end = at + fragment.length - fragmentHeadBytes
    const partial = this.#lanes[lane]
    const wrong =
      partial === undefined ? this.#misfit(totalBytes, at) : misfit(partial, channel, totalBytes, at)
    if (wrong !== undefined) return { wrong }
    if (end > totalBytes) return { wrong: `a fragment to byte ${end} of ${totalBytes}` }
    return this.#fill(lane, partial ?? this.#begin(lane, channel, totalBytes), fragment, end)
  }

  /** Lets go of what is under way. */
  clear(): void {
    for (const partial of this.#lanes) if (partial !== undefined) this.#drop(partial)
    this.#lanes.fill(undefined)
  }

  #misfit(totalBytes: number, at: number): string | undefined {
    if (at !== 0) return `a fragment for byte ${at} of a message that never began`
    return totalBytes > this.#bodyBytesMax ? `a message of ${totalBytes} bytes in fragments` : undefined
  }

  #begin(lane: number, channel: number, totalBytes: number): Partial {
    const bytes = Math.min(totalBytes, firstBytes)
    // Not from the pool: it is the receiver's to keep.
    const body = this.#budget.take(bytes) ? Buffer.allocUnsafeSlow(bytes) : undefined
    const partial = { channel, totalBytes, body, filledBytes: 0 }
    this.#lanes[lane] = partial
    return partial
  }

  #fill(lane: number, partial: Partial, fragment: Uint8Array, end: number): Reassembled {
    if (partial.body !== undefined && end > partial.body.length) this.#grow(partial, end)
    partial.body?.set(fragment.subarray(fragmentHeadBytes), partial.filledBytes)
    partial.filledBytes = end
    if (end < partial.totalBytes) return undefined
    const { body } = partial
    this.#drop(partial)
    this.#lanes[lane] = undefined
    return body ?? overflowed
  }

  #grow(partial: Partial, bytesMin: number): void {
    const { body, totalBytes, filledBytes } = partial
    const bytes = Math.min(totalBytes, Math.max(bytesMin, growth * body!.length))
    this.#drop(partial)
    if (!this.#budget.take(bytes)) return
    partial.body = Buffer.allocUnsafeSlow(bytes)
    partial.body.set(body!.subarray(0, filledBytes))
  }

  #drop(partial: Partial): void {
    if (partial.body !== undefined) this.#budget.give(partial.body.length)
    partial.body = undefined
  }
}

function misfit(partial: Partial, channel: number, totalBytes: number, at: number): string | undefined {
  if (partial.channel !== channel) return `a fragment of channel ${channel} in one of ${partial.channel}`
  if (partial.totalBytes !== totalBytes)
    return `a fragment of ${totalBytes} bytes in a message of ${partial.totalBytes}`
  if (partial.filledBytes !== at) return `a fragment for byte ${at} where ${partial.filledBytes} is next`
  return undefined
}
