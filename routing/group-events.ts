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
  #lists = new Map<GroupEvent['kind'], Pid[]>()

  /** Notes how often a process was in a group and is now, and whether it says something else of itself. */
  note(group: string, pid: Pid, timesBefore: number, timesAfter: number, isUpdated: boolean): void {
    for (let times = timesBefore; times < timesAfter; times++) this.#list('join', group).push(pid)
    for (let times = timesAfter; times < timesBefore; times++) this.#list('leave', group).push(pid)
    if (isUpdated && timesBefore > 0 && timesAfter > 0) this.#list('update', group).push(pid)
  }

  /** The list that the group's changes of one kind go to, as long as they come one after the other. */
  #list(kind: GroupEvent['kind'], group: string): Pid[] {
    if (group !== this.#group) {
      this.#group = group
      this.#lists.clear()
    }
    let pids = this.#lists.get(kind)
    if (!pids) {
      pids = []
      this.#lists.set(kind, pids)
      this.all.push({ kind, group, pids })
    }
    return pids
  }
}
