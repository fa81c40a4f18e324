/**
 * What happened to groups, as their monitors hear it: gathered change by change, told group by group.
 *
 * Invariant: a pid stands in an event as often as it joined or left; nothing that did not change is mentioned.
 */
import type { Pid } from './address.ts'

/** A change of a group, after it happened; a pid stands in it as often as it joined or left. `update`: of metadata. */
export interface GroupEvent {
  readonly kind: 'join' | 'leave' | 'update'
  readonly group: string
  readonly pids: readonly Pid[]
}

/** Who hears of members that changed, one by one. */
export interface MemberEars {
  /** A process was in a group so often before, and is so often now, or says something else of itself. */
  note(group: string, pid: Pid, timesBefore: number, timesAfter: number, isUpdated: boolean): void
}

export class GroupEvents implements MemberEars {
  readonly all: GroupEvent[] = []
  #group: string | undefined
  #joined: Pid[] | undefined
  #left: Pid[] | undefined
  #updated: Pid[] | undefined

  /** Notes how often a process was in a group and is now, and whether it says something else of itself. */
  note(group: string, pid: Pid, timesBefore: number, timesAfter: number, isUpdated: boolean): void {
    if (group !== this.#group) {
      this.#group = group
      this.#joined = undefined
      this.#left = undefined
      this.#updated = undefined
    }
    if (timesAfter > timesBefore) {
      this.#joined ??= this.#begin('join', group)
      for (let times = timesBefore; times < timesAfter; times++) this.#joined.push(pid)
    } else if (timesAfter < timesBefore) {
      this.#left ??= this.#begin('leave', group)
      for (let times = timesAfter; times < timesBefore; times++) this.#left.push(pid)
    }
    if (isUpdated && timesBefore > 0 && timesAfter > 0) {
      this.#updated ??= this.#begin('update', group)
      this.#updated.push(pid)
    }
  }

  /** The list of an event that goes on as long as changes of the group come one after the other. */
  #begin(kind: GroupEvent['kind'], group: string): Pid[] {
    const pids: Pid[] = []
    this.all.push({ kind, group, pids })
    return pids
  }
}
