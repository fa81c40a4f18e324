/**
 * Routed messages on the wire: a fixed header of 32 bytes, and an opaque payload behind it that routing never opens.
 *
 * Hot: headers are written into one scratch buffer (the transport copies them) and read in place. Numbers are
 * big-endian. The layout is drawn in PROTOCOL.md and pinned by test/unit/routing/message.test.ts.
 */

import { Pid, type Target } from './address.ts'

export const headerBytes = 32

/** What a message is; only appended to. */
export const Kind = { cast: 1, call: 2, reply: 3, refusal: 4, fanout: 5, moved: 6, kinds: 7 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Whether frames of a kind are about one call, which their reference names. */
export function hasReference(kind: Kind): boolean {
  return kind === Kind.call || kind === Kind.reply || kind === Kind.refusal
}

/** The last kind that this version knows. */
export const kindMax = Kind.kinds

/** What is said beside the kind; only appended to, and only to the lower four bits without a new protocol version. */
export const Flag = {
  /** The target was chosen as the owner of a partition: if it is gone, the present owner may have the message. */
  toOwner: 0x01,
  /** The message comes from a node that handed the partition over; it is not passed on again. */
  forwarded: 0x02,
} as const

/** What a receiver is told of how its process was chosen. */
export function flagsOf(target: Target): number {
  return !(target instanceof Pid) && 'service' in target ? Flag.toOwner : 0
}

/** Offsets of the header's fields. */
export const offsets = {
  kind: 0,
  flags: 1,
  targetWorker: 2,
  sourceWorker: 3,
  targetCreation: 4,
  targetIndex: 8,
  sourceIndex: 12,
  reference: 16,
  deadlineLeftMs: 20,
  trace: 24,
} as const

/** A receiver drops messages that carry a flag of this mask which it does not know; the others it ignores. */
export const flagsMustUnderstand = 0xf0

/** Mutable on purpose: one is filled again for every message. */
export interface Header {
  kind: Kind
  flags: number
  targetWorker: number
  sourceWorker: number
  targetCreation: number
  targetIndex: number
  /** 0: nobody in particular. */
  sourceIndex: number
  /** Marks a call among its caller's; its answer carries it back. 0 for casts. */
  reference: number
  /** Of a call: time left when it was sent; 0 means none is left. 0 otherwise. */
  deadlineLeftMs: number
}

export function newHeader(): Header {
  return {
    kind: Kind.cast,
    flags: 0,
    targetWorker: 0,
    sourceWorker: 0,
    targetCreation: 0,
    targetIndex: 0,
    sourceIndex: 0,
    reference: 0,
    deadlineLeftMs: 0,
  }
}

/** Writes a header into the first 32 bytes of `view`; the room for a trace is zero. */
export function writeHeader(view: DataView, header: Header): void {
  view.setUint8(offsets.kind, header.kind)
  view.setUint8(offsets.flags, header.flags)
  view.setUint8(offsets.targetWorker, header.targetWorker)
  view.setUint8(offsets.sourceWorker, header.sourceWorker)
  view.setUint32(offsets.targetCreation, header.targetCreation)
  view.setUint32(offsets.targetIndex, header.targetIndex)
  view.setUint32(offsets.sourceIndex, header.sourceIndex)
  view.setUint32(offsets.reference, header.reference)
  view.setUint32(offsets.deadlineLeftMs, header.deadlineLeftMs)
  view.setUint32(offsets.trace, 0)
  view.setUint32(offsets.trace + 4, 0)
}

/** Reads a header into `header`; false when there is none, or one that this version cannot know. */
export function readHeader(body: Uint8Array, header: Header): boolean {
  if (body.length < headerBytes) return false
  const kind = body[offsets.kind]!
  const flags = body[offsets.flags]!
  if (kind < Kind.cast || kind > kindMax || (flags & flagsMustUnderstand) !== 0) return false
  header.kind = kind as Kind
  header.flags = flags
  header.targetWorker = body[offsets.targetWorker]!
  header.sourceWorker = body[offsets.sourceWorker]!
  header.targetCreation = u32(body, offsets.targetCreation)
  header.targetIndex = u32(body, offsets.targetIndex)
  header.sourceIndex = u32(body, offsets.sourceIndex)
  header.reference = u32(body, offsets.reference)
  header.deadlineLeftMs = u32(body, offsets.deadlineLeftMs)
  return true
}

/** Big-endian; by hand, because a DataView of its own per message would cost more than all else here. */
function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
