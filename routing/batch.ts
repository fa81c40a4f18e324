/**
 * The changes of one loop turn, netted: a process that joined and left within it is not mentioned.
 *
 * Netting is what lets all joins travel in one frame and all leaves in another, in any order.
 */
import type { Pid } from './address.ts'
import { type Entry, memberKey } from './roster.ts'

interface Change {
  readonly pid: Pid
  /** Joins minus leaves. */
  net: number
}

export class Batch {
  readonly #groups = new Map<string, Map<number, Change>>()
  #size = 0

  /** Processes mentioned, once per group. */
  get size(): number {
    return this.#size
  }

  /** Notes `times` joins (or leaves, when negative) of a process. */
  add(group: string, pid: Pid, times: number): void {
    let changes = this.#groups.get(group)
    if (!changes) {
      changes = new Map()
      this.#groups.set(group, changes)
    }
    const key = memberKey(pid)
    const change = changes.get(key)
    if (change) change.net += times
    else {
      changes.set(key, { pid, net: times })
      this.#size += 1
    }
  }

  /** Adds all that another batch holds. */
  addAll(other: Batch): void {
    for (const [group, changes] of other.#groups) {
      for (const { pid, net } of changes.values()) this.add(group, pid, net)
    }
  }

  /** The net joins, each pid as often as it joined, of the groups that `allowed` lets through. */
  joins(allowed: (group: string) => boolean): Entry[] {
    return this.#entries(1, allowed)
  }

  /** The net leaves, likewise. */
  leaves(allowed: (group: string) => boolean): Entry[] {
    return this.#entries(-1, allowed)
  }

  #entries(sign: number, allowed: (group: string) => boolean): Entry[] {
    const entries: Entry[] = []
    for (const [group, changes] of this.#groups) {
      if (!allowed(group)) continue
      const pids: Pid[] = []
      for (const { pid, net } of changes.values()) {
        for (let times = net * sign; times > 0; times--) pids.push(pid)
      }
      if (pids.length > 0) entries.push({ group, pids })
    }
    return entries
  }
}
