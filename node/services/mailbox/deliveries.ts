/**
 * Sessions and what is handed to them: attach, the window, repetition, receipts.
 *
 * A mailbox that has something new for its session is marked, and served at the end of the turn, so that what one turn
 * brought leaves in one cast. What is handed over stays in the mailbox, in flight, until the phone acknowledges it.
 * Invariants: at most `windowMessages` in flight per session; after a refused hand-over nothing later goes out before
 * it, so that the order holds.
 */
import { Pid } from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { BoundedMap } from './bounded.ts'
import type { Contents } from './contents.ts'
import { type Entry, type Mailbox, Session } from './mailbox.ts'
import type { SessionCast, StoredMessage } from './messages.ts'
import type { MailboxOptions } from './options.ts'
import type { SessionClaim } from './replication.ts'
import type { MailboxStats } from './stats.ts'

/** The partition, as its deliveries see it. */
export interface DeliveriesHost {
  /** Name of this node. */
  readonly node: string
  nowMs(): number
  cast(session: Pid, message: SessionCast): Sent
}

export class Deliveries {
  readonly #contents: Contents
  readonly #options: MailboxOptions
  readonly #stats: MailboxStats
  readonly #host: DeliveriesHost
  /** Mailboxes with something to hand over at the end of the turn. */
  readonly #marked = new Set<Mailbox>()
  /** Sessions attached here with something in flight, or suspended. */
  readonly #watched = new Map<Session, Mailbox>()
  /** By user, then by recipient, the newest number; for users without a session. */
  readonly #receipts: BoundedMap<string, BoundedMap<string, number>>

  constructor(contents: Contents, options: MailboxOptions, stats: MailboxStats, host: DeliveriesHost) {
    this.#contents = contents
    this.#options = options
    this.#stats = stats
    this.#host = host
    this.#receipts = new BoundedMap(options.receiptUsersMax)
  }

  /** True while {@link tick} has something to watch. */
  get needsTick(): boolean {
    return this.#watched.size > 0
  }

