/**
 * Frames between phones and servers: a u32 length, big-endian, and that many bytes of CBOR. Used by both ends.
 *
 *      0        4              4 + length
 *      | length | one CBOR map |
 *
 * Pure: bytes in, frames out. A frame that lies complete in what was received is handed on without a copy; only a frame
 * cut by the network is put together in memory of its own, which grows with the bytes received and not with the length
 * that was claimed, and is given back when the frame is done.
 * Invariant: how the network cuts the bytes changes nothing in what comes out.
 */
import { encodeCbor } from './cbor.ts'

/** Longest frame of the protocol, without its length field. */
export const FRAME_BYTES_MAX = 64 * 1024

const HEADER_BYTES = 4
/** First piece of memory for a cut frame. */
const HELD_BYTES_MIN = 256

/** One frame, length and all, ready to be written. */
export function encodeFrame(message: object): Uint8Array {
  const body = encodeCbor(message)
  const frame = new Uint8Array(HEADER_BYTES + body.length)
  new DataView(frame.buffer).setUint32(0, body.length)
  frame.set(body, HEADER_BYTES)
  return frame
}

/** Why a stream of bytes cannot be read on. */
export type FrameError = 'frame-too-big' | 'bad-frame'

/** Who gets the frames. */
export interface FrameSink {
  /** One frame without its length, valid only during the call; false stops the reading, and the rest is dropped. */
  takeFrame(frame: Uint8Array): boolean
}

/** Puts frames together from bytes as they arrive. */
export class FrameReader {
  /** The longest frame that is taken; may be changed between frames. */
  frameBytesMax: number
  /** The beginning of a cut frame, its header included. */
  #held: Uint8Array | undefined
  #heldBytes = 0

  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax
  }

  /**
   * Takes bytes as they came and hands on each complete frame, without its length.
   * @returns why reading cannot go on, or `undefined`
   */
  feed(bytes: Uint8Array, sink: FrameSink): FrameError | undefined {
    let at = 0
    while (at < bytes.length) {
      if (this.#held === undefined && bytes.length - at >= HEADER_BYTES) {
        const length = readLength(bytes, at)
        const error = this.#check(length)
        if (error !== undefined) return error
        const end = at + HEADER_BYTES + length
        if (end <= bytes.length) {
          if (!sink.takeFrame(bytes.subarray(at + HEADER_BYTES, end))) return undefined
          at = end
          continue
        }
      }
      // What is wanted next: first the length, then the rest of the frame.
      const wanted = this.#heldBytes < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + readLength(this.#held!, 0)
      const count = Math.min(wanted - this.#heldBytes, bytes.length - at)
      this.#hold(bytes.subarray(at, at + count), wanted)
      at += count
      if (this.#heldBytes === HEADER_BYTES && wanted === HEADER_BYTES) {
        const error = this.#check(readLength(this.#held!, 0))
        if (error !== undefined) return error
      } else if (this.#heldBytes === wanted && wanted > HEADER_BYTES) {
        const frame = this.#held!.subarray(HEADER_BYTES, wanted)
        this.#held = undefined
        this.#heldBytes = 0
        if (!sink.takeFrame(frame)) return undefined
      }
    }
    return undefined
  }

  #check(length: number): FrameError | undefined {
    if (length > this.frameBytesMax) return 'frame-too-big'
    return length === 0 ? 'bad-frame' : undefined
  }

  #hold(bytes: Uint8Array, wanted: number): void {
    const need = this.#heldBytes + bytes.length
    if (this.#held === undefined || this.#held.length < need) {
      const larger = new Uint8Array(
        Math.min(Math.max(wanted, HEADER_BYTES), Math.max(need * 2, HELD_BYTES_MIN)),
      )
      if (this.#held !== undefined) larger.set(this.#held.subarray(0, this.#heldBytes))
      this.#held = larger
    }
    this.#held.set(bytes, this.#heldBytes)
    this.#heldBytes = need
  }
}

function readLength(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x100_0000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!)
}
