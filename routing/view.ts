/**
 * The ready-made member list of one group, and the choices made from it.
 *
 * Lists are built on the first look after a change, so a storm of changes costs nothing until somebody asks; after
 * that a look, or a choice, allocates nothing. Hot. Invariant: a list that was handed out never changes afterwards.
 * Source: R12 s28, pg2 with denormalised member lists; OTP's pg, which keeps the lists of all and of local members ready.
 */
import type { Pid } from './address.ts'
import { keyHash, mix } from './hash.ts'
import { listOf, type Roster } from './roster.ts'

/** How far a node is, nearest first. */
export const Distance = { self: 0, cluster: 1, datacenter: 2, far: 3 } as const
export type Distance = (typeof Distance)[keyof typeof Distance]

/** A roster, how far its node is from here, and whether its link has been lost just now. */
export interface Placed {
  readonly roster: Roster
  readonly distance: Distance
  readonly suspect: boolean
}

/** No members. */
export const nobody: readonly Pid[] = Object.freeze([])

export class View {
  /** Nodes that have members in the group; at 0 the group is no more. */
  holders = 0
  readonly #group: string
  /** The scope's rosters, nearest first; shared by all its views. */
  readonly #placed: readonly Placed[]
  #stale = true
  #all: readonly Pid[] = nobody
  #local: readonly Pid[] = nobody
  /** Members at the head of `#all` that are equally near. */
  #nearest = 0
  #turn: number
  #seeds: Uint32Array | undefined
  #ownerPrimary: string | undefined
  #ownerSecondary: string | undefined
  #owner: Pid | undefined

  /** `turn` is where round robin starts; it should differ from node to node. */
  constructor(group: string, placed: readonly Placed[], turn: number) {
    this.#group = group
    this.#placed = placed
    this.#turn = turn
  }

  /** The group's members, or their nearness, have changed. */
  changed(): void {
    this.#stale = true
  }

  /** All members: this node's, then the cluster's, then the datacenter's, then the far ones. */
  get all(): readonly Pid[] {
    if (this.#stale) this.#build()
    return this.#all
  }

  /** This node's own members. */
  get local(): readonly Pid[] {
    if (this.#stale) this.#build()
    return this.#local
  }

  /** One of the nearest members, in turn. */
  pickNearest(): Pid | undefined {
    if (this.#stale) this.#build()
    if (this.#nearest === 0) return undefined
    this.#turn = this.#turn + 1 < this.#nearest ? this.#turn + 1 : 0
    return this.#all[this.#turn]
  }

  /**
   * The member of a key, wherever it is: the same on every node that sees the same members, and when one joins or leaves
   * only its own keys move. Takes time linear in the members. Source: rendezvous hashing (Thaler, Ravishankar 1996).
   */
  pickByKey(key: string): Pid | undefined {
    if (this.#stale) this.#build()
    this.#seeds ??= Uint32Array.from(this.#all, pid => keyHash(pid.toString()))
    const seeds = this.#seeds
    const hash = keyHash(key)
    let best = -1
    let bestScore = -1
    for (let index = 0; index < seeds.length; index++) {
      const score = mix(hash ^ seeds[index]!)
      if (score < bestScore || (score === bestScore && !this.#isBefore(index, best))) continue
      best = index
      bestScore = score
    }
    return best < 0 ? undefined : this.#all[best]
  }

  /** Breaks a tie of hashes alike on all nodes, whose lists are in different orders. */
  #isBefore(index: number, other: number): boolean {
    return this.#all[index]!.toString() < this.#all[other]!.toString()
  }

  /** The primary's member, else the secondary's, else the nearest one. */
  pickOwner(primary: string, secondary: string | undefined): Pid | undefined {
    if (this.#stale) this.#build()
    if (this.#ownerPrimary !== primary || this.#ownerSecondary !== secondary) {
      this.#ownerPrimary = primary
      this.#ownerSecondary = secondary
      this.#owner = this.#memberOn(primary) ?? this.#memberOn(secondary)
    }
    return this.#owner ?? this.pickNearest()
  }

  #memberOn(node: string | undefined): Pid | undefined {
    return this.#all.find(pid => pid.node === node)
  }

  #build(): void {
    const all: Pid[] = []
    let local = 0
    let nearest: Distance | undefined
    this.#nearest = 0
    for (const { roster, distance } of this.#placed) {
      const members = roster.members(this.#group)
      if (!members) continue
      listOf(members, all)
      nearest ??= distance
      if (distance === Distance.self) local = all.length
      if (distance === nearest) this.#nearest = all.length
    }
    if (this.#nearest > 0) this.#turn %= this.#nearest
    this.#all = all
    this.#local = local === 0 ? nobody : local === all.length ? all : all.slice(0, local)
    this.#seeds = undefined
    this.#ownerPrimary = undefined
    this.#stale = false
  }
}
