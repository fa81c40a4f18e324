/**
 * The layout of a frame and of the small frames of a live link: pure encode and decode, drawn in PROTOCOL.md.
 *
 *   0       4      5      6         7          8
 *   | bytes | kind | lane | channel | reserved | body ...
 *
 * All numbers are big-endian; `bytes` counts the body only. Hot path: `writeHeader` runs once per message.
 * Invariant: offsets and numbers never change; every one is pinned by a test and by golden bytes.
 */
import { type CloseReason, closeReasonCode, closeReasonOf } from './close-reason.ts'
import type { LaneTotals } from './ledger.ts'

export const headerBytes = 8
export const kindOffset = 4
export const laneOffset = 5
export const channelOffset = 6
export const reservedOffset = 7

/** What a frame is. Numbers below 16 belong to the handshake. Only appended to. */
export const FrameKind = {
  hello: 1,
  challenge: 2,
  proof: 3,
  welcome: 4,
  message: 16,
  ping: 17,
  pong: 18,
  goodbye: 19,
  fragment: 20,
  block: 21,
} as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

/** Longest text in a goodbye or a welcome, bytes of UTF-8. */
export const detailBytesMax = 200

/** What stands in a fragment before its piece of the body: the whole body's length, and the piece's place in it; u32 each. */
export const fragmentHeadBytes = 8

const totalsBytes = 24
const beatBytes = 8 + totalsBytes
const u32Span = 0x1_0000_0000

/** Writes a frame's first 8 bytes at `at`. */
export function writeHeader(
  into: Uint8Array,
  at: number,
  bodyBytes: number,
  kind: number,
  lane: number,
  channel: number,
): void {
  writeU32(into, at, bodyBytes)
  into[at + kindOffset] = kind
  into[at + laneOffset] = lane
  into[at + channelOffset] = channel
  into[at + reservedOffset] = 0
}

/** The u32 at `at`; the caller has checked that it is there. */
export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/** Writes a u32 at `at`. */
export function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24
  into[at + 1] = value >>> 16
  into[at + 2] = value >>> 8
  into[at + 3] = value
}

/** A whole frame of `kind` with `bodyBytes` of room behind its header. */
export function newFrame(kind: FrameKind, bodyBytes: number): Buffer {
  const frame = Buffer.alloc(headerBytes + bodyBytes)
  writeHeader(frame, 0, bodyBytes, kind, 0, 0)
  return frame
}

/** What a ping or pong carries: a time that its sender understands (echoed by the pong), and its sender's totals. */
export interface Beat {
  readonly timeMs: number
  /** Messages that the beat's sender received on this link, by lane. */
  readonly received: LaneTotals
}

/** A whole ping or pong frame. */
export function encodeBeat(kind: typeof FrameKind.ping | typeof FrameKind.pong, beat: Beat): Uint8Array {
  const frame = newFrame(kind, beatBytes)
  frame.writeDoubleBE(beat.timeMs, headerBytes)
  writeTotals(frame, headerBytes + 8, beat.received)
  return frame
}

/** The beat in a ping's or pong's body; `undefined` if it is none. Later versions may append; what follows is skipped. */
export function decodeBeat(body: Uint8Array): Beat | undefined {
  if (body.length < beatBytes) return undefined
  const view = viewOf(body)
  return { timeMs: view.getFloat64(0), received: readTotals(view, 8) }
}

/** The last word on a link, either way. */
export interface Goodbye {
  readonly received: LaneTotals
  readonly reason: CloseReason
  /** For people; cut at {@link detailBytesMax} bytes. */
  readonly detail: string
}

/** A whole goodbye frame. */
export function encodeGoodbye(goodbye: Goodbye): Uint8Array {
  const detail = detailText(goodbye.detail)
  const frame = newFrame(FrameKind.goodbye, totalsBytes + 2 + detail.length)
  writeTotals(frame, headerBytes, goodbye.received)
  frame[headerBytes + totalsBytes] = closeReasonCode(goodbye.reason)
  frame[headerBytes + totalsBytes + 1] = detail.length
  frame.set(detail, headerBytes + totalsBytes + 2)
  return frame
}

/** The goodbye in a body; `undefined` if it is none. */
export function decodeGoodbye(body: Uint8Array): Goodbye | undefined {
  if (body.length < totalsBytes + 2) return undefined
  const detailBytes = body[totalsBytes + 1]!
  const detailAt = totalsBytes + 2
  if (body.length < detailAt + detailBytes) return undefined
  return {
    received: readTotals(viewOf(body), 0),
    reason: closeReasonOf(body[totalsBytes]!),
    detail: printable(body.subarray(detailAt, detailAt + detailBytes)),
  }
}

/** `text` as at most {@link detailBytesMax} bytes of UTF-8. */
export function detailText(text: string): Uint8Array {
  const bytes = Buffer.from(text)
  return bytes.length <= detailBytesMax ? bytes : bytes.subarray(0, detailBytesMax)
}

/** Text from the other end, safe to print: it may reach a terminal, and its sender may be hostile. */
export function printable(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString('utf8')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}

function writeTotals(frame: Buffer, at: number, totals: LaneTotals): void {
  for (let lane = 0; lane < totals.length; lane++) {
    const total = totals[lane]!
    frame.writeUInt32BE(Math.floor(total / u32Span), at + lane * 8)
    frame.writeUInt32BE(total % u32Span, at + lane * 8 + 4)
  }
}

function readTotals(view: DataView, at: number): LaneTotals {
  const total = (lane: number) => view.getUint32(at + lane * 8) * u32Span + view.getUint32(at + lane * 8 + 4)
  return [total(0), total(1), total(2)]
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
