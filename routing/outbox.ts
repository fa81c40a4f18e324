/**
 * What one peer still has to be told about one scope.
 *
 *   discover due -> (peer discovers) -> sync due -> sync under way, changes wait in a backlog -> changes as they come
 *
 * A refused frame is never repeated as it was: the peer is due a full sync, made from what is true then (newest wins).
 * Only a sync that is under way goes on where it stopped. Invariant: what was sent, plus what is due, is what is true.
 */
import { Batch } from './batch.ts'
import { type Frame, FrameKind, inParts } from './exchange.ts'
import type { RoutingOptions } from './options.ts'
import type { Entry } from './roster.ts'
import type { Scope } from './scope.ts'

/** Sends one frame to the peer; false when it was refused. */
export type SendFrame = (frame: Frame, payload?: Uint8Array) => boolean

/** A turn's changes for peers that may see the same groups, encoded at most once. */
export interface Changes {
  readonly batch: Batch
  /** The frames for the groups that this peer may see. */
  frames(): readonly ChangeToSend[]
}

export interface ChangeToSend {
  readonly frame: Frame
  readonly payload: Uint8Array
}

export class Outbox {
  readonly #name: string
  readonly #scope: Scope
  readonly #limits: RoutingOptions
  /** Set when the peer shall be asked; the value goes into the frame. */
  #discoverDue: { readonly wantsDiscover: boolean } | undefined
  /** The peer has the scope, and asked for our members. */
  #isWanted = false
  #syncDue = false
  #serial = 0
  #parts: readonly (readonly Entry[])[] = []
  #nextPart = 0
  #backlog: Batch | undefined

  constructor(name: string, scope: Scope, limits: RoutingOptions, wantsDiscover: boolean) {
    this.#name = name
    this.#scope = scope
    this.#limits = limits
    this.#discoverDue = { wantsDiscover }
  }

  /** The peer has the scope now: it gets everything, and is asked again if it wants that. */
  discovered(wantsDiscover: boolean): void {
    this.#isWanted = true
    this.#syncDue = true
    if (wantsDiscover) this.#discoverDue ??= { wantsDiscover: false }
  }

  /** The peer may see other groups than before. */
  audienceChanged(): void {
    this.#syncDue = this.#isWanted
  }

  /** Notes changes that cannot be sent in this turn. */
  hold(batch: Batch): void {
    if (!this.#isWanted || this.#syncDue || batch.size === 0) return
    if (this.#nextPart === this.#parts.length) {
      this.#syncDue = true
      return
    }
    this.#backlog ??= new Batch()
    this.#backlog.addAll(batch)
    if (this.#backlog.size > this.#limits.backlogChangesMax) this.#syncDue = true
  }

  /** Sends what is due, then `changes`; false as soon as a frame is refused. */
  flush(changes: Changes, allowed: (group: string) => boolean, send: SendFrame): boolean {
    if (this.#discoverDue) {
      const { wantsDiscover } = this.#discoverDue
      // Changes need no keeping: while the question is due, so is a sync, or the peer does not want to know.
      if (!send({ kind: FrameKind.discover, scope: this.#name, wantsDiscover })) return false
      this.#discoverDue = undefined
    }
    if (!this.#isWanted) return true
    if (this.#syncDue) this.#startSync(allowed)
    else if (this.#nextPart < this.#parts.length) this.hold(changes.batch)
    else return this.#sendChanges(changes.frames(), send)
    return this.#continueSync(send) && this.#sendBacklog(allowed, send)
  }

  /** What is true now, including this turn's changes. */
  #startSync(allowed: (group: string) => boolean): void {
    const entries = Array.from(this.#scope.own.entries()).filter(entry => allowed(entry.group))
    const parts = [...inParts(entries, this.#limits)]
    this.#parts = parts.length > 0 ? parts : [[]]
    this.#nextPart = 0
    this.#serial = (this.#serial + 1) >>> 0
    this.#backlog = undefined
    this.#syncDue = false
  }

  #continueSync(send: SendFrame): boolean {
    while (this.#nextPart < this.#parts.length) {
      const part = this.#nextPart
      const isLast = part === this.#parts.length - 1
      const entries = this.#parts[part]!
      const frame: Frame = {
        kind: FrameKind.sync,
        scope: this.#name,
        serial: this.#serial,
        part,
        isLast,
        entries,
      }
      if (!send(frame)) return false
      this.#nextPart += 1
    }
    this.#parts = []
    this.#nextPart = 0
    return true
  }

  #sendBacklog(allowed: (group: string) => boolean, send: SendFrame): boolean {
    const backlog = this.#backlog
    this.#backlog = undefined
    return backlog ? this.#sendChanges(changeFrames(this.#name, backlog, allowed, this.#limits), send) : true
  }

  #sendChanges(frames: Iterable<{ frame: Frame; payload?: Uint8Array }>, send: SendFrame): boolean {
    for (const { frame, payload } of frames) {
      if (!send(frame, payload)) {
        this.#syncDue = true
        return false
      }
    }
    return true
  }
}

/** A batch as frames: the joins, then the leaves, each in one frame unless they are too many. */
export function* changeFrames(
  scope: string,
  batch: Batch,
  allowed: (group: string) => boolean,
  limits: RoutingOptions,
): IterableIterator<{ frame: Frame }> {
  for (const entries of inParts(batch.joins(allowed), limits)) {
    yield { frame: { kind: FrameKind.join, scope, entries } }
  }
  for (const entries of inParts(batch.leaves(allowed), limits)) {
    yield { frame: { kind: FrameKind.leave, scope, entries } }
  }
}
