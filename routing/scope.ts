/**
 * One scope's registry: this node's own members and what every linked node told of its own.
 *
 * Pure: no peers, frames, timers or listeners. Every change returns what it changed, as events. Invariants: a group
 * exists exactly while somebody is in it; what a node told is held under its name only, so it can be replaced or
 * forgotten in one piece and never outlives its link. Source: OTP `pg.erl`.
 */
import type { Pid } from './address.ts'
import { type Entry, memberKey, Roster } from './roster.ts'
import { Distance, nobody, type Placed, View } from './view.ts'

/** A change of a group, after it happened; a pid stands in it as often as it joined or left. */
export interface GroupEvent {
  readonly kind: 'join' | 'leave'
  readonly group: string
  readonly pids: readonly Pid[]
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
  /** The groups of each own process, by `memberKey`: a process's end must not search them all. */
  readonly #ownGroups = new Map<number, Set<string>>()
  readonly #rosters = new Map<string, Roster>()
  /** All rosters, the own one first, then nearest first; the views hold this very array. */
  readonly #placed: Placed[]
  readonly #views = new Map<string, View>()

  constructor(options: ScopeOptions) {
    this.#options = options
    this.own = new Roster(options.node)
    this.#placed = [{ roster: this.own, distance: Distance.self, suspect: false }]
  }

  /** The group's view, while it has members. */
  view(group: string): View | undefined {
    return this.#views.get(group)
  }

  members(group: string): readonly Pid[] {
    return this.#views.get(group)?.all ?? nobody
  }

  localMembers(group: string): readonly Pid[] {
    return this.#views.get(group)?.local ?? nobody
  }

  /** The groups that have members anywhere. */
  groups(): IterableIterator<string> {
    return this.#views.keys()
  }

  /** What a node told, if it did. */
  roster(node: string): Roster | undefined {
    return this.#rosters.get(node)
  }

  joinOwn(group: string, pid: Pid): GroupEvent {
    this.#join(this.own, group, pid)
    const key = memberKey(pid)
    const groups = this.#ownGroups.get(key)
    if (groups) groups.add(group)
    else this.#ownGroups.set(key, new Set([group]))
    return { kind: 'join', group, pids: [pid] }
  }

  /** `undefined` when the process was not in the group. */
  leaveOwn(group: string, pid: Pid): GroupEvent | undefined {
    if (!this.#leave(this.own, group, pid)) return undefined
    const key = memberKey(pid)
    if (!this.own.members(group)?.has(key)) {
      const groups = this.#ownGroups.get(key)!
      groups.delete(group)
      if (groups.size === 0) this.#ownGroups.delete(key)
    }
    return { kind: 'leave', group, pids: [pid] }
  }

  /** Takes a process out of all groups, however often it joined. */
  leaveAllOwn(pid: Pid): GroupEvent[] {
    const key = memberKey(pid)
    const events: GroupEvent[] = []
    for (const group of this.#ownGroups.get(key) ?? []) {
      const pids: Pid[] = []
      while (this.#leave(this.own, group, pid)) pids.push(pid)
      events.push({ kind: 'leave', group, pids })
    }
    this.#ownGroups.delete(key)
    return events
  }

  /** Joins that a node told of its own members. */
  joinRemote(roster: Roster, entries: readonly Entry[]): GroupEvent[] {
    return entries.map(({ group, pids }) => {
      for (const pid of pids) this.#join(roster, group, pid)
      return { kind: 'join', group, pids }
    })
  }

  /** Leaves that a node told; those of processes that were not in are left out of the events. */
  leaveRemote(roster: Roster, entries: readonly Entry[]): GroupEvent[] {
    const events: GroupEvent[] = []
    for (const { group, pids } of entries) {
      const left = pids.filter(pid => this.#leave(roster, group, pid))
      if (left.length > 0) events.push({ kind: 'leave', group, pids: left })
    }
    return events
  }

  /**
   * Puts what a node says now in the place of all that it said before; the same again changes nothing. Both must be of
   * the same start of the node: its link's end, which is in between otherwise, removes it.
   */
  replace(roster: Roster): GroupEvent[] {
    const before = this.#rosters.get(roster.node) ?? new Roster(roster.node)
    const left = [...roster.missing(before)]
    const joined = [...before.missing(roster)]
    this.#forget(before)
    this.#rosters.set(roster.node, roster)
    this.#place(roster)
    for (const group of roster.groups()) this.#hold(group)
    this.#dropEmpty(before)
    return [...eventsOf('leave', left), ...eventsOf('join', joined)]
  }

  /** Forgets a node with all its members. */
  remove(node: string): GroupEvent[] {
    const roster = this.#rosters.get(node)
    if (!roster) return []
    this.#forget(roster)
    this.#dropEmpty(roster)
    return eventsOf('leave', roster.entries())
  }

  /** Asks for every node's distance again. */
  placesChanged(): void {
    const rosters = this.#placed.slice(1).map(placed => placed.roster)
    this.#placed.length = 1
    for (const roster of rosters) this.#place(roster)
    for (const view of this.#views.values()) view.changed()
  }

  #join(roster: Roster, group: string, pid: Pid): void {
    const isNew = roster.members(group) === undefined
    roster.join(group, pid)
    if (isNew) this.#hold(group)
    else this.#views.get(group)!.changed()
  }

  #leave(roster: Roster, group: string, pid: Pid): boolean {
    if (!roster.leave(group, pid)) return false
    const view = this.#views.get(group)!
    view.changed()
    if (roster.members(group) === undefined) {
      view.holders -= 1
      if (view.holders === 0) this.#views.delete(group)
    }
    return true
  }

  /** One more node has members in the group. */
  #hold(group: string): void {
    let view = this.#views.get(group)
    if (!view) {
      view = new View(group, this.#placed, Math.floor(this.#options.random() * 0x1_0000))
      this.#views.set(group, view)
    }
    view.holders += 1
    view.changed()
  }

  /** Takes a roster out of every list; groups that this may have emptied are {@link #dropEmpty}'s. */
  #forget(roster: Roster): void {
    const index = this.#placed.findIndex(placed => placed.roster === roster)
    if (index < 0) return
    this.#placed.splice(index, 1)
    this.#rosters.delete(roster.node)
    for (const group of roster.groups()) {
      const view = this.#views.get(group)!
      view.holders -= 1
      view.changed()
    }
  }

  #dropEmpty(roster: Roster): void {
    for (const group of roster.groups()) {
      if (this.#views.get(group)?.holders === 0) this.#views.delete(group)
    }
  }

  /** Inserts a roster behind the nearer ones; among equals, by name. */
  #place(roster: Roster): void {
    const distance = this.#options.distance(roster.node)
    const index = this.#placed.findIndex(
      placed =>
        placed.distance > distance || (placed.distance === distance && placed.roster.node > roster.node),
    )
    this.#placed.splice(index < 0 ? this.#placed.length : index, 0, { roster, distance, suspect: false })
  }
}

function eventsOf(kind: 'join' | 'leave', entries: Iterable<Entry>): GroupEvent[] {
  return Array.from(entries, ({ group, pids }) => ({ kind, group, pids }))
}