  /**
   * A connection attaches here. It is refused when a newer session is known, and else replaces the one known, whose
   * connection is told if it is another one.
   */
  attach(claim: SessionClaim, pid: Pid): 'attached' | 'replaced' {
    const mailbox = this.#contents.openMailbox(claim.user)
    const current = mailbox.session
    const session = new Session(claim, this.#host.node, pid, this.#options)
    if (current?.isNewerThan(session) && current.claim.session !== claim.session) return 'replaced'
    // An attach that a later one of the same connection has overtaken.
    if (current?.claim.session === claim.session && current.claim.attachment > claim.attachment)
      return 'attached'
    this.#replace(mailbox, session)
    this.mark(mailbox)
    return 'attached'
  }

  /** The partner has this session. Returns our own where that is the newer: the partner must hear of it. */
  attachedElsewhere(claim: SessionClaim, holder: string): SessionClaim | undefined {
    const pid = Pid.parse(claim.session)
    if (!pid) return undefined
    const mailbox = this.#contents.openMailbox(claim.user)
    const current = mailbox.session
    const session = new Session(claim, holder, pid, this.#options)
    if (current && this.#isHere(current) && current.isNewerThan(session)) return current.claim
    this.#replace(mailbox, session)
    return undefined
  }

  /** The connection no longer serves the user. Returns its session, which the partner must hear of, if it is known. */
  detach(user: string, session: string): SessionClaim | undefined {
    const mailbox = this.#contents.mailbox(user)
    const claim = mailbox?.session?.claim
    if (!mailbox || claim?.session !== session) return undefined
    this.#drop(mailbox)
    return claim
  }

  /** The partner heard that this session is over. */
  detached({ user, session, attachment }: SessionClaim): void {
    const mailbox = this.#contents.mailbox(user)
    const claim = mailbox?.session?.claim
    if (mailbox && claim?.session === session && claim.attachment <= attachment) this.#drop(mailbox)
  }

  /** Whatever the partner has attached is unknown from now on. */
  forgetElsewhere(): void {
    for (const mailbox of this.#contents.mailboxes) {
      if (mailbox.session && !this.#isHere(mailbox.session)) this.#drop(mailbox)
    }
  }

  /** True when the partner has the user's session. */
  isElsewhere(user: string): boolean {
    const session = this.#contents.mailbox(user)?.session
    return session !== undefined && !this.#isHere(session)
  }

  /** Tells the user's session of a receipt, or keeps it until one attaches. */
  receipt(user: string, by: string, number: number): void {
    const session = this.#contents.mailbox(user)?.session
    if (session && this.#isHere(session)) {
      this.#host.cast(session.pid, { op: 'receipt', by, number })
      return
    }
    const kept = this.#receipts.get(user) ?? new BoundedMap<string, number>(this.#options.receiptsPerUserMax)
    kept.set(by, Math.max(number, kept.get(by) ?? 0))
    this.#receipts.set(user, kept)
  }

  /** The mailbox has something new, or room in its window. */
  mark(mailbox: Mailbox): void {
    if (mailbox.session && this.#isHere(mailbox.session)) this.#marked.add(mailbox)
  }

  /** The phone has this message, which was in the mailbox until now. */
  acknowledged({ mailbox }: Entry): void {
    const { session } = mailbox
    if (!session || !this.#isHere(session)) return
    session.resumeAtMs = undefined
    session.waitMs = this.#options.redeliverMs
    session.dueAtMs = this.#host.nowMs() + session.waitMs
    this.#marked.add(mailbox)
  }

  /** Hands over what the turn has gathered. */
  flush(): void {
    for (const mailbox of this.#marked) this.#serve(mailbox)
    this.#marked.clear()
  }

  /** Hands over again what phones have not acknowledged in time. */
  tick(): void {
    const nowMs = this.#host.nowMs()
    for (const [session, mailbox] of this.#watched) {
      if (session.flights.size === 0 && session.resumeAtMs === undefined) this.#watched.delete(session)
      if (session.flights.size > 0 && nowMs >= session.dueAtMs) {
        for (const entry of session.flights) session.overdue.add(entry)
        session.flights.clear()
        session.waitMs = Math.min(session.waitMs * 2, this.#options.redeliverMsMax)
        this.mark(mailbox)
      }
      if (session.resumeAtMs !== undefined && nowMs >= session.resumeAtMs) {
        session.resumeAtMs = undefined
        this.mark(mailbox)
      }
    }
  }

  #isHere(session: Session): boolean {
    return session.holder === this.#host.node
  }

  #replace(mailbox: Mailbox, session: Session): void {
    const old = mailbox.session
    this.#unwatch(mailbox)
    mailbox.session = session
    if (this.#isHere(session)) this.#stats.sessions += 1
    if (old && this.#isHere(old) && old.claim.session !== session.claim.session) {
      // Best effort: a connection that misses this finds out when it attaches or sends.
      this.#host.cast(old.pid, { op: 'replaced' })
    }
  }

  #drop(mailbox: Mailbox): void {
    this.#unwatch(mailbox)
    mailbox.session = undefined
    this.#contents.release(mailbox)
  }

  #unwatch(mailbox: Mailbox): void {
    const { session } = mailbox
    if (!session) return
    if (this.#isHere(session)) this.#stats.sessions -= 1
    this.#watched.delete(session)
    this.#marked.delete(mailbox)
  }

  #serve(mailbox: Mailbox): void {
    const session = mailbox.session!
    if (session.resumeAtMs !== undefined) return
    this.#serveReceipts(mailbox.user, session)
    let batch: Entry[] = []
    let bytes = 0
    for (const entry of mailbox.entries) {
      if (session.flights.size >= this.#options.windowMessages) break
      if (session.flights.has(entry)) continue
      if (bytes > 0 && bytes + entry.bytes > this.#options.batchBytesMax) {
        if (!this.#hand(session, mailbox, batch)) return
        batch = []
        bytes = 0
      }
      session.flights.add(entry)
      batch.push(entry)
      bytes += entry.bytes
    }
    if (batch.length > 0) this.#hand(session, mailbox, batch)
  }

  /** False when it was refused: then the session waits. */
  #hand(session: Session, mailbox: Mailbox, batch: readonly Entry[]): boolean {
    const nowMs = this.#host.nowMs()
    if (session.flights.size === batch.length) session.dueAtMs = nowMs + session.waitMs
    this.#watched.set(session, mailbox)
    const messages: StoredMessage[] = batch.map(entry => entry.message)
    const { attachment } = session.claim
    if (this.#host.cast(session.pid, { op: 'deliver', attachment, messages }) === Sent.ok) {
      session.retryMs = this.#options.retryMsMin
      this.#stats.delivered += batch.length
      for (const entry of batch) {
        session.overdue.delete(entry)
        mailbox.handed.add(entry)
      }
      return true
    }
    for (const entry of batch) session.flights.delete(entry)
    session.resumeAtMs = nowMs + session.retryMs
    session.retryMs = Math.min(session.retryMs * 2, this.#options.redeliverMsMax)
    return false
  }

  #serveReceipts(user: string, session: Session): void {
    const kept = this.#receipts.get(user)
    if (!kept) return
    this.#receipts.delete(user)
    for (const [by, number] of kept) this.#host.cast(session.pid, { op: 'receipt', by, number })
  }
}
