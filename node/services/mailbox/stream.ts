/**
 * One direction of the replication: numbers at the source, and the follower's check that none is missing.
 *
 * Pure. Nothing is sent twice within a stream; a stream that has lost something is closed, and the next one has a
 * higher epoch. Source: C16, a numbered stream per partition, all partitions in parallel; the epochs of viewstamped
 * replication.
 * Invariant at the source: `acknowledged` <= last number sent; at the follower: `received` grows by one at a time.
 */
import type { Pid } from '../../../routing/index.ts'
import type { Operation, Operations } from './replication.ts'

/** The source's side: what has been numbered, sent and acknowledged. */
export class Outgoing {
  /** Which stream this is; 0 before the first. */
  epoch = 0
  /** When the follower last made progress, or had nothing to acknowledge. */
  progressAtMs = 0
  readonly #batchBytesMax: number
  #to: Pid | undefined
  #numberLast = 0
  #acknowledged = 0
  #unacknowledged = new Map<number, { readonly operation: Operation; readonly bytes: number }>()
  #unacknowledgedBytes = 0
  #batches: { first: number; bytes: number; operations: Operation[] }[] = []

  constructor(batchBytesMax: number) {
    this.#batchBytesMax = batchBytesMax
  }

  /** The follower; `undefined` while no stream is open. */
  get to(): Pid | undefined {
    return this.#to
  }
  get isOpen(): boolean {
    return this.#to !== undefined
  }
  get unacknowledgedOps(): number {
    return this.#unacknowledged.size
  }
  get unacknowledgedBytes(): number {
    return this.#unacknowledgedBytes
  }

  /** Begins the next stream. */
  open(to: Pid, nowMs: number): void {
    this.close()
    this.epoch += 1
    this.#to = to
    this.progressAtMs = nowMs
  }

  /** Forgets all that is under way; the next stream's inventory makes up for it. */
  close(): void {
    this.#to = undefined
    this.#numberLast = 0
    this.#acknowledged = 0
    this.#unacknowledged.clear()
    this.#unacknowledgedBytes = 0
    this.#batches = []
  }

  /**
   * Numbers an operation and puts it into the next batch; returns its number.
   * @param bytes roughly what it takes on the wire
   */
  push(operation: Operation, bytes: number, nowMs: number): number {
    if (this.#unacknowledged.size === 0) this.progressAtMs = nowMs
    const number = ++this.#numberLast
    this.#unacknowledged.set(number, { operation, bytes })
    this.#unacknowledgedBytes += bytes
    const last = this.#batches.at(-1)
    if (last && last.bytes + bytes <= this.#batchBytesMax) {
      last.operations.push(operation)
      last.bytes += bytes
    } else {
      this.#batches.push({ first: number, bytes, operations: [operation] })
    }
    return number
  }

  /** What is to be sent now, in order; empties it. */
  take(): Operations[] {
    const batches = this.#batches
    this.#batches = []
    return batches.map(({ first, operations }) => ({
      op: 'operations',
      epoch: this.epoch,
      first,
      operations,
    }))
  }

  /** The follower has applied everything up to `number`; returns what that newly confirms, in order. */
  acknowledge(number: number, nowMs: number): Operation[] {
    const confirmed: Operation[] = []
    const last = Math.min(number, this.#numberLast)
    while (this.#acknowledged < last) {
      this.#acknowledged += 1
      const sent = this.#unacknowledged.get(this.#acknowledged)!
      this.#unacknowledged.delete(this.#acknowledged)
      this.#unacknowledgedBytes -= sent.bytes
      confirmed.push(sent.operation)
    }
    if (confirmed.length > 0) this.progressAtMs = nowMs
    return confirmed
  }
}

/** What a follower does with a batch. */
export type Verdict =
  /** The next of the stream that it follows. */
  | 'apply'
  /** The first of a new stream. */
  | 'begin'
  /** Something before it is missing. */
  | 'gap'
  /** Of a stream that another has taken the place of. */
  | 'stale'
  /** From a process that is not followed, or not yet. */
  | 'stranger'

/** The follower's side: which stream it follows and how far. Whom it follows is not for creations, and so for clocks, to say. */
export class Incoming {
  #from: Pid | undefined
  #isFollowing = false
  #epoch = 0
  #received = 0

  /** The source that is followed, or was last. */
  get from(): Pid | undefined {
    return this.#from
  }
  get epoch(): number {
    return this.#epoch
  }
  /** Number of the last operation applied. */
  get received(): number {
    return this.#received
  }

  /** Follows this process from now on, or nobody. True when it is another one than before: what was known is forgotten. */
  follow(source: Pid | undefined): boolean {
    this.#isFollowing = source !== undefined
    if (!source || this.#from?.equals(source)) return false
    this.#from = source
    this.#epoch = 0
    this.#received = 0
    return true
  }

  /** Judges a batch and, where it is to be applied, counts it as received: apply all of it now. */
  accept(from: Pid, batch: Operations): Verdict {
    if (!this.#isFollowing || !this.#from?.equals(from)) return 'stranger'
    if (batch.epoch < this.#epoch) return 'stale'
    const begins = batch.epoch > this.#epoch
    if (batch.first !== (begins ? 1 : this.#received + 1)) return 'gap'
    this.#epoch = batch.epoch
    this.#received = batch.first + batch.operations.length - 1
    return begins ? 'begin' : 'apply'
  }
}
