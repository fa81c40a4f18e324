/**
 * The last closed links, for the operator, and how many ended for which reason.
 *
 * Bounded: a ring of `closedLinksMax`. A node that fails again and again in the same way keeps one entry, so that it cannot
 * wash the others' away. Nor can strangers: half of the ring is for peers. Beside it the last link that was up is kept for each peer.
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

/** What it was: of somebody unproven who came to us, a dial of ours that came to nothing, or a link that was up. */
export type ClosedKind = 'stranger' | 'dial' | 'link'

export class ClosedLinks {
  #ring: readonly ClosedLink[] = []
  readonly #ringMax: number
  readonly #strangers = new Set<ClosedLink>()
  readonly #lastUp = new Map<string, ClosedLink>()
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

  /** The last link to a node that was up, whatever was dialled in vain since. */
  lastUpTo(node: string): ClosedLink | undefined {
    return this.#lastUp.get(node)
  }

  add(link: Omit<ClosedLink, 'times'>, kind: ClosedKind): void {
    this.#counts.set(link.reason, this.#counts.get(link.reason)! + 1)
    const isStranger = kind === 'stranger'
    const before = this.#ring.findLast(
      known => known.node === link.node && this.#strangers.has(known) === isStranger,
    )
    const isRepeated = before !== undefined && before.reason === link.reason && before.detail === link.detail
    const closed = { ...link, times: isRepeated ? before.times + 1 : 1 }
    this.#ring = [...(isRepeated ? this.#without(before) : this.#ring), closed]
    if (isStranger) this.#strangers.add(closed)
    if (kind === 'link') this.#lastUp.set(link.node, closed)
    if (this.#ring.length > this.#ringMax) this.#ring = this.#without(this.#oldest())
  }

  /** The node is no peer any more. */
  forget(node: string): void {
    this.#lastUp.delete(node)
  }

  /** What makes room: of a stranger when they have more than half, else of a peer. */
  #oldest(): ClosedLink {
    const isStrangers = this.#strangers.size * 2 > this.#ringMax
    return this.#ring.find(link => this.#strangers.has(link) === isStrangers)!
  }

  #without(link: ClosedLink): readonly ClosedLink[] {
    this.#strangers.delete(link)
    return this.#ring.filter(known => known !== link)
  }
}
