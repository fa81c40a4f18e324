/**
 * What registries say to each other, as bytes and back.
 *
 *   discover  I have these scopes, and hold this of your members   state   my scopes, and the number of my last change in each
 *   sync      all my members of a scope, in parts                   change  how these members stand now
 *
 * A frame speaks of its sender's own members only: it carries worker and index, while node and creation are those of the
 * link it came by, so a peer cannot even express a claim on another's processes. An entry says how a member stands, not what
 * happened to it, so to hear it twice does no harm. Invariant: whatever bytes come in, `decodeFrame` returns a valid frame or
 * `undefined`. Layout: PROTOCOL.md. Source: OTP `pg.erl`, its exchange protocol.
 */
import { decodeForeign, encode } from './codec.ts'
import type { Lanes } from './digest.ts'
import { fieldsOfMeta, type MemberMeta, type MetaFields, metaFrom } from './meta.ts'

/** What a registry frame is; only appended to. 1 to 4 are retired. */
export const FrameKind = { discover: 5, state: 6, sync: 7, change: 8 } as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

/** Bytes before the CBOR part: kind u8, creation u32. */
export const frameHeadBytes = 5
/** Longest name of a scope or a group, in UTF-16 code units. */
export const nameLengthMax = 255

/** Who is told: peers of the own cluster see every group, far ones the published groups. Each has numbers of its own. */
export const AudienceKind = { cluster: 0, far: 1 } as const
export type AudienceKind = (typeof AudienceKind)[keyof typeof AudienceKind]

/** What an owner's members were, in one scope, for one audience: after which of its changes, and their digest. */
export interface Standing {
  readonly audience: AudienceKind
  readonly number: number
  readonly digest: Lanes
}

/** A question for one scope. `wantsDiscover`: the scope is new on the sending node, which may have ignored an earlier question. */
export interface Ask {
  readonly scope: string
  readonly wantsDiscover: boolean
  /** What the asker holds of the asked. */
  readonly held: Standing | undefined
}

export interface DiscoverFrame {
  readonly kind: typeof FrameKind.discover
  readonly asks: readonly Ask[]
}

/** Every scope of the sender; without a standing where the receiver has not been told all, or did not ask. */
export interface StateFrame {
  readonly kind: typeof FrameKind.state
  readonly scopes: ReadonlyMap<string, Standing | undefined>
}

/** How a member stands: how often it joined, or that and what it says of itself. */
export type Mark = number | MetaFields

/** A group and its members, three fields each: worker, index, mark. */
export type Entry = [group: string, ...fields: Mark[]]

/** One part of a sync: they come in order from 0, and only the last one makes it count. */
export interface SyncFrame {
  readonly kind: typeof FrameKind.sync
  readonly scope: string
  readonly standing: Standing
  readonly part: number
  readonly isLast: boolean
  readonly entries: readonly Entry[]
}

/** Takes a receiver that holds change `from` to change `to`; the digest is that of `to`, in the last frame of several. */
export interface ChangeFrame {
  readonly kind: typeof FrameKind.change
  readonly scope: string
  readonly audience: AudienceKind
  readonly from: number
  readonly to: number
  readonly digest: Lanes | undefined
  readonly entries: readonly Entry[]
}

export type Frame = DiscoverFrame | StateFrame | SyncFrame | ChangeFrame

/** True for what may name a scope or a group. Half a surrogate pair would be another name after the journey. */
export function isName(name: unknown): name is string {
  return typeof name === 'string' && name.length > 0 && name.length <= nameLengthMax && name.isWellFormed()
}

export function markOf(times: number, meta: MemberMeta | undefined): Mark {
  return meta ? fieldsOfMeta(times, meta) : times
}

export function timesOf(mark: Mark): number {
  return typeof mark === 'number' ? mark : mark[0]
}

export function metaOfMark(mark: Mark): MemberMeta | undefined {
  return typeof mark === 'number' ? undefined : metaFrom(mark)
}

/** Memberships that entries speak of; a member that left counts as one. */
export function weightOf(entries: readonly Entry[]): number {
  let sum = 0
  for (const entry of entries) {
    for (let at = 3; at < entry.length; at += 3) sum += Math.max(1, timesOf(entry[at] as Mark))
  }
  return sum
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
      return frame.asks.map(({ scope, wantsDiscover, held }) => [
        scope,
        wantsDiscover,
        ...standingFields(held),
      ])
    case FrameKind.state:
      return Array.from(frame.scopes, ([scope, standing]) => [scope, ...standingFields(standing)])
    case FrameKind.sync:
      return [frame.scope, ...standingFields(frame.standing), frame.part, frame.isLast, frame.entries]
    case FrameKind.change: {
      const { scope, audience, from, to, digest, entries } = frame
      return [scope, audience, from, to, ...(digest ? [digest.high, digest.low] : []), entries]
    }
  }
}

