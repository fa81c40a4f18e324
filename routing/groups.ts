/**
 * One scope as its users see it: join, leave, look, and be told. Lookups never wait and allocate nothing.
 *
 * Source: the API of OTP's `pg`.
 */
import type { Pid } from './address.ts'
import type { GroupListener } from './listeners.ts'
import type { MemberMeta } from './meta.ts'

/** Members by group at one moment, each as often as it joined. */
export type Snapshot = ReadonlyMap<string, readonly Pid[]>

/** What can be done with the groups of a scope. */
export interface Groups {
  /**
   * Makes a process of this node a member once more; it must leave as often as it joined. `meta` is what it says of itself in
   * this group, in the place of what it said before. Throws for a process of another node or start, for a group name that is
   * empty, longer than 255 or no valid Unicode, and for metadata out of its range: those are bugs. Throws RangeError beyond
   * `nodeMembersMax`: peers would cut this node off; and Error in a scope that has been closed.
   */
  join(group: string, pid: Pid, meta?: MemberMeta): void
  /** Takes a process out once; false when it was not a member. */
  leave(group: string, pid: Pid): boolean
  /** Changes what a member says of itself, as a whole; false when it is not a member. Throws for metadata out of its range. */
  update(group: string, pid: Pid, meta: MemberMeta | undefined): boolean
  /** Takes a process out of all groups, however often it joined them: what its end means. */
  leaveAll(pid: Pid): void
  /** Members, each as often as it joined: this node's first, then the cluster's, the datacenter's, the far ones. */
  members(group: string): readonly Pid[]
  /** This node's own members. */
  localMembers(group: string): readonly Pid[]
  /** What a member says of itself; `undefined` when that is nothing, or it is no member. */
  meta(group: string, pid: Pid): MemberMeta | undefined
  /** The groups that have members anywhere. */
  whichGroups(): string[]
  /**
   * Calls `listener` after every change of a group (`undefined`: of any group) and returns what ends that. A change made
   * by a listener is told after the present one. What it throws is thrown again in a turn of its own.
   * @param first called once, before this returns, with the members at exactly the moment after which changes are told
   */
  monitor(
    group: string | undefined,
    listener: GroupListener,
    first?: (snapshot: Snapshot) => void,
  ): () => void
}
