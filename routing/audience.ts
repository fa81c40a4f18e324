/**
 * What peers of one kind are told of a node's own members in a scope: the groups that they may see, as numbered changes.
 *
 * Peers of the own cluster are one audience and see everything; far ones are another and see published groups. Each has its
 * numbers, digest and journal. Frames are made once and shared by all peers that stand at the same number. Invariant: between
 * two turns, `standing` is the number and the digest of exactly what the audience may see.
 */
import type { Pid } from './address.ts'
import { Seen, type Touch } from './batch.ts'
import { Digest } from './digest.ts'
import {
  AudienceKind,
  type ChangeFrame,
  type Entry,
  encodeFrame,
  FrameKind,
  markOf,
  type Standing,
  type SyncFrame,
} from './exchange.ts'
import { Journal } from './journal.ts'
import type { MemberMeta } from './meta.ts'
import type { RoutingOptions } from './options.ts'
import { memberKey, type Roster } from './roster.ts'

/** Where a receiver stands after a frame, and the frame's bytes. */
export interface NumberedFrame {
  readonly kind: FrameKind
  readonly to: number
  readonly payload: Uint8Array
}

/** All members at one moment, in frames. */
export interface Snapshot {
  readonly standing: Standing
  readonly frames: readonly NumberedFrame[]
}

export interface AudienceOptions {
  readonly kind: AudienceKind
  readonly scope: string
  readonly own: Roster
  readonly limits: RoutingOptions
  /** Numbers up to this one are used up. */
  readonly numbersFrom: number
  /** Whether this audience may see a group; asked when the group comes to be, and by {@link Audience.reconfigured}. */
  readonly sees: (group: string) => boolean
}

export class Audience {
  readonly kind: AudienceKind
  readonly #options: AudienceOptions
  readonly #journal: Journal
  /** Answers of `sees` for the groups with own members; for the own cluster none are needed. */
  readonly #answers = new Map<string, boolean>()
  /** Groups that became empty in this turn. */
  readonly #emptied: string[] = []
  /** Of what a far audience sees; the own cluster sees the whole roster. */
  readonly #digest: Digest
  #standing: Standing
  /** The last number before the present turn: no member is in the journal twice after it. */
  #turnStart: number
  #since = new Map<number, readonly NumberedFrame[]>()
  #snapshot: Snapshot | undefined
  #visibleFrom = 0

  constructor(options: AudienceOptions) {
    const { kind, own, limits, numbersFrom } = options
    this.kind = kind
    this.#options = options
    this.#journal = new Journal(limits.journalChangesMax, numbersFrom)
    this.#turnStart = numbersFrom
    this.#digest = kind === AudienceKind.cluster ? own.digest : new Digest()
    if (kind === AudienceKind.far) {
      for (const group of own.groups()) this.#show(group)
    }
    this.#standing = this.#now()
  }

  /** The number and digest after the last turn. */
  get standing(): Standing {
    return this.#standing
  }

  /** Snapshots of smaller numbers are not sent any more: they may hold groups that have been hidden since. */
  get visibleFrom(): number {
    return this.#visibleFrom
  }

