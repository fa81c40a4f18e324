/**
 * One node's members of one group: a table from `memberKey` to member, small while there is only one.
 *
 * Most groups of a large system have one member (a session, a partition), and a Map for one entry costs 200 bytes more than
 * the entry. Invariant: either there is no table, and at most one member, or all members are in the table.
 */
import type { Pid } from './address.ts'
import { type Lanes, lanesOf } from './digest.ts'
import type { MemberMeta } from './meta.ts'

/** A process in a group, how often it joined it, and what it says of itself there. */
export interface Member {
  readonly pid: Pid
  times: number
  meta: MemberMeta | undefined
}

/** Members by {@link memberKey}. */
export type Members = Pick<ReadonlyMap<number, Member>, 'get' | 'has' | 'size' | 'values'>

/** What tells two processes of the same start of a node apart. */
export function memberKey(pid: Pid): number {
  return pid.worker * 0x1_0000_0000 + pid.index
}

export class GroupMembers implements Members, Lanes {
  /** The group's name as the digest sees it. */
  readonly high: number
  readonly low: number
  #only: Member | undefined
  #table: Map<number, Member> | undefined

  constructor(group: string) {
    const { high, low } = lanesOf(group)
    // As signed numbers: those need no memory of their own.
    this.high = high | 0
    this.low = low | 0
  }

  get size(): number {
    return this.#table ? this.#table.size : this.#only ? 1 : 0
  }

  get(key: number): Member | undefined {
    if (this.#table) return this.#table.get(key)
    return this.#only && memberKey(this.#only.pid) === key ? this.#only : undefined
  }

  has(key: number): boolean {
    return this.get(key) !== undefined
  }

  values(): MapIterator<Member> {
    if (this.#table) return this.#table.values()
    return (this.#only ? [this.#only] : []).values()
  }

  /** Takes in a member that is not in. */
  add(member: Member): void {
    if (this.#table) this.#table.set(memberKey(member.pid), member)
    else if (!this.#only) this.#only = member
    else {
      this.#table = new Map([
        [memberKey(this.#only.pid), this.#only],
        [memberKey(member.pid), member],
      ])
      this.#only = undefined
    }
  }

  delete(key: number): void {
    if (this.#table) this.#table.delete(key)
    else if (this.has(key)) this.#only = undefined
  }
}
