/**
 * One scope's registry: this node's own members and what every other node told of its own.
 *
 * Pure: no peers, frames, timers or listeners. Every change is noted in the events that are handed in, if any are wanted.
 * Invariants: a group exists exactly while somebody is in it; what a node told is held under its name only, so it can be
 * replaced or forgotten in one piece. Source: OTP `pg.erl`.
 */
import { Pid } from './address.ts'
import { type Entry, type Mark, metaOfMark, type Standing, timesOf, weightOf } from './exchange.ts'
import type { MemberEars } from './group-events.ts'
import { type MemberMeta, sameMeta } from './meta.ts'
import { nobody } from './picks.ts'
import { Effect, type Member, memberKey, Roster } from './roster.ts'
import { Distance, type Places, View } from './view.ts'

/** What is held of another node's members. */
export interface Holding {
  readonly roster: Roster
  /** Which start of the node said so. */
  readonly creation: number
  /** What the node said last of where it stands. */
  standing: Standing
  /** Monotonic time of the last change, of what is held or of being suspect. */
  sinceMs: number
  /** The node's link is lost; its members stay for a while. */
  isSuspect: boolean
  /** Since its present link came up, the node has said something of this scope. */
  isConfirmed: boolean
}

export interface ScopeOptions {
  readonly node: string
  /** How far another node is. */
  readonly distance: (node: string) => Distance
  /** A number in [0, 1), so that not all nodes start their round robin with the same member. */
  readonly random: () => number
}

export class Scope {
  readonly #options: ScopeOptions
  /** This node's own members. */
  readonly own: Roster
  /** The group, or groups, of each own process, by `memberKey`: a process's end must not search them all. */
  readonly #ownGroups = new Map<number, string | Set<string>>()
  readonly #holdings = new Map<string, Holding>()
  /** All rosters, the own one first, then nearest first; the views hold this very array. */
  readonly #places: Places
  readonly #views = new Map<string, View>()
  /** Lists that have been looked at and are still true. */
  readonly #ready = new Map<string, readonly Pid[]>()

  constructor(options: ScopeOptions) {
    this.#options = options
    this.own = new Roster(options.node)
    this.#places = { placed: [{ roster: this.own, distance: Distance.self, suspect: false }], suspicions: 0 }
  }

  /** The group's view, while it has members. */
  view(group: string): View | undefined {
    return this.#views.get(group)
  }

  members(group: string): readonly Pid[] {
    return this.#ready.get(group) ?? this.#look(group)
  }

  localMembers(group: string): readonly Pid[] {
    return this.#views.get(group)?.local ?? nobody
  }

  /** The groups that have members anywhere. */
  groups(): IterableIterator<string> {
    return this.#views.keys()
  }

  /** What is held of a node, if it told anything. */
  holding(node: string): Holding | undefined {
    return this.#holdings.get(node)
  }

  holdings(): IterableIterator<Holding> {
    return this.#holdings.values()
  }

  /** What a member says of itself. */
  meta(group: string, pid: Pid): MemberMeta | undefined {
    const roster = pid.node === this.own.node ? this.own : this.#holdings.get(pid.node)?.roster
    return roster?.find(group, memberKey(pid))?.meta
  }

  /** The groups that an own process is in. */
  groupsOf(pid: Pid): readonly string[] {
    const groups = this.#ownGroups.get(memberKey(pid))
    return typeof groups === 'string' ? [groups] : groups ? [...groups] : []
  }

  /** Sets how often an own process is in a group, and what it says of itself there; 0 takes it out. `isNew`: it is not in yet. */
  putOwn(group: string, pid: Pid, times: number, meta: MemberMeta | undefined, isNew: boolean): void {
    this.#put(this.own, group, pid, times, meta)
    if (times === 0) this.#forgetGroup(pid, group)
    else if (isNew) this.#noteGroup(pid, group)
  }

  /** Memberships of another node after {@link apply}: exact if they may be more than `sizeMax`, an upper bound otherwise. */
  sizeAfter({ roster }: Holding, entries: readonly Entry[], sizeMax: number): number {
    let size = roster.size
    const bound = size + weightOf(entries)
    if (bound <= sizeMax) return bound
    for (const entry of entries) {
      for (let at = 1; at < entry.length; at += 3) {
        const key = (entry[at] as number) * 0x1_0000_0000 + (entry[at + 1] as number)
        size += timesOf(entry[at + 2] as Mark) - (roster.find(entry[0], key)?.times ?? 0)
      }
    }
    return size
  }

  /** Takes over how members of another node stand now. */
  apply(holding: Holding, entries: readonly Entry[], events: MemberEars | undefined): void {
    const { roster, creation } = holding
    for (const entry of entries) {
      const group = entry[0]
      for (let at = 1; at < entry.length; at += 3) {
        const worker = entry[at] as number
        const index = entry[at + 1] as number
        const mark = entry[at + 2] as Mark
        const member = roster.find(group, worker * 0x1_0000_0000 + index)
        const times = timesOf(mark)
        if (!member && times === 0) continue
        const pid = member?.pid ?? new Pid(roster.node, creation, worker, index)
        this.#stands(roster, group, pid, member, times, metaOfMark(mark), events)
      }
    }
  }

