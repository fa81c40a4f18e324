/**
 * Store: what a service needs of a disk. Records under string keys; writes go to memory first and reach the disk
 * together, a little later (write-behind), or when somebody asks for it (`sync`).
 *
 * A record that is removed before its commit never touches the disk; most messages are fetched that soon.
 * Invariant: once a `sync` has resolved, everything put or removed before it survives the end of the process and of
 * the power; until then all of it or nothing of a commit does.
 * Source: R14 s18, the write-back cache of the mailboxes (C20).
 */

/** A durable map from keys to bytes. One owner at a time; calls may come in any order and overlap. */
export interface Store {
  /**
   * All records whose key begins with `prefix`, in key order (as JavaScript compares strings), those still dirty
   * included. Records that fail their checksum are left out and counted in `stats.damagedRecords`.
   * Rejects with a {@link StoreError}; works while commits fail, as long as the disk can be read.
   */
  load(prefix: string): Promise<readonly StoredRecord[]>
  /**
   * Writes behind: never waits. Keeps `value` itself until it is committed, so do not change it after.
   * `key` is any well-formed string. Throws {@link StoreError} `closed`, or `behind` when the disk has been slow or
   * failing for so long that `dirtyBytesLimit` is reached; look at `stats.failed` before accepting new work.
   * @param isNew true when the caller knows that the store has no record of this key: then one that is removed before
   *   its commit leaves nothing behind, not even while commits fail
   */
  put(key: string, value: Uint8Array, isNew?: boolean): void
  /** Removes a record, or does nothing if there is none. Never waits. Throws {@link StoreError} `closed`. */
  remove(key: string): void
  /**
   * Resolves when all that was put or removed before this call is on disk and fsynced. Calls that overlap share one
   * commit. Rejects with {@link StoreError} `disk-full` or `io-error` when the commit fails, and at once while the
   * store knows that it is failing; what was put stays dirty and is tried again in the background.
   */
  sync(): Promise<void>
  /** Commits what is dirty, then lets the disk go; again is no error. Rejects if that last commit fails. */
  close(): Promise<void>
  /** False when nothing here survives the end of the process, so that a `sync` proves nothing to anybody: {@link syncDurably}. */
  readonly durable: boolean
  /** A snapshot, for metrics and for back pressure. */
  readonly stats: StoreStats
}

export type StoredRecord = readonly [key: string, value: Uint8Array]

export interface StoreStats {
  /** Records put or removed, and not yet on disk. */
  readonly dirtyRecords: number
  /** Their keys and values. */
  readonly dirtyBytes: number
  /** Transactions since the start. */
  readonly commits: number
  /** Records written or erased on disk. */
  readonly recordsWritten: number
  /** Records put, and removed again before their commit. */
  readonly recordsNeverWritten: number
  /** Records seen damaged and not yet written anew. */
  readonly damagedRecords: number
  /** Why commits fail at the moment; `undefined` while all is well. */
  readonly failed: string | undefined
}

/**
 * Why a store cannot do what it was asked:
 * `disk-full`: no room now, it tries again by itself; `io-error`: the disk fails, the same; `closed`: used after
 * `close`; `in-use`: another process has the directory open; `behind`: more is dirty than may be; `not-durable`: it is
 * in memory only; `other-placement`: some of its records are of partitions that are elsewhere now, or of another number of them.
 */
export type StoreErrorCode =
  | 'disk-full'
  | 'io-error'
  | 'closed'
  | 'in-use'
  | 'behind'
  | 'not-durable'
  | 'other-placement'

/** The one error of this folder; its message says what was attempted and what stands in the way. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Resolves when all that was put or removed before is safe from the end of the process; rejects as `sync` does, or with `not-durable`. */
export async function syncDurably(store: Store): Promise<void> {
  if (!store.durable) throw new StoreError('not-durable', 'sync: the store is in memory only')
  await store.sync()
}
