/**
 * The sockets that have not logged in: how many there may be, from whom, and until when.
 *
 * A stranger can hold one of a bounded number of places, for a bounded time, with a bounded buffer; one address cannot
 * hold them all. Those who are logged in have left this list and feel nothing of it.
 * Source: slowloris; faults of handshakes without a total deadline.
 */
import { Deadlines } from './deadlines.ts'
import type { ConnectionsOptions } from './options.ts'

export class Unproven<T> {
  readonly #options: ConnectionsOptions
  readonly #deadlines: Deadlines<T>
  readonly #networkOf = new Map<T, string>()
  readonly #counts = new Map<string, number>()

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#deadlines = new Deadlines(options.loginTimeoutMs)
  }

  get size(): number {
    return this.#deadlines.size
  }

  /** Whether there is room for one more from `remoteAddress`, `host:port`. */
  hasRoom(remoteAddress: string): boolean {
    const count = this.#counts.get(networkOf(remoteAddress)) ?? 0
    return this.size < this.#options.unprovenMax && count < this.#options.unprovenPerAddressMax
  }

  add(entry: T, remoteAddress: string, nowMs: number): void {
    const network = networkOf(remoteAddress)
    this.#deadlines.add(entry, nowMs)
    this.#networkOf.set(entry, network)
    this.#counts.set(network, (this.#counts.get(network) ?? 0) + 1)
  }

  /** Logged in, or gone. */
  delete(entry: T): void {
    this.#deadlines.delete(entry)
    const network = this.#networkOf.get(entry)
    if (network === undefined) return
    this.#networkOf.delete(entry)
    const count = this.#counts.get(network)! - 1
    if (count === 0) this.#counts.delete(network)
    else this.#counts.set(network, count)
  }

  entries(): readonly T[] {
    return this.#deadlines.entries()
  }

  /** Takes out those whose time is up. */
  takeDue(nowMs: number): readonly T[] {
    const due = this.#deadlines.takeDue(nowMs)
    for (const entry of due) this.delete(entry)
    return due
  }
}

/** The part of an address that one customer has: the IPv4 address, or the first 64 bits of an IPv6 address. */
export function networkOf(remoteAddress: string): string {
  const host = remoteAddress.slice(0, remoteAddress.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  if (!host.includes(':')) return host
  const embedded = /^::ffff:([\d.]+)$/i.exec(host)
  if (embedded) return embedded[1]!
  const [head, tail] = host.split('::')
  const groups = head === '' ? [] : head!.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  while (groups.length + last.length < 8) groups.push('0')
  return [...groups, ...last].slice(0, 4).join(':')
}
