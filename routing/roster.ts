/**
 * One node's members in one scope: group to processes, each with how often it joined.
 *
 * A plain table; it knows nothing of views, peers or events. Invariant: no group is empty, no count is below one, and
 * `size` is the sum of the counts.
 */
import type { Pid } from './address.ts'

/** What a member says of itself, for whoever chooses among members; everything may be left out. */
export interface MemberMeta {
  /** Share of the work that it wants, against 1 for a member without one. */
  readonly weight?: number
  readonly zone?: string
  readonly version?: string
  /** It still serves, but wants no new work. */
  readonly draining?: boolean
}

/** A process in a group, how often it joined it, and what it says of itself there. */
export interface Member {
  readonly pid: Pid
  times: number
  meta: MemberMeta | undefined
}

/** Some joins, or some leaves, of one group; a pid stands in it as often as it joined or left. */
export interface Entry {
  readonly group: string
  readonly pids: readonly Pid[]
}

/** Members by {@link memberKey}. */
export type Members = ReadonlyMap<number, Member>

/** What tells two processes of the same start of a node apart. */
export function memberKey(pid: Pid): number {
  return pid.worker * 0x1_0000_0000 + pid.index
}

export class Roster {
  readonly node: string
  #size = 0
  readonly #groups = new Map<string, Map<number, Member>>()

  constructor(node: string) {
    this.node = node
  }

  /** Memberships, counted as often as they were joined. */
  get size(): number {
    return this.#size
  }

  /** The groups that have members here. */
  groups(): IterableIterator<string> {
    return this.#groups.keys()
  }

  members(group: string): Members | undefined {
    return this.#groups.get(group)
  }

  /** Adds a process once more. */
  join(group: string, pid: Pid): void {
    let members = this.#groups.get(group)
    if (!members) {
      members = new Map()
      this.#groups.set(group, members)
    }
    const key = memberKey(pid)
    const member = members.get(key)
    if (member) member.times += 1
    else members.set(key, { pid, times: 1, meta: undefined })
    this.#size += 1
  }

  /** Takes a process out once; false when it was not in. */
  leave(group: string, pid: Pid): boolean {
    const members = this.#groups.get(group)
    const key = memberKey(pid)
    const member = members?.get(key)
    if (!members || !member) return false
    this.#size -= 1
    member.times -= 1
    if (member.times === 0) members.delete(key)
    if (members.size === 0) this.#groups.delete(group)
    return true
  }

  /** Everything here, group by group, each pid as often as it joined. */
  *entries(): IterableIterator<Entry> {
    for (const [group, members] of this.#groups) yield { group, pids: listOf(members) }
  }

  /** What `newer` has beyond this. */
  *missing(newer: Roster): IterableIterator<Entry> {
    for (const [group, members] of newer.#groups) {
      const known = this.#groups.get(group)
      const pids: Pid[] = []
      for (const [key, member] of members) {
        repeat(pids, member.pid, member.times - (known?.get(key)?.times ?? 0))
      }
      if (pids.length > 0) yield { group, pids }
    }
  }
}

/** A group's members as a list, each as often as it joined. */
export function listOf(members: Members, into: Pid[] = []): Pid[] {
  for (const member of members.values()) repeat(into, member.pid, member.times)
  return into
}

function repeat(into: Pid[], pid: Pid, times: number): void {
  for (; times > 0; times--) into.push(pid)
}