  /** An own member changed just now, and this is how it stood before; only a far audience keeps account of that. */
  changed({ group, pid, times, meta }: Touch): void {
    if (this.kind === AudienceKind.cluster) return
    if (!this.#options.own.members(group)) this.#emptied.push(group)
    if (!this.#sees(group)) return
    const lanes = this.#options.own.lanes(group)
    const now = this.#options.own.find(group, memberKey(pid))
    this.#digest.count(lanes, pid.worker, pid.index, times, meta, -1)
    this.#digest.count(lanes, pid.worker, pid.index, now?.times ?? 0, now?.meta, 1)
  }

  /** Numbers what a turn changed. */
  endTurn(touches: readonly Touch[]): void {
    this.#turnStart = this.#journal.number
    for (const { group, pid } of touches) {
      if (this.#sees(group)) this.#journal.add(group, pid)
    }
    for (const group of this.#emptied.splice(0)) {
      if (!this.#options.own.members(group)) this.#answers.delete(group)
    }
    this.#stand()
  }

  /** Asks again which groups may be seen; what that changes is numbered as changes are. Only between turns. */
  reconfigured(): void {
    if (this.kind === AudienceKind.cluster) return
    this.#turnStart = this.#journal.number
    for (const [group, before] of [...this.#answers]) {
      if (this.#options.sees(group) === before) continue
      if (before) this.#hide(group)
      else this.#show(group)
      for (const { pid } of this.#options.own.members(group)!.values()) this.#journal.add(group, pid)
      this.#visibleFrom = this.#journal.number
    }
    this.#stand()
  }

  /** True when the journal reaches back to a number. */
  reaches(number: number): boolean {
    return this.#journal.reaches(number)
  }

  /** The frames from a number to the present one; `undefined` when the journal does not reach back to it. */
  since(number: number): readonly NumberedFrame[] | undefined {
    if (number === this.#journal.number) return []
    if (!this.reaches(number)) return undefined
    let frames = this.#since.get(number)
    if (!frames) {
      frames = [...this.#framesSince(number)]
      this.#since.set(number, frames)
    }
    return frames
  }

  /** All members as they stand now. */
  snapshot(): Snapshot {
    this.#snapshot ??= { standing: this.#standing, frames: [...this.#snapshotFrames()] }
    return this.#snapshot
  }

  /** Gives back the memory of frames that nobody may want any more. */
  release(): void {
    this.#snapshot = undefined
    this.#since.clear()
  }

  #stand(): void {
    const { number } = this.#journal
    if (this.#since.size > 0) this.#since.clear()
    if (number !== this.#standing.number) this.#snapshot = undefined
    this.#standing = this.#now()
  }

  #now(): Standing {
    const { high, low } = this.#digest
    return { audience: this.kind, number: this.#journal.number, digest: { high, low } }
  }

  #sees(group: string): boolean {
    if (this.kind === AudienceKind.cluster) return true
    let answer = this.#answers.get(group)
    if (answer === undefined) {
      answer = this.#options.sees(group)
      this.#answers.set(group, answer)
    }
    return answer
  }

  #show(group: string): void {
    this.#answers.delete(group)
    if (this.#sees(group)) this.#account(group, 1)
  }

  #hide(group: string): void {
    this.#answers.set(group, false)
    this.#account(group, -1)
  }

  #account(group: string, sign: 1 | -1): void {
    const lanes = this.#options.own.lanes(group)
    for (const { pid, times, meta } of this.#options.own.members(group)!.values())
      this.#digest.count(lanes, pid.worker, pid.index, times, meta, sign)
  }

  *#framesSince(from: number): IterableIterator<NumberedFrame> {
    const { scope, own, limits } = this.#options
    const journal = this.#journal
    const seen = from < this.#turnStart ? new Seen() : undefined
    const part = new Part(limits)
    let start = from
    for (let change = from + 1; change <= journal.number; change++) {
      const group = journal.group(change)
      const pid = journal.pid(change)
      if (seen && !seen.isFirst(group, memberKey(pid))) continue
      // Only of a group that is: an answer must not outlive it.
      const found = own.find(group, memberKey(pid))
      const member = found && this.#sees(group) ? found : undefined
      if (!part.hasRoom(group)) {
        yield changeFrame({ scope, audience: this.kind, from: start, to: change - 1, entries: part.take() })
        start = change - 1
      }
      part.add(group, pid, member?.times ?? 0, member?.meta)
    }
    const { number: to, digest } = this.#standing
    yield changeFrame({ scope, audience: this.kind, from: start, to, digest, entries: part.take() })
  }

  *#snapshotFrames(): IterableIterator<NumberedFrame> {
    const { scope, own, limits } = this.#options
    const standing = this.#standing
    const part = new Part(limits)
    let parts = 0
    const frame = (isLast: boolean): NumberedFrame => {
      const sync: SyncFrame = {
        kind: FrameKind.sync,
        scope,
        standing,
        part: parts++,
        isLast,
        entries: part.take(),
      }
      return { kind: FrameKind.sync, to: standing.number, payload: encodeFrame(sync) }
    }
    for (const group of own.groups()) {
      if (!this.#sees(group)) continue
      for (const { pid, times, meta } of own.members(group)!.values()) {
        if (!part.hasRoom(group)) yield frame(false)
        part.add(group, pid, times, meta)
      }
    }
    yield frame(true)
  }
}

function changeFrame(
  fields: Omit<ChangeFrame, 'kind' | 'digest'> & { digest?: ChangeFrame['digest'] },
): NumberedFrame {
  const frame: ChangeFrame = { kind: FrameKind.change, digest: undefined, ...fields }
  return { kind: FrameKind.change, to: frame.to, payload: encodeFrame(frame) }
}

/** Upper bounds of what CBOR takes: a name of three bytes per code unit; worker, index and times; metadata. */
const groupBytes = (group: string) => group.length * 3 + 8
const memberBytes = 12
const metaBytes = 2 * (64 * 3 + 3) + 24

/** The entries of one frame while they are put together; members of a group that come one after the other share an entry. */
class Part {
  readonly #membersMax: number
  readonly #bytesMax: number
  #entries: Entry[] = []
  #byGroup = new Map<string, Entry>()
  #members = 0
  #bytes = 0

  constructor({ frameMembersMax, frameBytesMax }: RoutingOptions) {
    this.#membersMax = frameMembersMax
    this.#bytesMax = frameBytesMax
  }

  /** False when one more member would not fit; an empty part has room for any. */
  hasRoom(group: string): boolean {
    if (this.#members === 0) return true
    const bytes = this.#bytes + memberBytes + (this.#byGroup.has(group) ? 0 : groupBytes(group))
    return this.#members < this.#membersMax && bytes <= this.#bytesMax
  }

  add(group: string, pid: Pid, times: number, meta: MemberMeta | undefined): void {
    let entry = this.#byGroup.get(group)
    if (!entry) {
      entry = [group]
      this.#byGroup.set(group, entry)
      this.#entries.push(entry)
      this.#bytes += groupBytes(group)
    }
    entry.push(pid.worker, pid.index, markOf(times, meta))
    this.#members += 1
    this.#bytes += meta ? memberBytes + metaBytes : memberBytes
  }

  /** The entries so far; the next ones begin anew. */
  take(): Entry[] {
    const entries = this.#entries
    this.#entries = []
    this.#byGroup = new Map()
    this.#members = 0
    this.#bytes = 0
    return entries
  }
}
