/**
 * The ready-made lists of one group, and the way to the choices made from them (picks.ts).
 *
 *   all       every member, nearest first                        what `members` shows
 *   local     this node's own, the head of `all`
 *
 * Lists are built on the first look after a change, so a storm of changes costs nothing until somebody asks; after
 * that a look, or a choice, allocates nothing. Hot. Invariant: a list that was handed out never changes afterwards.
 * Source: R12 s28, pg2 with denormalised member lists; OTP's pg, which keeps the lists of all and of local members ready.
 */
import type { Pid } from './address.ts'
import { nobody, Picks } from './picks.ts'
import type { Member, Roster } from './roster.ts'

/** How far a node is, nearest first. */
export const Distance = { self: 0, cluster: 1, datacenter: 2, far: 3 } as const
export type Distance = (typeof Distance)[keyof typeof Distance]

/** All rosters of a scope, nearest first, as its views share them. */
export interface Places {
  readonly placed: Placed[]
  /** Grows whenever a node becomes suspect, or sound again: choices made before it are to be made anew. */
  suspicions: number
}

/** A roster, how far its node is from here, and whether its link has been lost just now. */
export interface Placed {
  readonly roster: Roster
  readonly distance: Distance
  readonly suspect: boolean
}

export class View {
  /** Nodes that have members in the group; at 0 the group is no more. */
  holders = 1
  readonly #group: string
  readonly #places: Places
  /** Where its choices start. */
  readonly #turn: number
  /** `undefined` while they must be built. */
  #all: readonly Pid[] | undefined
  #local: readonly Pid[] | undefined
  #picks: Picks | undefined

  /** `turn` is where round robin starts; it should differ from node to node. */
  constructor(group: string, places: Places, turn: number) {
    this.#group = group
    this.#places = places
    this.#turn = turn
  }

  /** The group's members, what they say of themselves, or their nearness, have changed; true if somebody had looked at the lists. */
  changed(): boolean {
    const wasBuilt = this.#all !== undefined
    this.#all = undefined
    this.#picks?.changed()
    return wasBuilt
  }

  /** As {@link Places.suspicions}. */
  get suspicions(): number {
    return this.#places.suspicions
  }

  /** All members: this node's, then the cluster's, then the datacenter's, then the far ones. */
  get all(): readonly Pid[] {
    return this.#all ?? this.#build()
  }

  /** This node's own members. */
  get local(): readonly Pid[] {
    if (!this.#all) this.#build()
    return this.#local ?? this.#all!
  }

  /** The choices from the members. */
  get picks(): Picks {
    this.#picks ??= new Picks(this, this.#turn)
    return this.#picks
  }

  /** Every member once, with where it stands; in the order of {@link all}. For people: it walks and allocates. */
  *rows(): IterableIterator<{ readonly member: Member; readonly placed: Placed }> {
    for (const placed of this.#places.placed) {
      for (const member of placed.roster.members(this.#group)?.values() ?? []) yield { member, placed }
    }
  }

  #build(): readonly Pid[] {
    let all: Pid[] | undefined
    let local = 0
    for (const { roster, distance } of this.#places.placed) {
      const members = roster.members(this.#group)
      if (!members) continue
      for (const { pid, times } of members.values()) {
        for (let count = times; count > 0; count--) {
          // An array that grows from nothing has room for sixteen.
          if (all) all.push(pid)
          else all = [pid]
        }
      }
      if (distance === Distance.self) local = all?.length ?? 0
    }
    const list = all ?? nobody
    this.#all = list
    this.#local = local === 0 ? nobody : local === list.length ? undefined : list.slice(0, local)
    return list
  }
}
