/**
 * Where partitions have moved, as the nodes that handed them over say, until the registry says so too.
 *
 * A hint is about one process of the node that gives it: whoever would be sent to that process as a partition's owner is
 * sent to the new one instead. So a node can only turn away what would have come to itself, and only to where a partition's
 * process may be: on a node of its island, or a member that this node knows. Invariant: one hint for each configured partition
 * at most; it ends with the link that it came by.
 */
import type { Pid } from './address.ts'
import { findPartition, type PartitionTable } from './placement.ts'

export interface HintsOptions {
  readonly services: () => ReadonlyMap<string, PartitionTable>
  readonly members: (group: string) => readonly Pid[]
  /** Whether a message to that process could be sent now. */
  readonly isReachable: (pid: Pid) => boolean
}

export interface Hint {
  readonly gone: Pid
  readonly owner: Pid
}

export class Hints {
  readonly #options: HintsOptions
  readonly #byGroup = new Map<string, Hint>()

  constructor(options: HintsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#byGroup.size
  }

  /** Notes that `gone`, a process of the node that says so, has handed a partition's group over; false when that cannot be. */
  learn(group: string, gone: Pid, owner: Pid): boolean {
    if (gone.equals(owner) || !this.#mayOwn(group, owner)) return false
    this.#byGroup.set(group, { gone, owner })
    return true
  }

  /** Whom to send to instead of `chosen`, or `chosen` itself. */
  follow(group: string, chosen: Pid): Pid {
    const hint = this.#byGroup.get(group)
    return hint?.gone.equals(chosen) && this.#options.isReachable(hint.owner) ? hint.owner : chosen
  }

  /** What is known of a group. */
  of(group: string): Hint | undefined {
    return this.#byGroup.get(group)
  }

  /** A node's processes are no longer seen; what it said of them is forgotten. */
  forget(node: string): void {
    for (const [group, { gone }] of this.#byGroup) if (gone.node === node) this.#byGroup.delete(group)
  }

  #mayOwn(group: string, owner: Pid): boolean {
    const found = findPartition(this.#options.services(), group)
    if (!found) return false
    return (
      found.table.owners(found.partition).includes(owner.node) ||
      this.#options.members(group).some(member => member.equals(owner))
    )
  }
}
