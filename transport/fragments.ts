/**
 * How a long message is cut: into fragments that fit between other lanes' frames, so that nobody waits behind it. Hot for large payloads.
 *
 *   body   [ header | payload ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒ ]
 *   frames [ total, 0 | ▒▒▒▒▒▒▒▒ ][ total, 64 Ki | ▒▒▒▒▒▒▒▒ ][ total, 128 Ki | ▒▒▒▒ ]
 *
 * Each fragment says the length of the whole body and its own place in it, so the other end checks each on its own (reassembly.ts).
 * The payload is not copied: fragments are views of it. Fragments of one message follow each other in their lane; other lanes come between.
 * Invariant: the frames of a message take exactly `fragmentedBytes`, which is what the queue counted.
 */
import { blockHeadBytes, sealBlock } from './block.ts'
import { FrameKind, fragmentHeadBytes, headerBytes, writeHeader, writeU32 } from './wire.ts'

/** Most body bytes that a fragment carries; the option may say less. */
export const fragmentBytesLimit = 64 * 1024
/** A body that is longer than a fragment by no more than this goes whole: a payload of 64 KiB behind the headers of routing. */
const slackBytes = 256
/** Longest frame between two ends that both know fragments, header included; and longest control message. */
export const wholeFrameBytesLimit = headerBytes + fragmentBytesLimit + slackBytes

/** Longest block between them, its head included. */
export const blockBytesLimit = blockHeadBytes + wholeFrameBytesLimit

/** Longest frame that goes whole when fragments carry `fragmentBytesMax`, header included. */
export function wholeFrameBytesMax(fragmentBytesMax: number): number {
  return headerBytes + fragmentBytesMax + slackBytes
}

/** Bytes that a body takes in fragments, all headers included. */
export function fragmentedBytes(bodyBytes: number, fragmentBytesMax: number): number {
  return bodyBytes + Math.ceil(bodyBytes / fragmentBytesMax) * (headerBytes + fragmentHeadBytes)
}

/** One message, cut as it leaves. */
export class FragmentCutter {
  /** Bytes of the frames that have not left. */
  bytesLeft: number
  readonly #lane: number
  readonly #channel: number
  readonly #header: Uint8Array
  readonly #payload: Uint8Array
  readonly #bodyBytes: number
  readonly #fragmentBytesMax: number
  #at = 0

  /** Copies `header`, keeps `payload`. */
  constructor(
    lane: number,
    channel: number,
    header: Uint8Array,
    payload: Uint8Array,
    fragmentBytesMax: number,
  ) {
    this.#lane = lane
    this.#channel = channel
    this.#header = new Uint8Array(header)
    this.#payload = payload
    this.#bodyBytes = header.length + payload.length
    this.#fragmentBytesMax = fragmentBytesMax
    this.bytesLeft = fragmentedBytes(this.#bodyBytes, fragmentBytesMax)
  }

  /** The first fragment has left: there is no way back. */
  get begun(): boolean {
    return this.#at > 0
  }

  get done(): boolean {
    return this.#at === this.#bodyBytes
  }

  /** Puts the next fragment into `chunks`, as a block of its own if `inBlocks`; returns the fragment's bytes. */
  next(chunks: Uint8Array[], inBlocks: boolean): number {
    const from = this.#at
    const to = Math.min(this.#bodyBytes, from + this.#fragmentBytesMax)
    const own = this.#header.subarray(from, to)
    const rest = this.#payload.subarray(
      Math.max(0, from - this.#header.length),
      Math.max(0, to - this.#header.length),
    )
    const whole = Buffer.allocUnsafe(blockHeadBytes + headerBytes + fragmentHeadBytes + own.length)
    const head = whole.subarray(blockHeadBytes)
    writeHeader(head, 0, fragmentHeadBytes + to - from, FrameKind.fragment, this.#lane, this.#channel)
    writeU32(head, headerBytes, this.#bodyBytes)
    writeU32(head, headerBytes + 4, from)
    head.set(own, headerBytes + fragmentHeadBytes)
    chunks.push(inBlocks ? sealBlock(head, rest) : head)
    if (rest.length > 0) chunks.push(rest)
    this.#at = to
    const bytes = headerBytes + fragmentHeadBytes + to - from
    this.bytesLeft -= bytes
    return bytes
  }
}
