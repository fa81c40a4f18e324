/**
 * A partition's records in the store: undelivered messages, and the tombstones that a partner has yet to confirm.
 *
 *     mailbox/<partition>/m/<user>/<from>/<number>    CBOR [version, arrival, sentAtMs, late, body]
 *     mailbox/<partition>/t/<user>/<from>/<number>    empty
 *
 * Numbers are padded to 16 digits. A record that the store refuses because its disk lags is kept here and offered
 * again, so that `sync` never promises what was not put.
 * Source: C20, the write-back cache; most messages are removed before the store writes them.
 */
import { Encoder } from 'cbor-x'
import { type Store, StoreError, syncDurably } from '../../storage/store.ts'
import type { Entry } from './mailbox.ts'
import type { StoredMessage } from './messages.ts'
import type { MessageKey } from './replication.ts'

const formatVersion = 1
const numberDigits = 16
const cbor = new Encoder({ useRecords: false, mapsAsObjects: true, variableMapSize: true })
const nothing = new Uint8Array(0)

/** A message as it is read back. */
export interface LoadedMessage {
  readonly user: string
  readonly arrival: number
  readonly message: StoredMessage
}

/** What {@link Records.load} finds. */
export interface Loaded {
  /** In the order of their arrival. */
  readonly messages: readonly LoadedMessage[]
  readonly tombstones: readonly MessageKey[]
  /** Keys of records that this version cannot read. They are left where they are. */
  readonly unreadable: readonly string[]
}

export class Records {
  readonly #store: Store
  readonly #prefix: string
  readonly #refused = new Map<string, Uint8Array>()

  constructor(store: Store, partition: number) {
    this.#store = store
    this.#prefix = `mailbox/${partition}/`
  }

  /** Records that the store has refused so far. */
  get refused(): number {
    return this.#refused.size
  }

  /** Rejects with a `StoreError`. */
  async load(): Promise<Loaded> {
    const messages: LoadedMessage[] = []
    const tombstones: MessageKey[] = []
    const unreadable: string[] = []
    for (const [key, value] of await this.#store.load(this.#prefix)) {
      const name = parseKey(key.slice(this.#prefix.length))
      if (name === undefined) unreadable.push(key)
      else if (name.kind === 't') tombstones.push(name.key)
      else {
        const loaded = decode(name.key, value)
        if (loaded === undefined) unreadable.push(key)
        else messages.push(loaded)
      }
    }
    messages.sort((a, b) => a.arrival - b.arrival)
    return { messages, tombstones, unreadable }
  }

  /** False when the store refuses it for now. */
  putMessage(entry: Entry): boolean {
    const { from, number, sentAtMs, late, body } = entry.message
    const value = cbor.encode([formatVersion, entry.arrival, sentAtMs, late, body])
    return this.#put(this.#key('m', [entry.mailbox.user, from, number]), value)
  }

  removeMessage(key: MessageKey): void {
    this.#remove(this.#key('m', key))
  }

  putTombstone(key: MessageKey): void {
    this.#put(this.#key('t', key), nothing)
  }

  removeTombstone(key: MessageKey): void {
    this.#remove(this.#key('t', key))
  }

  /** Offers what was refused again. */
  retry(): void {
    for (const [key, value] of this.#refused) {
      this.#refused.delete(key)
      if (!this.#put(key, value)) return
    }
  }

  /** Resolves once everything put or removed before is fsynced on a disk; rejects with a `StoreError`. */
  async sync(): Promise<void> {
    this.retry()
    if (this.#refused.size > 0) {
      throw new StoreError('behind', `sync ${this.#prefix}: ${this.#refused.size} records refused`)
    }
    await syncDurably(this.#store)
  }

  #put(key: string, value: Uint8Array): boolean {
    try {
      // Messages and tombstones are put once, and only while there is none of that name.
      this.#store.put(key, value, true)
      this.#refused.delete(key)
      return true
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'behind') throw error
      this.#refused.set(key, value)
      return false
    }
  }

  #remove(key: string): void {
    // What was refused is not in the store, and the removal of an earlier one is there already.
    if (!this.#refused.delete(key)) this.#store.remove(key)
  }

  #key(kind: 'm' | 't', [user, from, number]: MessageKey): string {
    return `${this.#prefix}${kind}/${user}/${from}/${String(number).padStart(numberDigits, '0')}`
  }
}

function parseKey(text: string): { kind: 'm' | 't'; key: MessageKey } | undefined {
  const [kind, user, from, digits, more] = text.split('/')
  const number = Number(digits)
  if ((kind !== 'm' && kind !== 't') || !user || !from || more !== undefined) return undefined
  return Number.isSafeInteger(number) ? { kind, key: [user, from, number] } : undefined
}

function decode([user, from, number]: MessageKey, value: Uint8Array): LoadedMessage | undefined {
  let fields: unknown
  try {
    fields = cbor.decode(value)
  } catch {
    return undefined
  }
  if (!Array.isArray(fields) || fields[0] !== formatVersion) return undefined
  const [, arrival, sentAtMs, late, body] = fields as [number, number, number, boolean, string]
  return { user, arrival, message: { from, number, body, sentAtMs, late } }
}
