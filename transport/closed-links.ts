/**
 * The last closed links, for the operator, and how many ended for which reason.
 *
 * Bounded: a ring of `closedLinksMax`. A node that fails again and again in the same way keeps one entry, so that it cannot
 * wash the others' away.
 */
import { type CloseReason, closeReasons } from './close-reason.ts'

/** One link that ended, or that never came to be. */
export interface ClosedLink {
  /** The other node; what it claimed to be if it was never proven, '' if it never said. */
  readonly node: string
  readonly address: string
  readonly reason: CloseReason
  readonly detail: string
  /** Wall clock, ms since 1970; of the last time. */
  readonly at: number
  /** How often in a row this node's links ended so. */
  readonly times: number
}

export class ClosedLinks {
  readonly #ring: ClosedLink[] = []
  readonly #ringMax: number
  readonly #counts = new Map<CloseReason, number>(closeReasons.map(reason => [reason, 0]))

  constructor(ringMax: number) {
    this.#ringMax = ringMax
  }

  /** Oldest first. */
  get last(): readonly ClosedLink[] {
    return this.#ring
  }

  /** How many links ended for each reason since the start. */
  get counts(): ReadonlyMap<CloseReason, number> {
    return this.#counts
  }

  add(link: Omit<ClosedLink, 'times'>): void {
    this.#counts.set(link.reason, this.#counts.get(link.reason)! + 1)
    const index = this.#ring.findLastIndex(known => known.node === link.node)
    const before = this.#ring[index]
    const repeated = before !== undefined && before.reason === link.reason && before.detail === link.detail
    if (repeated) this.#ring.splice(index, 1)
    this.#ring.push({ ...link, times: repeated ? before.times + 1 : 1 })
    if (this.#ring.length > this.#ringMax) this.#ring.shift()
  }
}