  /**
   * Puts what a node says now in the place of all that it said before; what is the same is not touched. Both must be of
   * the same start of the node: another one's are removed before.
   */
  replace(told: Roster, creation: number, standing: Standing, events: MemberEars | undefined): Holding {
    const before = this.#holdings.get(told.node)
    if (!before) return this.#adopt(told, creation, standing, events)
    const { roster } = before
    for (const group of told.groups()) {
      for (const { pid, times, meta } of told.members(group)!.values())
        this.#stands(roster, group, pid, roster.find(group, memberKey(pid)), times, meta, events)
    }
    for (const group of roster.groups()) {
      const stay = told.members(group)
      for (const member of roster.members(group)!.values()) {
        const { pid } = member
        if (!stay?.has(memberKey(pid))) this.#stands(roster, group, pid, member, 0, undefined, events)
      }
    }
    before.standing = standing
    return before
  }

  /** Forgets a node with all its members. */
  remove(node: string, events: MemberEars | undefined): void {
    const holding = this.#holdings.get(node)
    if (!holding) return
    const { roster } = holding
    this.#holdings.delete(node)
    this.#places.placed.splice(
      this.#places.placed.findIndex(placed => placed.roster === roster),
      1,
    )
    for (const group of roster.groups()) {
      this.#letGo(group)
      if (!events) continue
      for (const { pid, times } of roster.members(group)!.values()) events.note(group, pid, times, 0, false)
    }
  }

  /** Marks the members of a node as such that may be gone, or as sound again; they stay where they are. */
  suspect(node: string, isSuspect: boolean): void {
    const holding = this.#holdings.get(node)
    if (!holding || holding.isSuspect === isSuspect) return
    holding.isSuspect = isSuspect
    const { placed } = this.#places
    const index = placed.findIndex(({ roster }) => roster === holding.roster)
    placed[index] = { ...placed[index]!, suspect: isSuspect }
    this.#places.suspicions += 1
  }

  /** Asks for every node's distance again. */
  placesChanged(): void {
    const rest = this.#places.placed.splice(1)
    for (const { roster, suspect } of rest) this.#place(roster, suspect)
    this.#ready.clear()
    for (const view of this.#views.values()) view.changed()
  }

  #stands(
    roster: Roster,
    group: string,
    pid: Pid,
    member: Member | undefined,
    times: number,
    meta: MemberMeta | undefined,
    events: MemberEars | undefined,
  ): void {
    const before = member?.times ?? 0
    const isUpdated = !sameMeta(member?.meta, meta)
    if (before === times && !isUpdated) return
    this.#put(roster, group, pid, times, meta)
    events?.note(group, pid, before, times, isUpdated)
  }

  #put(roster: Roster, group: string, pid: Pid, times: number, meta: MemberMeta | undefined): void {
    const effect = roster.put(group, pid, times, meta)
    if (effect === Effect.opened) this.#hold(group)
    else if (effect === Effect.emptied) this.#letGo(group)
    else this.#changed(group, this.#views.get(group)!)
  }

  #adopt(roster: Roster, creation: number, standing: Standing, events: MemberEars | undefined): Holding {
    const holding = { roster, creation, standing, sinceMs: 0, isSuspect: false, isConfirmed: true }
    this.#holdings.set(roster.node, holding)
    this.#place(roster, false)
    for (const group of roster.groups()) {
      this.#hold(group)
      if (!events) continue
      for (const { pid, times } of roster.members(group)!.values()) events.note(group, pid, 0, times, false)
    }
    return holding
  }

  /** One more node has members in the group. */
  #hold(group: string): void {
    const view = this.#views.get(group)
    if (view) {
      view.holders += 1
      this.#changed(group, view)
    } else
      this.#views.set(group, new View(group, this.#places, Math.floor(this.#options.random() * 0x1_0000)))
  }

  /** One node less has members in the group. */
  #letGo(group: string): void {
    const view = this.#views.get(group)!
    view.holders -= 1
    this.#changed(group, view)
    if (view.holders === 0) this.#views.delete(group)
  }

  #changed(group: string, view: View): void {
    // A list that nobody has looked at is not among those that are ready.
    if (view.changed()) this.#ready.delete(group)
  }

  #look(group: string): readonly Pid[] {
    const list = this.#views.get(group)?.all
    if (!list) return nobody
    this.#ready.set(group, list)
    return list
  }

  #noteGroup(pid: Pid, group: string): void {
    const key = memberKey(pid)
    const groups = this.#ownGroups.get(key)
    if (groups === undefined) this.#ownGroups.set(key, group)
    else if (typeof groups === 'string') this.#ownGroups.set(key, new Set([groups, group]))
    else groups.add(group)
  }

  #forgetGroup(pid: Pid, group: string): void {
    const key = memberKey(pid)
    const groups = this.#ownGroups.get(key)
    if (groups === undefined) return
    if (typeof groups !== 'string') groups.delete(group)
    if (groups === group || (groups as Set<string>).size === 0) this.#ownGroups.delete(key)
  }

  /** Inserts a roster behind the nearer ones; among equals, by name. */
  #place(roster: Roster, suspect: boolean): void {
    const distance = this.#options.distance(roster.node)
    const index = this.#places.placed.findIndex(
      placed =>
        placed.distance > distance || (placed.distance === distance && placed.roster.node > roster.node),
    )
    this.#places.placed.splice(index < 0 ? this.#places.placed.length : index, 0, {
      roster,
      distance,
      suspect,
    })
  }
}
