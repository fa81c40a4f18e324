/**
 * Cuts a stream's reads into frames, and takes them out of their blocks where the two ends agreed on these. Hot path.
 *
 * A frame that is complete in the read is handed on as a view into the read buffer, without a copy; only an incomplete
 * last frame is kept, in a buffer of exactly its size. The rest of a long one is read right into that buffer (`room`), and so is
 * what will probably be the next long one: then nothing is copied at all. A long message that comes alone keeps that buffer as its own;
 * blocks of several frames come in buffers that serve again. An idle link owns nothing beyond such a guess, and its next heartbeat
 * takes that back.
 * Invariant: what comes out does not depend on where the stream was cut into reads.
 */
import { blockHeadBytes, type FrameSink, isBlockHeader, unpackBlock } from './block.ts'
import { blockBytesLimit } from './fragments.ts'
import {
  channelOffset,
  FrameKind,
  headerBytes,
  kindOffset,
  laneOffset,
  readU32,
  reservedOffset,
} from './wire.ts'

/** From here on a frame gets a buffer that is read into, bytes: below, a copy costs less than a read of its own. */
const longBytesMin = 16 * 1024
/** Buffers for blocks of several frames, of all splitters together. */
const spares: Uint8Array[] = []
const sparesMax = 8

export class Splitter {
  /** Longest frame taken, header included; may be changed from within {@link FrameSink.frame} and holds from the next frame on. */
  frameBytesMax: number
  readonly #sink: FrameSink
  #inBlocks = false
  #stopped = false
  /** The incomplete frame: its header while that is incomplete, then the whole frame's room. Or, without a byte in it, a guess at the next one's. */
  #tail: Uint8Array = noBytes
  #tailBytes = 0
  /** The tail lies in one of the {@link spares}, which gets it back. */
  #isSpare = false
  /** The last long frame was a block of several: the next one is probably like it, and nothing of it will be kept. */
  #inCompany = false
  /** Length of the last frame, if it was long and ended where a read ended: the next one is probably like it. */
  #guessBytes = 0

  constructor(sink: FrameSink, frameBytesMax: number) {
    this.#sink = sink
    this.frameBytesMax = frameBytesMax
  }

  /** From the next frame on everything comes in blocks; only a goodbye that left before its sender knew may still come without. */
  expectBlocks(): void {
    this.#inBlocks = true
    this.frameBytesMax = blockBytesLimit
  }

  /** Where the next read should go, so that it need not be copied; `undefined` where that does not matter. */
  room(): Uint8Array | undefined {
    if (this.#stopped) return undefined
    if (this.#tailBytes === 0 && this.#guessBytes > 0) this.#tail = this.#newTail(this.#guessBytes)
    // Also when little is missing: the read ends with the frame then, and the next one begins where it can stay.
    return this.#tail.length < longBytesMin ? undefined : this.#tail.subarray(this.#tailBytes)
  }

  /** Takes one read; says what it holds that is no frame, if anything: then the stream must be given up. */
  push(bytes: Uint8Array): string | undefined {
    if (this.#isInRoom(bytes)) return this.#grown(bytes.length)
    let at = 0
    if (this.#tailBytes > 0) {
      at = this.#fillTail(bytes)
      if (this.#tail.length >= headerBytes && this.#tailBytes === this.#tail.length) {
        const wrong = this.#takeTail()
        if (wrong !== undefined) return wrong
      }
    }
    return at < bytes.length ? this.#split(bytes, at, bytes.length) : undefined
  }

  /** Hands on nothing more, also not the rest of the read under way. */
  stop(): void {
    this.#stopped = true
    this.#dropTail()
  }

  /** Whether the read went where {@link room} said. */
  #isInRoom(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#tail.buffer && bytes.byteOffset === this.#tail.byteOffset + this.#tailBytes
  }

  /** `count` more bytes lie in the tail. */
  #grown(count: number): string | undefined {
    const tail = this.#tail
    const known = this.#tailBytes
    this.#tailBytes += count
    // A frame was under way, and nothing but its rest fits in there.
    if (known > 0) return this.#tailBytes === tail.length ? this.#takeTail() : undefined
    if (count >= headerBytes && frameBytesAt(tail, 0) === tail.length) {
      const wrong = this.#headerFault(tail, 0)
      if (wrong !== undefined) return wrong
      return count === tail.length ? this.#takeTail() : undefined
    }
    // The guess was wrong.
    const isSpare = this.#isSpare
    this.#dropTail()
    const wrong = this.#split(tail, 0, count)
    if (isSpare) giveBack(tail)
    return wrong
  }

  /** Hands on the frames in [at, end), and keeps what is left. */
  #split(bytes: Uint8Array, from: number, end: number): string | undefined {
    let at = from
    while (end - at >= headerBytes && !this.#stopped) {
      const wrong = this.#headerFault(bytes, at)
      if (wrong !== undefined) return wrong
      const frameBytes = frameBytesAt(bytes, at)
      if (frameBytes > end - at) break
      const fault = this.#handOn(bytes, at, frameBytes, false)
      if (fault !== undefined) return fault
      at += frameBytes
    }
    if (at < end && !this.#stopped) this.#keepTail(bytes, at, end)
    return undefined
  }

  /** Keeps [at, end): less than one frame, its header already checked if it is all there. */
  #keepTail(bytes: Uint8Array, at: number, end: number): void {
    const kept = end - at
    const room = kept < headerBytes ? headerBytes : frameBytesAt(bytes, at)
    this.#tail = this.#newTail(room)
    this.#tail.set(bytes.subarray(at, end), 0)
    this.#tailBytes = kept
  }

