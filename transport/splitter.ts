/**
 * Cuts a stream's reads into frames. Hot path.
 *
 * A frame that is complete in the read is handed on as a view into the read buffer, without a copy; only an incomplete
 * last frame is kept, in a buffer of exactly its size. So an idle link owns nothing, and a handed-on body is valid only
 * during the call. Invariant: what comes out does not depend on where the stream was cut into reads.
 */
import { channelOffset, headerBytes, kindOffset, laneOffset, readU32, reservedOffset } from './wire.ts'

/** Takes frames as they complete. */
export interface FrameSink {
  /** `body` is only valid during the call. */
  frame(kind: number, lane: number, channel: number, body: Uint8Array): void
}

export class Splitter {
  /** Longest frame taken, header included; may be changed from within {@link FrameSink.frame} and holds from the next frame on. */
  frameBytesMax: number
  readonly #sink: FrameSink
  #stopped = false
  /** The incomplete frame: its header while that is incomplete, then the whole frame's room. */
  #tail: Uint8Array = noBytes
  #tailBytes = 0

  constructor(sink: FrameSink, frameBytesMax: number) {
    this.#sink = sink
    this.frameBytesMax = frameBytesMax
  }

  /** Takes one read; false if it holds something that is no frame (too long, or with a reserved byte set): give the stream up. */
  push(bytes: Uint8Array): boolean {
    const end = bytes.length
    let at = 0
    if (this.#tailBytes > 0) {
      at = this.#fillTail(bytes)
      if (at < 0) return false
    }
    while (end - at >= headerBytes && !this.#stopped) {
      const frameBytes = headerBytes + readU32(bytes, at)
      if (frameBytes > this.frameBytesMax || bytes[at + reservedOffset] !== 0) return false
      if (frameBytes > end - at) break
      this.#sink.frame(
        bytes[at + kindOffset]!,
        bytes[at + laneOffset]!,
        bytes[at + channelOffset]!,
        new Uint8Array(bytes.buffer, bytes.byteOffset + at + headerBytes, frameBytes - headerBytes),
      )
      at += frameBytes
    }
    if (at < end && !this.#stopped) this.#keepTail(bytes, at)
    return true
  }

  /** Hands on nothing more, also not the rest of the read under way. */
  stop(): void {
    this.#stopped = true
    this.#tail = noBytes
    this.#tailBytes = 0
  }

  /** Keeps what follows `at`: less than one frame, its header already checked if it is all there. */
  #keepTail(bytes: Uint8Array, at: number): void {
    const kept = bytes.length - at
    const room = kept < headerBytes ? headerBytes : headerBytes + readU32(bytes, at)
    this.#tail = Buffer.allocUnsafe(room)
    this.#tail.set(at === 0 ? bytes : bytes.subarray(at), 0)
    this.#tailBytes = kept
  }

  /** Completes the kept frame from the front of `bytes`; returns how many were used, or -1 for what is no frame. */
  #fillTail(bytes: Uint8Array): number {
    let at = 0
    if (this.#tailBytes < headerBytes) {
      at = this.#take(bytes, 0, headerBytes)
      if (this.#tailBytes < headerBytes) return at
    }
    const frameBytes = headerBytes + readU32(this.#tail, 0)
    if (frameBytes > this.frameBytesMax || this.#tail[reservedOffset] !== 0) return -1
    if (this.#tail.length < frameBytes) {
      const whole = Buffer.allocUnsafe(frameBytes)
      whole.set(this.#tail, 0)
      this.#tail = whole
    }
    at += this.#take(bytes, at, frameBytes)
    if (this.#tailBytes < frameBytes) return at
    const frame = this.#tail
    this.#tail = noBytes
    this.#tailBytes = 0
    this.#sink.frame(
      frame[kindOffset]!,
      frame[laneOffset]!,
      frame[channelOffset]!,
      new Uint8Array(frame.buffer, frame.byteOffset + headerBytes, frameBytes - headerBytes),
    )
    return at
  }

  /** Moves bytes from `at` on into the tail until it holds `wanted`; returns how many it moved. */
  #take(bytes: Uint8Array, at: number, wanted: number): number {
    const taken = Math.min(wanted - this.#tailBytes, bytes.length - at)
    this.#tail.set(bytes.subarray(at, at + taken), this.#tailBytes)
    this.#tailBytes += taken
    return taken
  }
}

const noBytes = new Uint8Array(0)
