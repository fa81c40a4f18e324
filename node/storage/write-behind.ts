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
  readonly #disk: Disk
  readonly #timers: Timers
  readonly #options: StoreOptions

  #dirty = new Map<string, Uint8Array | undefined>()
  #dirtyBytes = 0
  #inFlight: Batch | undefined
  #inFlightBytes = 0
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

  constructor(disk: Disk, timers: Timers, options: StoreOptions) {
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

  put(key: string, value: Uint8Array): void {
    if (this.#closing) throw closed('put')
    const before = this.#dirty.get(key)
    const bytes = sizeOf(key, value) - (this.#dirty.has(key) ? sizeOf(key, before) : 0)
    if (bytes > 0 && this.#dirtyBytes + this.#inFlightBytes + bytes > this.#options.dirtyBytesLimit) {
      throw new StoreError('behind', `put ${key}: ${this.#failure?.message ?? 'the disk cannot follow'}`)
    }
    this.#dirty.set(key, value)
    this.#dirtyBytes += bytes
    this.#arrange()
  }

  remove(key: string): void {
    if (this.#closing) throw closed('remove')
    const before = this.#dirty.get(key)
    if (before) this.#recordsNeverWritten++
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
    if (this.#dirty.size > 0) await this.#commit()
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
    if (this.#inFlight || this.#closing || this.#dirty.size === 0) return
    this.#committing = this.#commit()
  }

  /** One attempt. Never rejects: its outcome goes to the waiters and into the failure. */
  async #commit(): Promise<void> {
    const batch = this.#dirty
    const waiters = this.#waiters
    this.#inFlight = batch
    this.#inFlightBytes = this.#dirtyBytes
    this.#inFlightWaiters = waiters
    this.#dirty = new Map()
    this.#dirtyBytes = 0
    this.#waiters = []
    try {
      if (this.#failure) await this.#disk.recover()
      const changed = await this.#disk.commit(batch)
      for (const key of batch.keys()) this.#damagedKeys.delete(key)
      this.#commits++
      this.#recordsWritten += changed
      this.#failure = undefined
      this.#retryMs = this.#options.retryMsMin
      for (const waiter of waiters) waiter.resolve()
    } catch (error) {
      this.#fail(batch, asStoreError(error))
    }
    this.#inFlight = undefined
    this.#inFlightBytes = 0
    this.#arrange()
  }

  #fail(batch: Batch, failure: StoreError): void {
    this.#failure = failure
    // What was changed since is newer, so it stays on top.
    const newer = this.#dirty
    this.#dirty = new Map(batch)
    this.#dirtyBytes = this.#inFlightBytes
    for (const [key, value] of newer) {
      this.#dirtyBytes += sizeOf(key, value) - (batch.has(key) ? sizeOf(key, batch.get(key)) : 0)
      this.#dirty.set(key, value)
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