  /** Moves bytes into the tail, until it holds its frame or all are used; returns how many were. A wrong header ends it, too: {@link #takeTail} will say so. */
  #fillTail(bytes: Uint8Array): number {
    let at = 0
    if (this.#tailBytes < headerBytes) {
      at = this.#move(bytes, 0, headerBytes)
      if (this.#tailBytes < headerBytes || this.#headerFault(this.#tail, 0) !== undefined) return at
      const whole = this.#newTail(frameBytesAt(this.#tail, 0))
      whole.set(this.#tail, 0)
      this.#tail = whole
    }
    return at + this.#move(bytes, at, this.#tail.length)
  }

  /** Moves bytes from `at` on into the tail until it holds `wanted`; returns how many it moved. */
  #move(bytes: Uint8Array, at: number, wanted: number): number {
    const moved = Math.min(wanted - this.#tailBytes, bytes.length - at)
    if (moved > 0) this.#tail.set(bytes.subarray(at, at + moved), this.#tailBytes)
    this.#tailBytes += moved
    return moved
  }

  /** Hands on the frame that fills the tail. */
  #takeTail(): string | undefined {
    const tail = this.#tail
    const isSpare = this.#isSpare
    this.#dropTail()
    const wrong = this.#headerFault(tail, 0)
    if (wrong !== undefined) return wrong
    const isLong = tail.length >= longBytesMin
    if (isLong) {
      this.#guessBytes = tail.length
      this.#inCompany = this.#inBlocks && hasCompany(tail)
    }
    const fault = this.#handOn(tail, 0, tail.length, isLong && !isSpare)
    if (isSpare) giveBack(tail)
    return fault
  }

  /** Room for a frame: a short one's is anybody's, a long one's belongs to it alone, or serves again. */
  #newTail(bytes: number): Uint8Array {
    this.#isSpare = this.#inCompany && bytes >= longBytesMin && bytes <= blockBytesLimit
    if (this.#isSpare)
      return (spares.pop() ?? new Uint8Array(Buffer.allocUnsafeSlow(blockBytesLimit).buffer)).subarray(
        0,
        bytes,
      )
    return bytes < longBytesMin ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes)
  }

  #dropTail(): void {
    this.#tail = noBytes
    this.#tailBytes = 0
    this.#isSpare = false
    this.#guessBytes = 0
  }

  /** What is wrong with the header at `at`, all of which is there. */
  #headerFault(bytes: Uint8Array, at: number): string | undefined {
    if (frameBytesAt(bytes, at) > this.frameBytesMax) return 'a frame that is too long'
    if (bytes[at + reservedOffset] !== 0) return 'a frame with a reserved byte set'
    if (!this.#inBlocks || isBlockHeader(bytes, at)) return undefined
    return bytes[at + kindOffset] === FrameKind.goodbye ? undefined : 'a frame outside of a block'
  }

  /** `isOwn`: the frame fills its memory. */
  #handOn(bytes: Uint8Array, at: number, frameBytes: number, isOwn: boolean): string | undefined {
    const kind = bytes[at + kindOffset]!
    const body = new Uint8Array(bytes.buffer, bytes.byteOffset + at + headerBytes, frameBytes - headerBytes)
    if (this.#inBlocks && kind === FrameKind.block) return unpackBlock(body, isOwn, this.#sink)
    if (this.#inBlocks) this.#sink.earlyGoodbye?.(body)
    else this.#sink.frame(kind, bytes[at + laneOffset]!, bytes[at + channelOffset]!, body, isOwn)
    return undefined
  }
}

function frameBytesAt(bytes: Uint8Array, at: number): number {
  return headerBytes + readU32(bytes, at)
}

function giveBack(spare: Uint8Array): void {
  if (spares.length < sparesMax) spares.push(new Uint8Array(spare.buffer))
}

/** Whether a block holds more than one frame. */
function hasCompany(block: Uint8Array): boolean {
  return blockHeadBytes + frameBytesAt(block, blockHeadBytes) < block.length
}

const noBytes = new Uint8Array(0)
