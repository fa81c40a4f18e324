/**
 * One node's members in one scope: group to processes, each with how often it joined and what it says of itself.
 *
 * A plain table; it knows nothing of views, peers or events. Invariants: no group is empty, no count is below one, `size`
 * is the sum of the counts, and `digest` is that of exactly these members.
 */
import type { Pid } from './address.ts'
import { Digest, type Lanes, lanesOf } from './digest.ts'
import { GroupMembers, type Member, type Members, memberKey } from './group-members.ts'
import type { MemberMeta } from './meta.ts'

export { type Member, type Members, memberKey } from './group-members.ts'
export type { MemberMeta } from './meta.ts'

/** What a change did to the group's being here. */
export const Effect = { none: 0, opened: 1, emptied: 2 } as const
export type Effect = (typeof Effect)[keyof typeof Effect]

export class Roster {
  readonly node: string
  readonly digest = new Digest()
  #size = 0
  readonly #groups = new Map<string, GroupMembers>()
  /** The group that was asked for last, and its members: a change asks for the same one several times in a row. */
  #lastGroup: string | undefined
  #lastMembers: GroupMembers | undefined

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
    return this.#of(group)
  }

  /** A group's name as digests see it. */
  lanes(group: string): Lanes {
    return this.#of(group) ?? lanesOf(group)
  }

  find(group: string, key: number): Member | undefined {
    return this.#of(group)?.get(key)
  }

  /** Sets how often a process is in a group, and what it says of itself; 0 takes it out. */
  put(group: string, pid: Pid, times: number, meta: MemberMeta | undefined): Effect {
    const found = this.#of(group)
    if (!found && times === 0) return Effect.none
    const members = found ?? new GroupMembers(group)
    const key = memberKey(pid)
    const member = members.get(key)
    if (member) this.digest.count(members, pid.worker, pid.index, member.times, member.meta, -1)
    this.digest.count(members, pid.worker, pid.index, times, meta, 1)
    this.#size += times - (member?.times ?? 0)
    if (times === 0) members.delete(key)
    else if (member) {
      member.times = times
      member.meta = meta
    } else members.add({ pid, times, meta })
    if (!found) {
      this.#groups.set(group, members)
      this.#lastMembers = members
      return Effect.opened
    }
    if (members.size > 0) return Effect.none
    this.#groups.delete(group)
    this.#lastMembers = undefined
    return Effect.emptied
  }

  #of(group: string): GroupMembers | undefined {
    if (group !== this.#lastGroup) {
      this.#lastGroup = group
      this.#lastMembers = this.#groups.get(group)
    }
    return this.#lastMembers
  }
}

/** A group's members as a list, each as often as it joined. */
export function listOf(members: Members, into: Pid[] = []): Pid[] {
  for (const { pid, times } of members.values()) {
    for (let count = times; count > 0; count--) into.push(pid)
  }
  return into
}
