/**
 * Choices from the members of one group, and what they need: made on the first choice, made new after a change.
 *
 * Most groups of a node are only looked at, by their lists, so this is kept out of `view.ts`: a view stays small. Hot. A choice allocates nothing.
 */
import type { Pid } from './address.ts'
import { Eligible } from './eligible.ts'
import { keyHash, mix } from './hash.ts'
import type { Member } from './roster.ts'
import type { Distance, Placed } from './view.ts'

/** What waits in front of a member, as far as this node knows; see {@link Picks.pickLeastQueue}. */
export type QueueOf = (pid: Pid) => number

/** No members. */
export const nobody: readonly Pid[] = Object.freeze([])

/** What choices are made from. */
export interface Standing {
  readonly all: readonly Pid[]
  readonly suspicions: number
  rows(): IterableIterator<{ readonly member: Member; readonly placed: Placed }>
}

/** The fractional part of the golden ratio: its multiples, modulo 1, never come close to each other for long. */
const goldenStep = 0.618033988749895

export class Picks {
  readonly #view: Standing
  #stale = true
  #suspicions = 0
  #eligible: readonly Pid[] = nobody
  /** Members at the head of `#eligible` that are equally near. */
  #nearest = 0
  /** The weights of `#eligible`, and for each the sum of its own and of those before; `undefined` while all weigh alike. */
  #weights: Float64Array | undefined
  #weightSums: Float64Array | undefined
  /**
   * Where round robin stands, among the nearest and among all: an index, or, with weights, a fraction of what they weigh
   * together.
   */
  #turn: number
  #round: number
  #seeds: Uint32Array | undefined
  #ownerPrimary: string | undefined
  #ownerSecondary: string | undefined
  #owner: Pid | undefined

  constructor(view: Standing, turn: number) {
    this.#view = view
    this.#turn = turn
    this.#round = turn
  }

  changed(): void {
    this.#stale = true
  }

