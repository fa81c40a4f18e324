/**
 * What a node gives to a service that lives on an island: who the partner is, which partitions are ours, where records
 * are kept, and how to hear that a group has changed.
 *
 * Services see the node only through this and through their processes' context, so that a test can run two halves of
 * an island without a mesh.
 */
import type { Pid } from '../../routing/index.ts'
import type { Clock } from '../../transport/index.ts'
import type { Log } from '../log.ts'
import type { Store } from '../storage/store.ts'

/** Given to `startMailboxService` and `startAccountsService`. */
export interface ServiceEnvironment {
  /** Name of this node. */
  readonly node: string
  /** The other node of the island; `undefined` for an island of one. */
  readonly partner: string | undefined
  /** The partitions that this island owns; each runs a process on both nodes. */
  readonly partitions: readonly number[]
  /** Name of the node that is called first for a partition: this one or the partner. */
  primaryOf(partition: number): string
  /** Shared by all partitions of the service, which keep apart by the prefix of their keys. */
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  /** How long a partition waits for its partner before it serves alone, in ms. */
  readonly partnerWaitMs: number
  /**
   * Tells the members of `group`: at once, then after each change. Returns how to stop. The listener runs outside of
   * any process's handlers; a process listens by telling itself (`context.tell`).
   */
  onGroupChange(group: string, listener: (members: readonly Pid[]) => void): () => void
}

/** What a running service shows to its node. */
export interface IslandService<Stats> {
  /** True once every partition here holds all that its partner held, or has waited for it in vain. */
  readonly caughtUp: boolean
  /** A snapshot, summed over the partitions of this node. */
  readonly stats: Stats
  /**
   * Hands over: leaves the groups that route to this node, keeps serving what still arrives, and resolves when the
   * partner holds everything, or, without one, when everything is on disk. Rejects with a `StoreError` when neither can be.
   */
  drain(): Promise<void>
}
