/**
 * A user's mailbox: the messages that the phone has not acknowledged, in order, and the session that they go to.
 *
 * Invariants: each sender's messages stand in the order of their numbers, whatever order they came in; a message is in
 * flight only for the session that the mailbox has now.
 */
import type { Pid } from '../../../routing/index.ts'
import type { Caller } from '../../runtime/server.ts'
import type { StoredMessage } from './messages.ts'
import type { MailboxOptions } from './options.ts'
import type { SessionClaim } from './replication.ts'

/** A message and what is known of it on this half of the island. */
export interface Entry {
  readonly mailbox: Mailbox
  /** See {@link keyText}. */
  readonly key: string
  message: StoredMessage
  /** What it counts against the node's budget. */
  readonly bytes: number
  /** Counts the partition's messages; tells their order after a restart. */
  readonly arrival: number
  /** True once the partner may hold it: then its erasure must be told. */
  shared: boolean
  /** The epoch of the stream in which it was last sent to the partner; 0 for never. */
  sentIn: number
  /** The epoch of the stream in which the partner last proved to hold it; 0 for never. */
  heldIn: number
  /** Senders that wait for it to be kept. */
  waiting: Waiting | undefined
}

/** What the senders of one message wait for; see `acknowledgements.ts`. */
export interface Waiting {
  readonly callers: Caller[]
  /** True until the partner has it or is away. */
  partner: boolean
  /** How the fsync went that they wait for, if they do. */
  disk: 'not-asked' | 'pending' | 'done' | 'failed'
}

/** A session: the connection that serves the user's phone, attached here or at the partner. */
export class Session {
  readonly claim: SessionClaim
  /** The node of the island at which it is attached. */
  readonly holder: string
  readonly pid: Pid
  /** Handed over and not acknowledged; these fill the window. Nothing is in flight to a session at the partner. */
  readonly flights = new Set<Entry>()
  /** Handed over, not acknowledged in time, and to be handed over again. */
  readonly overdue = new Set<Entry>()
  /** Set after a refused hand-over: nothing goes out before. */
  resumeAtMs: number | undefined
  /** The next such wait. */
  retryMs: number
  /** When what is in flight is handed over again; means nothing while nothing is. */
  dueAtMs = 0
  /** The next such wait. */
  waitMs: number

  constructor(claim: SessionClaim, holder: string, pid: Pid, options: MailboxOptions) {
    this.claim = claim
    this.holder = holder
    this.pid = pid
    this.resumeAtMs = undefined
    this.retryMs = options.retryMsMin
    this.waitMs = options.redeliverMs
  }

  /**
   * Whether this one replaces the other, strictly, so that both halves of the island choose the same: the later login,
   * the greater pid, the later attachment of one pid, the greater holder.
   */
  isNewerThan(other: Session): boolean {
    const [a, b] = [this.claim, other.claim]
    if (a.sessionNumber !== b.sessionNumber) return a.sessionNumber > b.sessionNumber
    if (a.session !== b.session) return a.session > b.session
    if (a.attachment !== b.attachment) return a.attachment > b.attachment
    return this.holder > other.holder
  }
}

export class Mailbox {
  readonly user: string
  session: Session | undefined
  /** Handed over here, to this session or an earlier one, and not acknowledged: the phone may have it. */
  readonly handed = new Set<Entry>()
  readonly #entries: Entry[] = []

  constructor(user: string) {
    this.user = user
  }

  get length(): number {
    return this.#entries.length
  }

  /** In order. */
  get entries(): readonly Entry[] {
    return this.#entries
  }

  /** Puts a message last, or before the later ones of its sender where those came first. */
  insert(entry: Entry): void {
    const { from, number } = entry.message
    let at = this.#entries.length
    for (let i = at - 1; i >= 0; i--) {
      const other = this.#entries[i]!.message
      if (other.from !== from) continue
      if (other.number < number) break
      at = i
    }
    this.#entries.splice(at, 0, entry)
  }

  /** Takes a message out, from its session's flights too; false when it is not here. */
  remove(entry: Entry): boolean {
    const at = this.#entries.indexOf(entry)
    if (at < 0) return false
    this.#entries.splice(at, 1)
    this.handed.delete(entry)
    this.session?.flights.delete(entry)
    this.session?.overdue.delete(entry)
    return true
  }

  /** True when the phone may have a later message of `from` than `number`, and had not been handed this one before. */
  hasHandedLater(from: string, number: number): boolean {
    let isLate = false
    for (const { message } of this.handed) {
      if (message.from !== from) continue
      if (message.number === number) return false
      isLate ||= message.number > number
    }
    return isLate
  }

  /** The phone has message `number` of `from`: what is here of that sender from before comes late. Returns how many. */
  markLate(from: string, number: number): number {
    let marked = 0
    for (const entry of this.#entries) {
      const { message } = entry
      if (message.from !== from) continue
      if (message.number >= number) break
      if (message.late) continue
      entry.message = { ...message, late: true }
      marked += 1
    }
    return marked
  }
}

/** The one text form of a message's name: `user/from/number`. None of the three contains a slash. */
export function keyText(user: string, from: string, number: number): string {
  return `${user}/${from}/${number}`
}
