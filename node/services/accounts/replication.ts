/**
 * Replication between the two processes of a partition: what the partner has not confirmed yet, and the one push that
 * is under way.
 *
 *     change --> unconfirmed --(one call at a time)--> partner merges, answers held --> confirmed
 *
 * A partner process met for the first time is sent everything, because it may have lost what it once confirmed; one
 * that was only out of reach is sent what changed since. A push is idempotent, so one whose answer was lost is
 * repeated. When a push leaves nothing unconfirmed it says so: that is how the partner knows that it has caught up.
 * Invariant: a record that the partner does not hold in its present version is in `unconfirmed`.
 */
import type { Pid } from '../../../routing/index.ts'
import { type AccountRecord, asRecord } from './records.ts'

/** Call between partners: merge these. Answered with {@link PushReply} when they are merged. */
export interface PushRequest {
  readonly op: 'push'
  readonly records: readonly AccountRecord[]
  /** True when the sender then has nothing more that the receiver lacks. */
  readonly complete: boolean
}

export interface PushReply {
  readonly held: true
}

/** Cast between partners: this PIN waits at the sender; best effort. */
export interface PinCopy {
  readonly op: 'pin'
  readonly user: string
  readonly pin: string
  readonly triesLeft: number
  readonly leftMs: number
}

/** Records in one push: some 40 kB, so that a push is never in the way of anything. */
export const pushRecordsMax = 256

/** One push, as it was sent. */
export interface Push {
  readonly to: Pid
  readonly request: PushRequest
}

export class Replication {
  readonly #records: ReadonlyMap<string, AccountRecord>
  readonly #unconfirmed = new Set<string>()
  #partner: Pid | undefined
  /** The last partner process met, and whether it has been told that it is complete. */
  #known: Pid | undefined
  #completed = false
  #underWay: Push | undefined

  /** @param records all records of the partition, kept up to date by the owner */
  constructor(records: ReadonlyMap<string, AccountRecord>) {
    this.#records = records
  }

  /** The partner's process, while it is in reach. */
  get partner(): Pid | undefined {
    return this.#partner
  }

  /** Records that the partner may not hold yet. */
  get unconfirmed(): number {
    return this.#unconfirmed.size
  }

  /** True while the partner may not hold the user's present record. */
  lacks(user: string): boolean {
    return this.#unconfirmed.has(user)
  }

  /** A record has changed here. */
  changed(user: string): void {
    this.#unconfirmed.add(user)
  }

  /** A copy came from the process `from`, and has been merged into our record of its user. */
  received(copy: AccountRecord, from: Pid | undefined): void {
    const mine = this.#records.get(copy.user)!
    const same = mine.device === copy.device && mine.session === copy.session
    if (!same) this.#unconfirmed.add(copy.user)
    else if (from && this.#known?.equals(from)) this.#unconfirmed.delete(copy.user)
  }

  /** The partner is in reach, or not any more. */
  meet(partner: Pid | undefined): void {
    this.#partner = partner
    if (!partner || this.#known?.equals(partner)) return
    this.#known = partner
    this.#completed = false
    for (const user of this.#records.keys()) this.#unconfirmed.add(user)
  }

  /** The push to send now, if there is one. The owner sends it and reports `confirmed` or `failed`. */
  next(): Push | undefined {
    if (!this.#partner || this.#underWay || (this.#completed && this.#unconfirmed.size === 0))
      return undefined
    const records: AccountRecord[] = []
    for (const user of this.#unconfirmed) {
      if (records.length === pushRecordsMax) break
      records.push(this.#records.get(user)!)
    }
    const complete = records.length === this.#unconfirmed.size
    this.#underWay = { to: this.#partner, request: { op: 'push', records, complete } }
    return this.#underWay
  }

  /** The partner holds what was pushed. */
  confirmed({ to, request }: Push): void {
    this.#underWay = undefined
    if (!this.#known?.equals(to)) return
    this.#completed ||= request.complete
    for (const record of request.records) {
      if (this.#records.get(record.user) === record) this.#unconfirmed.delete(record.user)
    }
  }

  /** The push came to nothing; its records stay unconfirmed. */
  failed(): void {
    this.#underWay = undefined
  }
}

/** Checks a partner's push; `undefined` when it is none. Records that are none are left out. */
export function asPush(message: unknown): PushRequest | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  const { op, records, complete } = message as Record<string, unknown>
  if (op !== 'push' || !Array.isArray(records) || typeof complete !== 'boolean') return undefined
  return { op, records: records.map(asRecord).filter(record => record !== undefined), complete }
}

/** Checks a partner's copy of a PIN; `undefined` when it is none. */
export function asPinCopy(message: unknown): PinCopy | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  const { op, user, pin, triesLeft, leftMs } = message as Record<string, unknown>
  if (op !== 'pin' || typeof user !== 'string' || typeof pin !== 'string') return undefined
  if (typeof triesLeft !== 'number' || typeof leftMs !== 'number') return undefined
  return { op, user, pin, triesLeft, leftMs }
}