  /** Those that are chosen from: the members that are neither draining nor suspect; when there are none, all. */
  get eligible(): readonly Pid[] {
    if (this.#isStale) this.#build()
    return this.#eligible
  }

  /** One of the nearest members, in turn and by weight. */
  pickNearest(): Pid | undefined {
    if (this.#isStale) this.#build()
    if (this.#nearest === 0) return undefined
    this.#turn = this.#next(this.#turn, this.#nearest)
    return this.#eligible[this.#indexAt(this.#turn, this.#nearest)]
  }

  /** One of all members, however near, in turn and by weight. */
  pickInTurn(): Pid | undefined {
    if (this.#isStale) this.#build()
    const count = this.#eligible.length
    if (count === 0) return undefined
    this.#round = this.#next(this.#round, count)
    return this.#eligible[this.#indexAt(this.#round, count)]
  }

  /**
   * The member before which least waits for its weight; among equals the nearest, and among the nearest in turn. Takes
   * time linear in the members.
   */
  pickLeastQueue(queueOf: QueueOf): Pid | undefined {
    if (this.#isStale) this.#build()
    const eligible = this.#eligible
    const nearest = this.#nearest
    const weights = this.#weights
    if (nearest === 0) return undefined
    this.#turn = this.#next(this.#turn, nearest)
    const first = this.#indexAt(this.#turn, nearest)
    let best = -1
    let least = Number.POSITIVE_INFINITY
    for (let step = 0; step < eligible.length; step++) {
      const index = step >= nearest ? step : first + step < nearest ? first + step : first + step - nearest
      const queue = queueOf(eligible[index]!) / (weights ? weights[index]! : 1)
      if (best >= 0 && queue >= least) continue
      best = index
      least = queue
    }
    return eligible[best]
  }

  /**
   * The member of a key, wherever it is: the same on every node that sees the same members, and when one joins or leaves
   * only its own keys move. Takes time linear in the members. Source: rendezvous hashing (Thaler, Ravishankar 1996), with
   * weights (Schindelhauer, Schomaker 2005).
   */
  pickByKey(key: string): Pid | undefined {
    if (this.#isStale) this.#build()
    this.#seeds ??= Uint32Array.from(this.#eligible, pid => keyHash(pid.toString()))
    const seeds = this.#seeds
    const weights = this.#weights
    const hash = keyHash(key)
    // The first one stands, for a weight next to nothing makes a score of minus infinity, too.
    let best = 0
    let bestScore = Number.NEGATIVE_INFINITY
    for (let index = 0; index < seeds.length; index++) {
      const drawn = mix(hash ^ seeds[index]!)
      const score = weights ? Math.log((drawn + 0.5) / 0x1_0000_0000) / weights[index]! : drawn
      if (score < bestScore || (score === bestScore && !this.#isBefore(index, best))) continue
      best = index
      bestScore = score
    }
    return this.#eligible[best]
  }

  /** The primary's member, else the secondary's, else the nearest one. */
  pickOwner(primary: string, secondary: string | undefined): Pid | undefined {
    if (this.#isStale) this.#build()
    if (this.#ownerPrimary !== primary || this.#ownerSecondary !== secondary) {
      this.#ownerPrimary = primary
      this.#ownerSecondary = secondary
      this.#owner = this.#memberOn(primary) ?? this.#memberOn(secondary)
    }
    return this.#owner ?? this.pickNearest()
  }

  /** Whom the next {@link pickNearest} (or, of all, {@link pickInTurn}) would take; the turn stays where it is. */
  peek(pick: 'nearest' | 'round-robin'): Pid | undefined {
    if (this.#isStale) this.#build()
    const [turn, count] =
      pick === 'nearest' ? [this.#turn, this.#nearest] : [this.#round, this.#eligible.length]
    return count === 0 ? undefined : this.#eligible[this.#indexAt(this.#next(turn, count), count)]
  }

  /** Whom the next {@link pickOwner} would take; the turn stays where it is. */
  peekOwner(primary: string, secondary: string | undefined): Pid | undefined {
    if (this.#isStale) this.#build()
    const turn = this.#turn
    const pid = this.pickOwner(primary, secondary)
    this.#turn = turn
    return pid
  }

  /** Whom the next {@link pickLeastQueue} would take; the turn stays where it is. */
  peekLeastQueue(queueOf: QueueOf): Pid | undefined {
    if (this.#isStale) this.#build()
    const turn = this.#turn
    const pid = this.pickLeastQueue(queueOf)
    this.#turn = turn
    return pid
  }

  get #isStale(): boolean {
    return this.#stale || this.#suspicions !== this.#view.suspicions
  }

  #memberOn(node: string | undefined): Pid | undefined {
    return this.#eligible.find(pid => pid.node === node)
  }

  /** Breaks a tie of hashes alike on all nodes, whose lists are in different orders. */
  #isBefore(index: number, other: number): boolean {
    return this.#eligible[index]!.toString() < this.#eligible[other]!.toString()
  }

  #next(turn: number, count: number): number {
    if (this.#weightSums) return (turn + goldenStep) % 1
    return turn + 1 < count ? turn + 1 : 0
  }

  /** Which of the first `count` has the turn. */
  #indexAt(turn: number, count: number): number {
    const sums = this.#weightSums
    if (!sums) return turn
    const at = turn * sums[count - 1]!
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  }

  #build(): void {
    const all = this.#view.all
    let isPlain = true
    let nearest: Distance | undefined
    this.#nearest = 0
    for (const { member, placed } of this.#view.rows()) {
      isPlain &&= !placed.suspect && member.meta === undefined
      nearest ??= placed.distance
      if (placed.distance === nearest) this.#nearest += member.times
    }
    this.#eligible = all
    this.#weights = undefined
    this.#weightSums = undefined
    if (!isPlain) this.#passOver()
    this.#turn = this.#turnIn(this.#turn, this.#nearest)
    this.#round = this.#turnIn(this.#round, this.#eligible.length)
    this.#seeds = undefined
    this.#ownerPrimary = undefined
    this.#stale = false
    this.#suspicions = this.#view.suspicions
  }

  /** Leaves out those that are chosen last, unless nobody is left then. */
  #passOver(): void {
    const { pids, nearest, weights } = new Eligible(this.#view.rows())
    if (pids.length === 0) return
    if (pids.length < this.#view.all.length) this.#eligible = pids
    this.#nearest = nearest
    this.#weights = weights
    let sum = 0
    this.#weightSums = weights?.map(weight => (sum += weight))
  }

  /** A turn from before a change, as one among `count` after it; with and without weights it differs from node to node. */
  #turnIn(turn: number, count: number): number {
    if (this.#weightSums) return turn < 1 ? turn : (turn / 0x1_0000) % 1
    return count === 0 ? Math.trunc(turn) : Math.trunc(turn) % count
  }
}
