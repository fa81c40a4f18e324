/**
 * The partitions that processes of this node have handed over lately: what still comes for such a process is not its own.
 *
 * A process leaves its partition's group first and ends later; senders learn of the one a moment after it happened, and may
 * still send when the other has. Invariant: in here is only who left a configured partition's group, for `handoverMs` at
 * most, and no more than `handoversMax` of them.
 */
import type { Clock } from '../transport/index.ts'
import type { Pid } from './address.ts'
import { findPartition, type PartitionTable } from './placement.ts'

export interface HandoversOptions {
  readonly clock: Clock
  readonly services: () => ReadonlyMap<string, PartitionTable>
  readonly handoverMs: number
  readonly handoversMax: number
}

/** A partition's group that a process of this node has left. */
export interface Handover {
  readonly group: string
  readonly table: PartitionTable
  readonly partition: number
  readonly pid: Pid
  readonly leftAtMs: number
  /** Whom each peer was told to send to. */
  readonly told: Map<string, Pid>
}

export class Handovers {
  readonly #options: HandoversOptions
  /** By worker and index, longest ago first; a process that had several partitions has its last. */
  readonly #byProcess = new Map<number, Handover>()

  constructor(options: HandoversOptions) {
    this.#options = options
  }

  /** A process of this node has left a group; of no account unless that is a partition's. */
  add(group: string, pid: Pid): void {
    const found = findPartition(this.#options.services(), group)
    if (!found) return
    const key = keyOf(pid.worker, pid.index)
    this.#byProcess.delete(key)
    this.#byProcess.set(key, {
      ...found,
      group,
      pid,
      leftAtMs: this.#options.clock.nowMs(),
      told: new Map(),
    })
    for (const oldest of this.#byProcess.keys()) {
      if (this.#byProcess.size <= this.#options.handoversMax) break
      this.#byProcess.delete(oldest)
    }
  }

  /** What the process that had this worker and index handed over. */
  of(worker: number, index: number): Handover | undefined {
    const key = keyOf(worker, index)
    const handover = this.#byProcess.get(key)
    if (!handover) return undefined
    if (this.#options.clock.nowMs() - handover.leftAtMs <= this.#options.handoverMs) return handover
    this.#byProcess.delete(key)
    return undefined
  }

  /** The link to a node is gone: what it was told it may have missed. */
  forget(node: string): void {
    for (const { told } of this.#byProcess.values()) told.delete(node)
  }
}

function keyOf(worker: number, index: number): number {
  return worker * 0x1_0000_0000 + index
}
