/**
 * How far one peer has been told of one scope, and what it is told next.
 *
 *   peer asks -> changes from where it stands, if the journal reaches back to that; else a sync, part by part -> changes
 *
 * No change waits in here: what a peer misses is made anew from what is true when there is room (newest wins). A sync keeps its parts until the last
 * is sent. Invariant: a peer that took all frames holds exactly what its audience may see at number `told`.
 */
import type { Audience, NumberedFrame, Snapshot } from './audience.ts'
import type { Standing } from './exchange.ts'

/** The way to the peer. */
export interface Way {
  /** Sends one frame; false when it was refused. */
  send(frame: NumberedFrame): boolean
  /** False while so much waits on the way already that a sync must not add to it. */
  hasRoom(): boolean
}

/** What became of what a peer is to be told: sent; refused; or a sync goes on when there is room again. */
export type Flushed = 'sent' | 'refused' | 'paused'

export class Outbox {
  /** The peer has the scope, and asked. */
  #isWanted = false
  /** What the peer said that it holds, until it is answered. */
  #asked: { readonly held: Standing | undefined } | undefined
  /** The number that the peer stands at; `undefined` when it needs a sync. */
  #told: number | undefined
  #sync: Snapshot | undefined
  #nextPart = 0
  /** An answer, with a digest in it, was given since {@link takeFresh}. */
  #isFresh = false

  /** The peer has the scope, and wants to know what is beyond what it holds. */
  asked(held: Standing | undefined): void {
    this.#isWanted = true
    this.#asked = { held }
  }

  get isWanted(): boolean {
    return this.#isWanted
  }

  /** An answer is due, which may cost a whole sync. */
  get isAsked(): boolean {
    return this.#asked !== undefined
  }

  /** The answer is a difference, and no sync. */
  get isResuming(): boolean {
    return this.#told !== undefined
  }

  /** The peer does not have the scope any more. */
  closed(): void {
    this.#isWanted = false
    this.#asked = undefined
    this.#sync = undefined
  }

  /** The peer belongs to another audience now, where its number means nothing. */
  audienceChanged(): void {
    if (this.#isWanted) this.#asked = { held: undefined }
  }

  /** True when the peer has been told everything: then a difference is a fault. */
  hasTold(audience: Audience): boolean {
    return this.#isWanted && !this.#asked && !this.#sync && this.#told === audience.standing.number
  }

  /** True when the peer got an answer since the last time, and need not be told the same again so soon. */
  takeFresh(): boolean {
    const isFresh = this.#isFresh
    this.#isFresh = false
    return isFresh
  }

  /** Settles where the peer stands; true when it holds all already, and only needs to hear that. */
  answer(audience: Audience): boolean {
    const held = this.#asked?.held
    const { standing } = audience
    this.#asked = undefined
    this.#sync = undefined
    this.#told = undefined
    this.#isFresh = true
    if (!held || held.audience !== standing.audience || !audience.reaches(held.number)) return false
    const { high, low } = held.digest
    const isSame = high === standing.digest.high && low === standing.digest.low
    if (held.number === standing.number && !isSame) return false
    this.#told = held.number
    return held.number === standing.number
  }

  /** Sends what the peer has not been told, until a frame is refused or a sync must pause. */
  flush(audience: Audience, way: Way): Flushed {
    if (!this.#isWanted) return 'sent'
    if (this.#told !== undefined && !audience.reaches(this.#told)) this.#told = undefined
    const flushed = this.#continueSync(audience, way)
    return flushed === 'sent' ? this.#sendChanges(audience.since(this.#told!)!, way) : flushed
  }

  /** Sends the parts of a sync, if the peer needs one. */
  #continueSync(audience: Audience, way: Way): Flushed {
    if (this.#told !== undefined) return 'sent'
    // One that takes so long that the journal has moved on begins anew, and so does one that may show what is hidden now.
    const number = this.#sync?.standing.number
    if (!this.#sync || !audience.reaches(number!) || number! < audience.visibleFrom) {
      this.#sync = audience.snapshot()
      this.#nextPart = 0
    }
    for (; this.#nextPart < this.#sync.frames.length; this.#nextPart++) {
      // The first part always goes, for it tells the peer that it is being answered.
      if (this.#nextPart > 0 && !way.hasRoom()) return 'paused'
      if (!way.send(this.#sync.frames[this.#nextPart]!)) return 'refused'
    }
    this.#told = this.#sync.standing.number
    this.#sync = undefined
    return 'sent'
  }

  #sendChanges(frames: readonly NumberedFrame[], way: Way): Flushed {
    for (const frame of frames) {
      if (!way.send(frame)) return 'refused'
      this.#told = frame.to
    }
    return 'sent'
  }
}
