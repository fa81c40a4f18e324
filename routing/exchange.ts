/**
 * What registries say to each other about one scope, as bytes and back.
 *
 *   discover  I have this scope; tell me your members       sync   all my members, in parts
 *   join      these joined                                   leave  these left
 *
 * A frame speaks of its sender's own members only: it carries worker and index, while node and creation are those of the
 * link it came by, so a peer cannot even express a claim on another's processes. Invariant: whatever bytes come in,
 * `decodeFrame` returns a valid frame or `undefined`. Layout: PROTOCOL.md. Source: OTP `pg.erl`, its exchange protocol.
 */
import { Pid } from './address.ts'
import { decodeForeign, encode } from './codec.ts'
import type { Entry } from './roster.ts'

/** What a registry frame is; only appended to. */
export const FrameKind = { discover: 1, sync: 2, join: 3, leave: 4 } as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

/** Bytes before the CBOR part: kind u8, creation u32. */
export const frameHeadBytes = 5
/** Longest name of a scope or a group, in UTF-16 code units. */
export const nameLengthMax = 255

/** `wantsDiscover`: the scope is new on the sending node, which may have ignored an earlier discover. */
export interface DiscoverFrame {
  readonly kind: typeof FrameKind.discover
  readonly scope: string
  readonly wantsDiscover: boolean
}

/** One part of a sync: parts of a serial come in order from 0, and only the last one makes it count. */
export interface SyncFrame {
  readonly kind: typeof FrameKind.sync
  readonly scope: string
  readonly serial: number
  readonly part: number
  readonly isLast: boolean
  readonly entries: readonly Entry[]
}

export interface ChangeFrame {
  readonly kind: typeof FrameKind.join | typeof FrameKind.leave
  readonly scope: string
  readonly entries: readonly Entry[]
}

export type Frame = DiscoverFrame | SyncFrame | ChangeFrame

/** How much goes into one frame. */
export interface FrameLimits {
  readonly frameMembersMax: number
  readonly frameBytesMax: number
}

/** True for what may name a scope or a group. */
export function isName(name: unknown): name is string {
  return typeof name === 'string' && name.length > 0 && name.length <= nameLengthMax
}

/** The first bytes of a frame. */
export function encodeHead(kind: FrameKind, creation: number): Uint8Array {
  const head = new Uint8Array(frameHeadBytes)
  const view = new DataView(head.buffer)
  view.setUint8(0, kind)
  view.setUint32(1, creation)
  return head
}

/** The rest of a frame, in memory of its own: it may go to many peers. */
export function encodeFrame(frame: Frame): Uint8Array {
  return Buffer.from(encode(fieldsOf(frame)))
}

function fieldsOf(frame: Frame): unknown[] {
  switch (frame.kind) {
    case FrameKind.discover:
      return [frame.scope, frame.wantsDiscover]
    case FrameKind.sync:
      return [frame.scope, frame.serial, frame.part, frame.isLast, frame.entries.map(flat)]
    default:
      return [frame.scope, frame.entries.map(flat)]
  }
}

/** The creation of the node that sent a frame; `undefined` when there is not even a head. */
export function creationOf(body: Uint8Array): number | undefined {
  if (body.length < frameHeadBytes) return undefined
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(1)
}

/** Reads a frame of the given node; `undefined` for anything that is not exactly one. */
export function decodeFrame(body: Uint8Array, node: string, creation: number): Frame | undefined {
  if (body.length < frameHeadBytes) return undefined
  const fields = decodeForeign(body.subarray(frameHeadBytes))?.value
  if (!Array.isArray(fields) || !isName(fields[0])) return undefined
  const [scope] = fields
  switch (body[0]) {
    case FrameKind.discover: {
      const wantsDiscover: unknown = fields[1]
      if (fields.length !== 2 || typeof wantsDiscover !== 'boolean') return undefined
      return { kind: FrameKind.discover, scope, wantsDiscover }
    }
    case FrameKind.sync: {
      const [, serial, part, isLast, list] = fields as unknown[]
      if (fields.length !== 5 || !isU32(serial) || !isU32(part) || typeof isLast !== 'boolean')
        return undefined
      const entries = readEntries(list, node, creation)
      return entries && { kind: FrameKind.sync, scope, serial, part, isLast, entries }
    }
    case FrameKind.join:
    case FrameKind.leave: {
      const entries = fields.length === 2 ? readEntries(fields[1], node, creation) : undefined
      return entries && { kind: body[0], scope, entries }
    }
    default:
      return undefined
  }
}

/** Cuts entries into the parts of one frame each; a group may stretch over several. No entries: no parts. */
export function* inParts(entries: Iterable<Entry>, limits: FrameLimits): IterableIterator<Entry[]> {
  let part: Entry[] = []
  let members = 0
  let bytes = 0
  for (const { group, pids } of entries) {
    let start = 0
    while (start < pids.length) {
      const room = Math.min(
        limits.frameMembersMax - members,
        Math.floor((limits.frameBytesMax - bytes - groupBytes(group)) / memberBytes),
      )
      if (room < 1 && part.length > 0) {
        yield part
        part = []
        members = 0
        bytes = 0
        continue
      }
      const taken = pids.slice(start, start + Math.max(room, 1))
      part.push({ group, pids: taken })
      start += taken.length
      members += taken.length
      bytes += groupBytes(group) + taken.length * memberBytes
    }
  }
  if (part.length > 0) yield part
}

/** Upper bounds of what CBOR takes: a name of three bytes per code unit, and worker and index. */
const memberBytes = 7
const groupBytes = (group: string) => group.length * 3 + 8

/** `[group, worker, index, worker, index, ...]` */
function flat({ group, pids }: Entry): (string | number)[] {
  const list: (string | number)[] = [group]
  for (const pid of pids) list.push(pid.worker, pid.index)
  return list
}

function readEntries(list: unknown, node: string, creation: number): Entry[] | undefined {
  if (!Array.isArray(list)) return undefined
  const entries: Entry[] = []
  for (const item of list as unknown[]) {
    if (!Array.isArray(item) || item.length < 3 || item.length % 2 !== 1 || !isName(item[0])) return undefined
    const pids: Pid[] = []
    for (let at = 1; at < item.length; at += 2) {
      const worker: unknown = item[at]
      const index: unknown = item[at + 1]
      if (!isU32(worker) || worker > 0xff || !isU32(index)) return undefined
      pids.push(new Pid(node, creation, worker, index))
    }
    entries.push({ group: item[0], pids })
  }
  return entries
}

function isU32(value: unknown): value is number {
  return typeof value === 'number' && value >>> 0 === value
}
