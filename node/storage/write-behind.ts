/**
 * Write-behind: the half of a store that is the same for every disk. It holds what is dirty, decides when to commit,
 * lets concurrent syncs share a commit, and tries again when a commit fails.
 *
 *     put, remove --> dirty --(delay, size, sync)--> in flight --> on disk
 *                       ^------- commit failed ---------'
 *
 * Invariant: one commit in flight; a record is in `dirty`, in flight or on disk, and the newest of these is the truth.
 * A failed commit is never repeated as such: the disk recovers (reopens) first, then everything dirty is applied anew,
 * because after a failed fsync the kernel may hold pages as clean that never reached the disk.
 * A removal stays dirty where the disk may hold the record. A record that was put as new, and that no commit can have
 * written, goes without a trace: while a disk is full, memory does not grow with what comes and goes.
 * Source: R14 s18 (C20); Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020.
 */
import type { TimerHandle, Timers } from '../../transport/index.ts'
import type { StoreOptions } from './options.ts'
import { type Store, type StoredRecord, StoreError, type StoreStats } from './store.ts'

/** Changes by key; `undefined` removes. */
export type Batch = ReadonlyMap<string, Uint8Array | undefined>

/** What lies below: does one thing at a time, in the order asked. Every method rejects with a {@link StoreError}. */
export interface Disk {
  /** Records on disk under a prefix, and the keys of those that are damaged. */
  load(prefix: string): Promise<{ records: readonly StoredRecord[]; damagedKeys: readonly string[] }>
  /** Applies a batch, all or nothing, and resolves when it is fsynced, with the number of records that changed. */
  commit(batch: Batch): Promise<number>
  /** After a failed commit: gets back to the last good one, trusting nothing written since. */
  recover(): Promise<void>
  close(): Promise<void>
}

interface Waiter {
  resolve(): void
  reject(error: StoreError): void
}

export class WriteBehindStore implements Store {
  readonly durable: boolean
  readonly #disk: Disk
  readonly #timers: Timers
  readonly #options: StoreOptions

  #dirty = new Map<string, Uint8Array | undefined>()
  #dirtyBytes = 0
  /** Keys in `dirty` that cannot be on disk. */
  #fresh = new Set<string>()
  #inFlight: Batch | undefined
  #inFlightBytes = 0
  /** Keys in flight that cannot have been on disk before. */
  #inFlightFresh = new Set<string>()
  /** Who waits for what is dirty, and who for what is in flight. */
  #waiters: Waiter[] = []
  #inFlightWaiters: Waiter[] = []

  #committing: Promise<void> = Promise.resolve()
  #delay: TimerHandle | undefined
  #soon = false
  #failure: StoreError | undefined
  #retryMs: number
  #closing: Promise<void> | undefined

  #commits = 0
  #recordsWritten = 0
  #recordsNeverWritten = 0
  readonly #damagedKeys = new Set<string>()

  /** @param durable true when what `disk` has committed outlives the process */
  constructor(disk: Disk, timers: Timers, options: StoreOptions, durable: boolean) {
    this.durable = durable
    this.#disk = disk
    this.#timers = timers
    this.#options = options
    this.#retryMs = options.retryMsMin
  }

  get stats(): StoreStats {
    return {
      dirtyRecords: this.#dirty.size + (this.#inFlight?.size ?? 0),
      dirtyBytes: this.#dirtyBytes + this.#inFlightBytes,
      commits: this.#commits,
      recordsWritten: this.#recordsWritten,
      recordsNeverWritten: this.#recordsNeverWritten,
      damagedRecords: this.#damagedKeys.size,
      failed: this.#failure?.message,
    }
  }

