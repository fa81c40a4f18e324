/**
 * One scope as its users see it: join, leave, look, and be told.
 *
 * It keeps the scope, who listens, and the batch of own changes that the registry will send when this turn of the loop
 * ends. Lookups never wait and allocate nothing. Source: the API of OTP's `pg`.
 */
import type { Pid } from './address.ts'
import { Batch } from './batch.ts'
import { isName } from './exchange.ts'
import { type GroupListener, Listeners } from './listeners.ts'
import { type GroupEvent, Scope, type ScopeOptions } from './scope.ts'
import type { View } from './view.ts'

/** What can be done with the groups of a scope. */
export interface Groups {
  /**
   * Makes a process of this node a member once more; it must leave as often as it joined. Throws for a process of another
   * node or start, and for a group name that is empty or longer than 255: those are bugs.
   */
  join(group: string, pid: Pid): void
  /** Takes a process out once; false when it was not a member. */
  leave(group: string, pid: Pid): boolean
  /** Takes a process out of all groups, however often it joined them: what its end means. */
  leaveAll(pid: Pid): void
  /** Members, each as often as it joined: this node's first, then the cluster's, the datacenter's, the far ones. */
  members(group: string): readonly Pid[]
  /** This node's own members. */
  localMembers(group: string): readonly Pid[]
  /** The groups that have members anywhere. */
  whichGroups(): string[]
  /**
   * Calls `listener` after every change of a group (`undefined`: of any group) and returns what ends that. A change made
   * by a listener is told after the present one. What it throws is thrown again in a turn of its own.
   */
  monitor(group: string | undefined, listener: GroupListener): () => void
}

export interface GroupsOptions extends ScopeOptions {
  /** Which start of this node. */
  readonly creation: number
  /** Runs something at the end of this turn of the loop. */
  readonly soon: (run: () => void) => void
  /** Called when own members have changed. */
  readonly changed: () => void
}

export class OpenScope implements Groups {
  readonly name: string
  readonly scope: Scope
  readonly #options: GroupsOptions
  readonly #listeners: Listeners
  #batch = new Batch()

  constructor(name: string, options: GroupsOptions) {
    this.name = name
    this.scope = new Scope(options)
    this.#options = options
    this.#listeners = new Listeners(options.soon)
  }

  join(group: string, pid: Pid): void {
    if (!isName(group)) throw new TypeError(`join a group: its name must have 1 to 255 characters: ${group}`)
    if (pid.node !== this.#options.node || pid.creation !== this.#options.creation) {
      throw new TypeError(`join ${group}: only ${this.#options.node}'s own processes may: ${pid}`)
    }
    this.#changed([this.scope.joinOwn(group, pid)], 1)
  }

  leave(group: string, pid: Pid): boolean {
    const event = this.scope.leaveOwn(group, pid)
    if (event) this.#changed([event], -1)
    return event !== undefined
  }

  leaveAll(pid: Pid): void {
    this.#changed(this.scope.leaveAllOwn(pid), -1)
  }

  members(group: string): readonly Pid[] {
    return this.scope.members(group)
  }

  localMembers(group: string): readonly Pid[] {
    return this.scope.localMembers(group)
  }

  whichGroups(): string[] {
    return [...this.scope.groups()]
  }

  monitor(group: string | undefined, listener: GroupListener): () => void {
    return this.#listeners.add(group, listener)
  }

  /** The router's way to a group's members. */
  view(group: string): View | undefined {
    return this.scope.view(group)
  }

  /** Tells the listeners of changes that other nodes made. */
  tell(events: readonly GroupEvent[]): void {
    this.#listeners.tell(events)
  }

  /** The own changes since the last time. */
  takeBatch(): Batch {
    const batch = this.#batch
    if (batch.size > 0) this.#batch = new Batch()
    return batch
  }

  #changed(events: readonly GroupEvent[], sign: 1 | -1): void {
    if (events.length === 0) return
    for (const { group, pids } of events) {
      for (const pid of pids) this.#batch.add(group, pid, sign)
    }
    this.#options.changed()
    this.#listeners.tell(events)
  }
}
