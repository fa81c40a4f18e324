/**
 * Blocks: the frames that leave together are checked together. TCP's own sixteen bits miss what a bad switch or a bad memory does.
 *
 *   0       4      5          7          8       12
 *   | bytes | kind | length's | reserved | crc32 | frame | frame | ...
 *
 * A damaged length is noticed before anybody waits for what it promises, everything else before a frame is handed on. One checksum
 * for up to 64 KiB of small messages costs a few ns each. Hot path.
 * Invariant: nothing of a block is handed on unless all of it arrived as it was sent.
 */
import { crc32 } from 'node:zlib'
import {
  channelOffset,
  FrameKind,
  headerBytes,
  kindOffset,
  laneOffset,
  readU32,
  reservedOffset,
  writeHeader,
  writeU32,
} from './wire.ts'

const checksumBytes = 4
/** What stands before a block's first frame. */
export const blockHeadBytes = headerBytes + checksumBytes

/** Takes frames as they complete. */
export interface FrameSink {
  /** `body` is only valid during the call, unless `isOwn`: then it lies in memory of its own, and may be kept as it is. */
  frame(kind: number, lane: number, channel: number, body: Uint8Array, isOwn: boolean): void
  /** A goodbye outside of a block where everything comes in blocks: its sender had not heard that the link is up, so it can have counted nothing. */
  earlyGoodbye?(body: Uint8Array): void
}

/**
 * Makes a block of the frames in `frames` and, behind them, `rest`: writes its head into the 12 bytes that lie before `frames` in the same
 * memory, which must be the caller's. Returns the head and `frames` in one.
 */
export function sealBlock(frames: Uint8Array, rest: Uint8Array | undefined): Uint8Array {
  const sealed = new Uint8Array(
    frames.buffer,
    frames.byteOffset - blockHeadBytes,
    blockHeadBytes + frames.length,
  )
  let checksum = crc32(frames)
  let framesBytes = frames.length
  if (rest !== undefined) {
    checksum = crc32(rest, checksum)
    framesBytes += rest.length
  }
  const bytes = checksumBytes + framesBytes
  const check = lengthCheck(bytes)
  writeHeader(sealed, 0, bytes, FrameKind.block, check >>> 8, check & 0xff)
  writeU32(sealed, headerBytes, checksum)
  return sealed
}

/** One frame as a block of its own. */
export function blockOf(frame: Uint8Array): Uint8Array {
  const block = Buffer.allocUnsafe(blockHeadBytes + frame.length)
  block.set(frame, blockHeadBytes)
  return sealBlock(block.subarray(blockHeadBytes), undefined)
}

/** Whether the header at `at` is a block's whose length arrived as it was sent. */
export function isBlockHeader(bytes: Uint8Array, at: number): boolean {
  const check = (bytes[at + laneOffset]! << 8) | bytes[at + channelOffset]!
  return bytes[at + kindOffset] === FrameKind.block && check === lengthCheck(readU32(bytes, at))
}

/** Hands on the frames in a block's body; says what is wrong with it, if anything. `isOwn` as in {@link FrameSink}. */
export function unpackBlock(body: Uint8Array, isOwn: boolean, sink: FrameSink): string | undefined {
  if (body.length < checksumBytes + headerBytes) return 'a block of nothing'
  const { buffer, byteOffset } = body
  const frames = new Uint8Array(buffer, byteOffset + checksumBytes, body.length - checksumBytes)
  if (crc32(frames) !== readU32(body, 0)) return 'a block that was damaged under way'
  const end = frames.length
  let at = 0
  while (at < end) {
    if (end - at < headerBytes || frames[at + reservedOffset] !== 0) return 'a block with no frame in it'
    const bodyAt = at + headerBytes
    const bodyBytes = readU32(frames, at)
    if (bodyBytes > end - bodyAt) return 'a block with half a frame in it'
    const isAlone = isOwn && bodyAt === headerBytes && bodyAt + bodyBytes === end
    sink.frame(
      frames[at + kindOffset]!,
      frames[at + laneOffset]!,
      frames[at + channelOffset]!,
      new Uint8Array(buffer, frames.byteOffset + bodyAt, bodyBytes),
      isAlone,
    )
    at = bodyAt + bodyBytes
  }
  return undefined
}

/** Sixteen bits that no single wrong bit in a length leaves as they were. */
function lengthCheck(bytes: number): number {
  return ~(bytes ^ (bytes >>> 16)) & 0xffff
}
