/**
 * What a partition remembers of messages that it no longer holds, so that nothing erased comes back.
 *
 * Three memories. `owed`: tombstones, kept until the partner has confirmed the erasure; the only one that must not
 * forget, and bounded by what the partner can hold. `recent`: the last messages erased, one by one. `highest`: the
 * highest number erased per user and sender. The last two are bounded and may forget: what they miss is a duplicate on
 * the wire that the phone hides. Of `recent` and `highest` a mark of the body is remembered, too: a sender that has lost
 * its account, and counts anew, must not have its texts taken for repetitions.
 */
import { crc32 } from 'node:zlib'
import { BoundedMap } from './bounded.ts'
import { keyText } from './mailbox.ts'
import type { MailboxOptions } from './options.ts'
import type { MessageKey } from './replication.ts'

/** What a number that comes in again may be. */
export type Known =
  /** Not known to have been erased. */
  | 'no'
  /** The phone has this message. */
  | 'same'
  /** The phone has a message of this number, with another body. */
  | 'other'

interface Highest {
  readonly number: number
  /** False when only the number counts, because that message is held again. */
  readonly isErased: boolean
  readonly mark: number | undefined
}

/** Tells one body from another, well enough for numbers that were given twice by accident. */
export function markOf(body: string): number {
  return crc32(body)
}

export class Erased {
  readonly #owed = new Map<string, MessageKey>()
  readonly #recent: BoundedMap<string, number | undefined>
  readonly #highest: BoundedMap<string, Highest>

  constructor(options: MailboxOptions) {
    this.#recent = new BoundedMap(options.erasedRecentMax)
    this.#highest = new BoundedMap(options.erasedHighestMax)
  }

  /** Tombstones that the partner has not confirmed. */
  get owed(): ReadonlyMap<string, MessageKey> {
    return this.#owed
  }

  /** The phone has this message; `mark` is {@link markOf} its body, where that is known. */
  note([user, from, number]: MessageKey, mark: number | undefined): void {
    const key = keyText(user, from, number)
    const known = mark ?? this.#recent.get(key)
    this.#recent.set(key, known)
    const pair = `${user}/${from}`
    const highest = this.#highest.get(pair)
    const isHigher = number >= (highest?.number ?? 0)
    this.#highest.set(pair, isHigher ? { number, isErased: true, mark: known } : highest!)
  }

  /**
   * Whether the phone is known to have it. Lower numbers than the highest prove nothing: they may never have come. What
   * was erased without its body being known, and is asked for without a mark, counts as the same.
   */
  knows([user, from, number]: MessageKey, mark: number | undefined): Known {
    const key = keyText(user, from, number)
    const highest = this.#highest.get(`${user}/${from}`)
    const isHighest = highest?.number === number && highest.isErased
    if (!this.#owed.has(key) && !this.#recent.has(key) && !isHighest) return 'no'
    const known = this.#recent.get(key) ?? (isHighest ? highest.mark : undefined)
    return mark === undefined || known === undefined || mark === known ? 'same' : 'other'
  }

  /** A message of this number is held again. What is owed stays owed. */
  forget([user, from, number]: MessageKey): void {
    this.#recent.delete(keyText(user, from, number))
    const pair = `${user}/${from}`
    if (this.#highest.get(pair)?.number === number)
      this.#highest.set(pair, { number, isErased: false, mark: undefined })
  }

  /** True when the phone is known to have a later message of the same sender. */
  isLate([user, from, number]: MessageKey): boolean {
    return number < (this.#highest.get(`${user}/${from}`)?.number ?? 0)
  }

  /** The partner must hear of this erasure. */
  owe(key: MessageKey): void {
    this.#owed.set(keyText(...key), key)
  }

  /** True when the partner has yet to confirm this erasure. */
  owes(key: MessageKey): boolean {
    return this.#owed.has(keyText(...key))
  }

  /** The partner does not hold it. False when nothing was owed. */
  confirm(key: MessageKey): boolean {
    return this.#owed.delete(keyText(...key))
  }
}
