/**
 * Catching up, at the source: offers the follower everything that is held here, in pieces, and sends what it lacks.
 *
 * The next piece goes out when the one before is answered and what it asked for is sent, and nothing while too much
 * is unacknowledged: live operations pass between. The result is a union of sets, so the order does not matter, and
 * what was erased on either side is erased on both. Source: C29, C33.
 * Invariant: once `end` is sent, every message held here since the stream began was sent, or is held by the follower,
 * or was erased.
 */
import type { Contents } from './contents.ts'
import { markOf } from './erased.ts'
import type { Entry } from './mailbox.ts'
import type { MailboxOptions } from './options.ts'
import type { Answer, Have, MessageKey, SessionClaim } from './replication.ts'
import type { Outgoing } from './stream.ts'

const keyBytes = 60

/** What the catch-up needs of the half that it runs on. */
export interface CatchUpHost {
  /** Sends a message on the stream. */
  append(entry: Entry): void
  /** The follower holds this message. */
  held(entry: Entry): void
  /** The follower knows that the phone has this message. */
  erase(key: MessageKey): void
}

interface Piece {
  /** Of the operation that carries it. */
  readonly number: number
  readonly entries: readonly Entry[]
  readonly erased: readonly MessageKey[]
}

type Item = { entry: Entry } | { erased: MessageKey } | { claim: SessionClaim }

export class CatchUp {
  readonly #contents: Contents
  readonly #outgoing: Outgoing
  readonly #options: MailboxOptions
  readonly #host: CatchUpHost
  readonly #inventory: Iterator<Item>
  readonly #node: string
  #piece: Piece | undefined
  #wanted: Entry[] = []
  #wantedSent = 0
  #listed = false
  #ended = false

  /** Runs on the stream that `outgoing` has just opened. */
  constructor(
    node: string,
    contents: Contents,
    outgoing: Outgoing,
    options: MailboxOptions,
    host: CatchUpHost,
  ) {
    this.#node = node
    this.#contents = contents
    this.#outgoing = outgoing
    this.#options = options
    this.#host = host
    this.#inventory = this.#items()
  }

  /** Puts on the stream what there is room for. */
  pump(nowMs: number): void {
    const { catchUpBytesMax } = this.#options
    while (!this.#ended && this.#outgoing.isOpen && this.#outgoing.unacknowledgedBytes < catchUpBytesMax) {
      if (this.#wantedSent < this.#wanted.length) {
        const entry = this.#wanted[this.#wantedSent++]!
        if (this.#contents.holds(entry) && this.#isUnknown(entry)) this.#host.append(entry)
      } else if (this.#piece) {
        return
      } else if (!this.#listed) {
        this.#offer(nowMs)
      } else {
        this.#outgoing.push({ kind: 'end' }, keyBytes, nowMs)
        this.#ended = true
      }
    }
  }

  /** Takes the answer to the piece that is under way. */
  answered(answer: Answer): void {
    const piece = this.#piece
    if (piece?.number !== answer.to) return
    const [want, erased, late] = [new Set(answer.want), new Set(answer.erased), new Set(answer.late)]
    this.#piece = undefined
    this.#wanted = []
    this.#wantedSent = 0
    for (const key of piece.erased) this.#contents.confirmErased(key)
    for (const [at, entry] of piece.entries.entries()) {
      if (!this.#contents.holds(entry)) continue
      const { user } = entry.mailbox
      if (erased.has(at)) {
        this.#host.erase([user, entry.message.from, entry.message.number])
        continue
      }
      if (late.has(at) && !entry.message.late) entry.message = { ...entry.message, late: true }
      if (want.has(at)) this.#wanted.push(entry)
      else this.#host.held(entry)
    }
  }

  /** True when the piece under way is among the operations up to `number`, whose answers have come, and has none. */
  misses(number: number): boolean {
    return this.#piece !== undefined && this.#piece.number <= number
  }

  #offer(nowMs: number): void {
    const entries: Entry[] = []
    const erased: MessageKey[] = []
    const sessions: SessionClaim[] = []
    let keys = 0
    for (; keys < this.#options.catchUpKeysMax; keys++) {
      const { value: item, done } = this.#inventory.next()
      if (done) {
        this.#listed = true
        break
      }
      if ('entry' in item) entries.push(item.entry)
      else if ('erased' in item) erased.push(item.erased)
      else sessions.push(item.claim)
    }
    if (keys === 0) return
    const messages = entries.map(
      ({ mailbox, message }): MessageKey => [mailbox.user, message.from, message.number],
    )
    for (const entry of entries) entry.shared = true
    const marks = entries.map(({ message }) => markOf(message.body))
    const have: Have = { kind: 'have', messages, marks, erased, sessions }
    this.#piece = { number: this.#outgoing.push(have, keys * keyBytes, nowMs), entries, erased }
  }

  /** What is held, tombstones and sessions first; what comes in while this runs goes out as a live operation. */
  *#items(): Generator<Item, undefined> {
    for (const erased of [...this.#contents.erased.owed.values()]) yield { erased }
    for (const { session } of this.#contents.mailboxes) {
      if (session?.holder === this.#node) yield { claim: session.claim }
    }
    for (const entry of this.#contents.entries) if (this.#isUnknown(entry)) yield { entry }
    return undefined
  }

  /** True when this stream has neither carried it nor shown that the follower holds it. */
  #isUnknown(entry: Entry): boolean {
    return entry.sentIn !== this.#outgoing.epoch && entry.heldIn !== this.#outgoing.epoch
  }
}
