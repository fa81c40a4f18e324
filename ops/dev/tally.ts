/**
 * The checker: what the phones sent against what the phones saw.
 *
 * It is told of every send, acknowledgement and delivery as the phones' application sees them, in whatever order they
 * happen to be noticed, and of who is connected. Pure: time comes in with each call.
 * Invariant: an acknowledged message is awaited until its recipient has seen it; a message counts as delivered once.
 * What is remembered is bounded by what is under way plus a window for each pair of people.
 */
import { createHistogram } from 'node:perf_hooks'

/** The result of a run. */
export interface Counts {
  /** Messages that people wrote. */
  readonly sent: number
  /** Of these, acknowledged by the meta-cluster: kept until the recipient has them. */
  readonly acked: number
  /** Seen by their recipients, each counted once. */
  readonly delivered: number
  /** Acknowledged, and not seen by the recipient (yet; at the end of a run: never). */
  readonly lost: number
  /** Times that a recipient saw a message that it had seen before. */
  readonly duplicates: number
  /** Seen after a later one of the same sender, and not marked late. */
  readonly outOfOrder: number
  /** Delivered between people who are at home in different datacenters. */
  readonly crossDatacenter: number
  /** Send to delivery, of messages whose recipient was connected all the while. */
  readonly p50Ms: number
  readonly p99Ms: number
}

/** One message on its way. Held by the sender until it is acknowledged. */
export interface Sending {
  readonly from: string
  readonly to: string
  readonly body: string
  readonly sentAtMs: number
}

interface Seen {
  readonly atMs: number
  readonly body: string
  /** Since when the recipient had been connected without a break. */
  readonly connectedSinceMs: number
}

/** What a recipient has seen of one sender. */
interface Pair {
  highest: number
  /** The last numbers seen, oldest first. */
  readonly recent: Set<number>
}

/** How far back a duplicate is told from a message that comes out of order. */
const PAIR_WINDOW = 256

export class Tally {
  readonly #homes: ReadonlyMap<string, string>
  /** Acknowledged, not yet seen; by sender and number. */
  readonly #awaited = new Map<string, Sending>()
  /** Seen, not yet acknowledged; by sender and number. */
  readonly #early = new Map<string, Seen & { readonly to: string }>()
  readonly #pairs = new Map<string, Pair>()
  readonly #connectedSinceMs = new Map<string, number>()
  readonly #latencyUs = createHistogram()
  #sent = 0
  #acked = 0
  #refused = 0
  #delivered = 0
  #duplicates = 0
  #outOfOrder = 0
  #crossDatacenter = 0
  #wrong = 0

  /** @param homes the home datacenter of each person; messages of and to others are not counted */
  constructor(homes: ReadonlyMap<string, string>) {
    this.#homes = homes
  }

  /** `user` can receive from now on. */
  connected(user: string, atMs: number): void {
    if (!this.#connectedSinceMs.has(user)) this.#connectedSinceMs.set(user, atMs)
  }

  /** `user` went away, or lost the connection. */
  away(user: string): void {
    this.#connectedSinceMs.delete(user)
  }

  /** How many people are not connected. */
  get awayCount(): number {
    return this.#homes.size - this.#connectedSinceMs.size
  }

  /** `from` wrote to `to`. Keep what is returned for {@link acked} or {@link refused}. */
  sent(from: string, to: string, body: string, atMs: number): Sending {
    this.#sent++
    return { from, to, body, sentAtMs: atMs }
  }

  /** The meta-cluster keeps the message, under this number of the sender's. */
  acked(sending: Sending, number: number): void {
    this.#acked++
    const key = `${sending.from}/${number}`
    const seen = this.#early.get(key)
    if (seen === undefined) {
      this.#awaited.set(key, sending)
    } else {
      this.#early.delete(key)
      this.#settle(sending, seen.to, seen)
    }
  }

  /** The meta-cluster did not take the message, and said so. */
  refused(_sending: Sending): void {
    this.#refused++
  }

  /** The application on `to`'s phone saw a message. */
  delivered(
    to: string,
    message: { from: string; number: number; body: string; late: boolean },
    atMs: number,
  ): void {
    const { from, number } = message
    if (!this.#homes.has(from) || !this.#homes.has(to)) return
    if (!this.#first(`${from}/${to}`, number, message.late)) return
    this.#delivered++
    if (this.#homes.get(from) !== this.#homes.get(to)) this.#crossDatacenter++
    const seen = { atMs, body: message.body, connectedSinceMs: this.#connectedSinceMs.get(to) ?? atMs }
    const key = `${from}/${number}`
    const sending = this.#awaited.get(key)
    if (sending === undefined) {
      this.#early.set(key, { to, ...seen })
    } else {
      this.#awaited.delete(key)
      this.#settle(sending, to, seen)
    }
  }

  /** Sent, and neither acknowledged nor refused so far. */
  get unanswered(): number {
    return this.#sent - this.#acked - this.#refused
  }

  /** Sends that were refused. */
  get refusals(): number {
    return this.#refused
  }

  /** Messages that reached somebody else, or with another text, than they were sent. Must be 0. */
  get wrong(): number {
    return this.#wrong
  }

  /** The acknowledged messages that nobody has seen yet, oldest first. */
  get missing(): readonly Sending[] {
    return [...this.#awaited.values()]
  }

  /** Where things stand. */
  get counts(): Counts {
    return {
      sent: this.#sent,
      acked: this.#acked,
      delivered: this.#delivered,
      lost: this.#awaited.size,
      duplicates: this.#duplicates,
      outOfOrder: this.#outOfOrder,
      crossDatacenter: this.#crossDatacenter,
      p50Ms: this.#latencyMs(50),
      p99Ms: this.#latencyMs(99),
    }
  }

  /** True when nothing that was seen so far breaks a promise; `lost` counts only when the run has ended. */
  static keepsPromises(counts: Counts): boolean {
    return counts.lost === 0 && counts.duplicates === 0 && counts.outOfOrder === 0
  }

  /** False for a message that the pair has seen before. */
  #first(key: string, number: number, late: boolean): boolean {
    const pair = this.#pairs.get(key) ?? { highest: -1, recent: new Set<number>() }
    this.#pairs.set(key, pair)
    if (number <= pair.highest) {
      const oldest = pair.recent.values().next().value!
      // Below a full window nobody can tell; a duplicate is the worse of the two.
      if (pair.recent.has(number) || (pair.recent.size === PAIR_WINDOW && number < oldest)) {
        this.#duplicates++
        return false
      }
      if (!late) this.#outOfOrder++
    }
    pair.highest = Math.max(pair.highest, number)
    if (pair.recent.size === PAIR_WINDOW) pair.recent.delete(pair.recent.values().next().value!)
    pair.recent.add(number)
    return true
  }

  #settle(sending: Sending, to: string, seen: Seen): void {
    if (sending.to !== to || sending.body !== seen.body) this.#wrong++
    if (seen.connectedSinceMs > sending.sentAtMs) return
    this.#latencyUs.record(Math.max(1, Math.round((seen.atMs - sending.sentAtMs) * 1_000)))
  }

  #latencyMs(percentile: number): number {
    if (this.#latencyUs.count === 0) return 0
    return Math.round(this.#latencyUs.percentile(percentile) / 100) / 10
  }
}
