/**
 * What a partition remembers of messages that it no longer holds, so that nothing erased comes back.
 *
 * Three memories. `owed`: tombstones, kept until the partner has confirmed the erasure; the only one that must not
 * forget, and bounded by what the partner can hold. `recent`: the last messages erased, one by one. `highest`: the
 * highest number erased per user and sender. The last two are bounded and may forget: what they miss is a duplicate on
 * the wire that the phone hides.
 */
import { BoundedMap } from './bounded.ts'
import { keyText } from './mailbox.ts'
import type { MailboxOptions } from './options.ts'
import type { MessageKey } from './replication.ts'

export class Erased {
  readonly #owed = new Map<string, MessageKey>()
  readonly #recent: BoundedMap<string, true>
  readonly #highest: BoundedMap<string, number>

  constructor(options: MailboxOptions) {
    this.#recent = new BoundedMap(options.erasedRecentMax)
    this.#highest = new BoundedMap(options.erasedHighestMax)
  }

  /** Tombstones that the partner has not confirmed. */
  get owed(): ReadonlyMap<string, MessageKey> {
    return this.#owed
  }

  /** The phone has this message. */
  note([user, from, number]: MessageKey): void {
    this.#recent.set(keyText(user, from, number), true)
    const pair = `${user}/${from}`
    this.#highest.set(pair, Math.max(number, this.#highest.get(pair) ?? 0))
  }

  /** True when the phone is known to have it. Lower numbers than the highest prove nothing: they may never have come. */
  has([user, from, number]: MessageKey): boolean {
    const key = keyText(user, from, number)
    return this.#owed.has(key) || this.#recent.has(key) || this.#highest.get(`${user}/${from}`) === number
  }

  /** True when the phone is known to have a later message of the same sender. */
  isLate([user, from, number]: MessageKey): boolean {
    return number < (this.#highest.get(`${user}/${from}`) ?? 0)
  }

  /** The partner must hear of this erasure. */
  owe(key: MessageKey): void {
    this.#owed.set(keyText(...key), key)
  }

  /** The partner does not hold it. False when nothing was owed. */
  confirm(key: MessageKey): boolean {
    return this.#owed.delete(keyText(...key))
  }
}