  async load(prefix: string): Promise<readonly StoredRecord[]> {
    if (this.#closing) throw closed('load')
    const { records, damagedKeys } = await this.#disk.load(prefix)
    for (const key of damagedKeys) this.#damagedKeys.add(key)
    // The disk answers in order, so a commit that this answer does not show is still in flight or dirty: the overlay
    // of both makes it the state of this moment.
    const merged = new Map(records)
    for (const changes of [this.#inFlight, this.#dirty]) {
      for (const [key, value] of changes ?? []) {
        if (!key.startsWith(prefix)) continue
        if (value) merged.set(key, value)
        else merged.delete(key)
      }
    }
    return [...merged].sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
  }

  put(key: string, value: Uint8Array, isNew = false): void {
    if (this.#closing) throw closed('put')
    const before = this.#dirty.get(key)
    const bytes = sizeOf(key, value) - (this.#dirty.has(key) ? sizeOf(key, before) : 0)
    if (bytes > 0 && this.#dirtyBytes + this.#inFlightBytes + bytes > this.#options.dirtyBytesLimit) {
      throw new StoreError('behind', `put ${key}: ${this.#failure?.message ?? 'the disk cannot follow'}`)
    }
    if (isNew && !this.#dirty.has(key) && !this.#inFlight?.has(key) && !this.#damagedKeys.has(key))
      this.#fresh.add(key)
    this.#dirty.set(key, value)
    this.#dirtyBytes += bytes
    this.#arrange()
  }

  remove(key: string): void {
    if (this.#closing) throw closed('remove')
    const before = this.#dirty.get(key)
    if (before) this.#recordsNeverWritten++
    if (this.#fresh.delete(key)) {
      this.#dirty.delete(key)
      this.#dirtyBytes -= sizeOf(key, before)
      if (this.#dirty.size === 0) this.#releaseWaiters()
      return
    }
    // The disk may hold an older record of this key, so the removal itself stays in the batch; one that finds
    // nothing there changes nothing and costs no write.
    this.#dirtyBytes += sizeOf(key, undefined) - (this.#dirty.has(key) ? sizeOf(key, before) : 0)
    this.#dirty.set(key, undefined)
    this.#arrange()
  }

  sync(): Promise<void> {
    if (this.#closing) return Promise.reject(closed('sync'))
    if (this.#failure) return Promise.reject(this.#failure)
    if (this.#dirty.size === 0 && !this.#inFlight) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const waiters = this.#dirty.size > 0 ? this.#waiters : this.#inFlightWaiters
      waiters.push({ resolve, reject })
      this.#arrange()
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  async #finish(): Promise<void> {
    this.#timers.cancel(this.#delay)
    this.#delay = undefined
    await this.#committing
    // A store that is failing gets one last attempt; after it, what is dirty is lost and the caller told so.
    if (this.#dirty.size > 0 || this.#failure) await this.#commit()
    await this.#disk.close()
    if (this.#failure) throw this.#failure
  }

  /** Sees to it that what is dirty has a commit ahead of it, and no later than it may. */
  #arrange(): void {
    // A commit in flight arranges the next one when it ends; after a failure the retry is already set.
    if (this.#inFlight || this.#failure || this.#closing || this.#soon) return
    if (this.#waiters.length > 0 || this.#dirtyBytes >= this.#options.dirtyBytesMax) {
      this.#soon = true
      // At the end of the turn, so that all that this turn puts and asks to sync shares the commit.
      this.#timers.soon(() => {
        this.#soon = false
        this.#start()
      })
    } else if (this.#dirty.size > 0 && this.#delay === undefined) {
      this.#delay = this.#timers.after(this.#options.syncDelayMs, () => this.#start())
    }
  }

  #start(): void {
    this.#timers.cancel(this.#delay)
    this.#delay = undefined
    // After a failure the disk is tried even when nothing is dirty any more: that is how it is found well again.
    if (this.#inFlight || this.#closing || (this.#dirty.size === 0 && !this.#failure)) return
    this.#committing = this.#commit()
  }

  /** Nothing is dirty any more: who waited for it waits for what is in flight, if anything is. */
  #releaseWaiters(): void {
    const waiters = this.#waiters
    this.#waiters = []
    if (this.#inFlight) this.#inFlightWaiters.push(...waiters)
    else for (const waiter of waiters) waiter.resolve()
  }

  /** One attempt. Never rejects: its outcome goes to the waiters and into the failure. */
  async #commit(): Promise<void> {
    const batch = this.#dirty
    const waiters = this.#waiters
    this.#inFlight = batch
    this.#inFlightBytes = this.#dirtyBytes
    this.#inFlightWaiters = waiters
    this.#inFlightFresh = this.#fresh
    this.#dirty = new Map()
    this.#fresh = new Set()
    this.#dirtyBytes = 0
    this.#waiters = []
    let isCertain = true
    try {
      if (this.#failure) await this.#disk.recover()
      isCertain = false
      const changed = batch.size > 0 ? await this.#disk.commit(batch) : 0
      for (const key of batch.keys()) this.#damagedKeys.delete(key)
      this.#commits++
      this.#recordsWritten += changed
      this.#failure = undefined
      this.#retryMs = this.#options.retryMsMin
      for (const waiter of waiters) waiter.resolve()
    } catch (error) {
      const failure = asStoreError(error)
      // A commit that found no room was rolled back. After any other, some of it may be there when the disk recovers.
      this.#fail(batch, failure, isCertain || failure.code === 'disk-full')
    }
    this.#inFlight = undefined
    this.#inFlightBytes = 0
    this.#inFlightFresh = new Set()
    this.#arrange()
  }

  /** @param isCertain true when nothing of the batch is on disk */
  #fail(batch: Batch, failure: StoreError, isCertain: boolean): void {
    this.#failure = failure
    // What was changed since is newer, so it stays on top.
    const newer = this.#dirty
    this.#dirty = new Map(batch)
    this.#dirtyBytes = this.#inFlightBytes
    if (isCertain) for (const key of this.#inFlightFresh) this.#fresh.add(key)
    for (const [key, value] of newer) {
      this.#dirtyBytes += sizeOf(key, value) - (batch.has(key) ? sizeOf(key, batch.get(key)) : 0)
      this.#dirty.set(key, value)
      if (value || !this.#fresh.delete(key)) continue
      this.#dirty.delete(key)
      this.#dirtyBytes -= sizeOf(key, undefined)
      this.#recordsNeverWritten++
    }
    const waiters = [...this.#inFlightWaiters, ...this.#waiters]
    this.#inFlightWaiters = []
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(failure)
    if (this.#closing) return
    this.#delay = this.#timers.after(this.#retryMs, () => this.#start())
    this.#retryMs = Math.min(this.#retryMs * 2, this.#options.retryMsMax)
  }
}

function sizeOf(key: string, value: Uint8Array | undefined): number {
  return key.length + (value?.length ?? 0)
}

function closed(action: string): StoreError {
  return new StoreError('closed', `${action}: the store is closed`)
}

function asStoreError(error: unknown): StoreError {
  return error instanceof StoreError ? error : new StoreError('io-error', `commit: ${String(error)}`)
}
