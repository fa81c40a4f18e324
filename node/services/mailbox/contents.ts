/**
 * What a partition holds: its messages by name, its mailboxes by user, and what it remembers of erased ones.
 *
 * Memory and store change together, here and nowhere else. Pure apart from the store: no clock, no sends.
 * Invariants: a message is in the index, in its mailbox and in the store, or in none of them; a mailbox without
 * messages and without a session is not kept.
 */
import { Buffer } from 'node:buffer'
import { Erased, markOf } from './erased.ts'
import { type Entry, keyText, Mailbox } from './mailbox.ts'
import type { StoredMessage } from './messages.ts'
import type { MailboxOptions } from './options.ts'
import type { Loaded, Records } from './records.ts'
import type { MessageKey } from './replication.ts'
import type { MailboxStats } from './stats.ts'

/** What a message costs beside its body: entry, key, places in the index and in the mailbox. */
const entryBytes = 400

/** Bytes held by all partitions of the node together. */
export interface Budget {
  bytes: number
  readonly bytesMax: number
}

export class Contents {
  readonly erased: Erased
  readonly #records: Records
  readonly #budget: Budget
  readonly #stats: MailboxStats
  readonly #entries = new Map<string, Entry>()
  readonly #mailboxes = new Map<string, Mailbox>()
  /** Tombstones that are in the store, by their text. */
  readonly #persisted = new Set<string>()
  #arrivals = 0

  constructor(options: MailboxOptions, records: Records, budget: Budget, stats: MailboxStats) {
    this.erased = new Erased(options)
    this.#records = records
    this.#budget = budget
    this.#stats = stats
  }

  /** All messages, in the order of their arrival; may change while one walks. */
  get entries(): IterableIterator<Entry> {
    return this.#entries.values()
  }

  get mailboxes(): IterableIterator<Mailbox> {
    return this.#mailboxes.values()
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: MessageKey): Entry | undefined {
    return this.#entries.get(keyText(...key))
  }

  /** True while it is held. */
  holds(entry: Entry): boolean {
    return this.#entries.get(entry.key) === entry
  }

  /** True when a later message of the same sender has been handed to the phone here, or is known to be erased. */
  isLate(key: MessageKey): boolean {
    const [user, from, number] = key
    return this.erased.isLate(key) || (this.mailbox(user)?.hasHandedLater(from, number) ?? false)
  }

  /** True when `bytes` more of body would exceed the node's budget. */
  isFull(bytes: number): boolean {
    return this.#budget.bytes + bytes + entryBytes > this.#budget.bytesMax
  }

  mailbox(user: string): Mailbox | undefined {
    return this.#mailboxes.get(user)
  }

  /** The mailbox, made where there is none; whoever puts nothing into it calls {@link release}. */
  openMailbox(user: string): Mailbox {
    let mailbox = this.#mailboxes.get(user)
    if (!mailbox) {
      mailbox = new Mailbox(user)
      this.#mailboxes.set(user, mailbox)
      this.#stats.mailboxes = this.#mailboxes.size
    }
    return mailbox
  }

  /** Forgets a mailbox that has nothing in it. */
  release(mailbox: Mailbox): void {
    if (mailbox.length > 0 || mailbox.session !== undefined) return
    if (this.#mailboxes.get(mailbox.user) === mailbox) this.#mailboxes.delete(mailbox.user)
    this.#stats.mailboxes = this.#mailboxes.size
  }

  /** Reads the store's records in; what comes from there may also be at the partner. */
  fill(loaded: Loaded): void {
    for (const key of loaded.tombstones) {
      this.erased.owe(key)
      this.#persisted.add(keyText(...key))
    }
    for (const { user, arrival, message } of loaded.messages) {
      this.#add(user, message, arrival).shared = true
      this.#arrivals = Math.max(this.#arrivals, arrival)
    }
    this.#stats.tombstones = this.erased.owed.size
  }

  /** Takes a message in that is not held. */
  insert(user: string, message: StoredMessage): Entry {
    const key: MessageKey = [user, message.from, message.number]
    const late = message.late || this.isLate(key)
    this.erased.forget(key)
    if (late) this.#stats.late += 1
    const entry = this.#add(user, late === message.late ? message : { ...message, late }, ++this.#arrivals)
    this.#records.putMessage(entry)
    return entry
  }

  /** Takes a message back out, as if it had never come. */
  takeBack(entry: Entry): void {
    const { from, number } = entry.message
    this.#entries.delete(entry.key)
    entry.mailbox.remove(entry)
    this.#records.removeMessage([entry.mailbox.user, from, number])
    this.#count(-1, entry.bytes)
    this.release(entry.mailbox)
  }

  /** The phone has this message; returns it when it was held. The caller sees to the partner: {@link bury}. */
  erase(key: MessageKey): Entry | undefined {
    const [user, from, number] = key
    const entry = this.get(key)
    this.erased.note(key, entry && markOf(entry.message.body))
    this.#stats.late += this.mailbox(user)?.markLate(from, number) ?? 0
    if (entry) this.takeBack(entry)
    return entry
  }

  /** Keeps a tombstone until {@link confirmErased}; on disk, too, where `persist` says so. */
  bury(key: MessageKey, persist: boolean): void {
    this.erased.owe(key)
    this.#stats.tombstones = this.erased.owed.size
    if (persist) this.#persist(key)
  }

  /** Puts every tombstone on disk: the partner went away before it confirmed them. */
  persistTombstones(): void {
    for (const key of this.erased.owed.values()) this.#persist(key)
  }

  /** The partner holds this message no more. */
  confirmErased(key: MessageKey): void {
    if (!this.erased.confirm(key)) return
    this.#stats.tombstones = this.erased.owed.size
    if (this.#persisted.delete(keyText(...key))) this.#records.removeTombstone(key)
  }

  /** Gives the node's budget back; the last call. */
  close(): void {
    this.#budget.bytes -= this.#stats.messageBytes
  }

  #persist(key: MessageKey): void {
    const text = keyText(...key)
    if (this.#persisted.has(text)) return
    this.#persisted.add(text)
    this.#records.putTombstone(key)
  }

  #add(user: string, message: StoredMessage, arrival: number): Entry {
    const mailbox = this.openMailbox(user)
    const entry: Entry = {
      mailbox,
      key: keyText(user, message.from, message.number),
      message,
      bytes: Buffer.byteLength(message.body) + entryBytes,
      arrival,
      shared: false,
      sentIn: 0,
      heldIn: 0,
      waiting: undefined,
    }
    this.#entries.set(entry.key, entry)
    mailbox.insert(entry)
    this.#count(1, entry.bytes)
    return entry
  }

  #count(messages: 1 | -1, bytes: number): void {
    this.#budget.bytes += messages * bytes
    this.#stats.messageBytes += messages * bytes
    this.#stats.messages = this.#entries.size
  }
}