function standingFields(standing: Standing | undefined): number[] {
  return standing ? [standing.audience, standing.number, standing.digest.high, standing.digest.low] : []
}

/** The creation of the node that sent a frame; `undefined` when there is not even a head. */
export function creationOf(body: Uint8Array): number | undefined {
  if (body.length < frameHeadBytes) return undefined
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(1)
}

/** True for a frame that this version knows, by its first byte. */
export function isKnownKind(kind: number | undefined): boolean {
  return kind !== undefined && kind >= FrameKind.discover && kind <= FrameKind.change
}

/** Reads a frame; `undefined` for anything that is not exactly one. */
export function decodeFrame(body: Uint8Array): Frame | undefined {
  if (body.length < frameHeadBytes || !isKnownKind(body[0])) return undefined
  const fields = decodeForeign(body.subarray(frameHeadBytes))?.value
  if (!Array.isArray(fields)) return undefined
  switch (body[0]) {
    case FrameKind.discover:
      return readDiscover(fields)
    case FrameKind.state:
      return readState(fields)
    case FrameKind.sync:
      return readSync(fields)
    default:
      return readChange(fields)
  }
}

function readDiscover(list: readonly unknown[]): DiscoverFrame | undefined {
  const asks: Ask[] = []
  for (const item of list) {
    if (!Array.isArray(item) || !isName(item[0]) || typeof item[1] !== 'boolean') return undefined
    const held = readStanding(item.slice(2))
    if (!held && item.length > 2) return undefined
    asks.push({ scope: item[0], wantsDiscover: item[1], held })
  }
  return { kind: FrameKind.discover, asks }
}

function readState(list: readonly unknown[]): StateFrame | undefined {
  const scopes = new Map<string, Standing | undefined>()
  for (const item of list) {
    if (!Array.isArray(item) || !isName(item[0])) return undefined
    const standing = readStanding(item.slice(1))
    if (!standing && item.length > 1) return undefined
    scopes.set(item[0], standing)
  }
  return { kind: FrameKind.state, scopes }
}

function readSync(fields: readonly unknown[]): SyncFrame | undefined {
  const [scope, , , , , part, isLast, entries] = fields
  const standing = readStanding(fields.slice(1, 5))
  if (fields.length !== 8 || !isName(scope) || !standing) return undefined
  if (!isU32(part) || typeof isLast !== 'boolean' || !areEntries(entries, 1)) return undefined
  return { kind: FrameKind.sync, scope, standing, part, isLast, entries }
}

function readChange(fields: readonly unknown[]): ChangeFrame | undefined {
  const [scope, audience, from, to, high, low] = fields
  const entries = fields.at(-1)
  const hasDigest = fields.length === 7
  if (!(hasDigest || fields.length === 5) || !isName(scope) || !isAudience(audience)) return undefined
  if (!isCount(from) || !isCount(to) || from >= to || !areEntries(entries, 0)) return undefined
  if (hasDigest && !(isU32(high) && isU32(low))) return undefined
  const members = entries.reduce((sum, entry) => sum + (entry.length - 1) / 3, 0)
  // Each of the changes speaks of one member, at most.
  if (members > to - from) return undefined
  const digest = hasDigest ? { high: high as number, low: low as number } : undefined
  return { kind: FrameKind.change, scope, audience, from, to, digest, entries }
}

/** The standing that exactly these fields are; `undefined` when they are none. */
function readStanding(fields: readonly unknown[]): Standing | undefined {
  const [audience, number, high, low] = fields
  if (fields.length !== 4 || !isAudience(audience) || !isCount(number) || !isU32(high) || !isU32(low))
    return undefined
  return { audience, number, digest: { high, low } }
}

function areEntries(list: unknown, timesMin: number): list is Entry[] {
  if (!Array.isArray(list)) return false
  for (const entry of list as unknown[]) {
    if (!Array.isArray(entry) || entry.length < 4 || entry.length % 3 !== 1 || !isName(entry[0])) return false
    for (let at = 1; at < entry.length; at += 3) {
      const worker: unknown = entry[at]
      if (!isU32(worker) || worker > 0xff || !isU32(entry[at + 1]) || !isMark(entry[at + 2], timesMin))
        return false
    }
  }
  return true
}

function isMark(mark: unknown, timesMin: number): mark is Mark {
  if (typeof mark === 'number') return isU32(mark) && mark >= timesMin
  return Array.isArray(mark) && isU32(mark[0]) && mark[0] > 0 && metaFrom(mark) !== undefined
}

function isAudience(value: unknown): value is AudienceKind {
  return value === AudienceKind.cluster || value === AudienceKind.far
}

function isU32(value: unknown): value is number {
  return typeof value === 'number' && value >>> 0 === value
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
