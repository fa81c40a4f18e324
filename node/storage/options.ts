/**
 * Tunables of a store. All are of the process: two nodes of an island may differ.
 *
 * They must relate as `dirtyBytesMax < dirtyBytesLimit` and `retryMsMin <= retryMsMax`.
 */
export interface StoreOptions {
  /**
   * How long a record may stay in memory only, in ms. More lets more records be fetched before they are ever written
   * (`recordsNeverWritten` rises) and makes commits fewer and larger; it costs what is lost when both nodes of an
   * island die at once. A `sync` does not wait for it.
   */
  readonly syncDelayMs: number
  /** Dirty bytes that start a commit at once. More absorbs bursts; costs memory and longer commits. */
  readonly dirtyBytesMax: number
  /** Dirty bytes beyond which `put` refuses. Reached only when the disk fails or cannot follow: watch `dirtyBytes`. */
  readonly dirtyBytesLimit: number
  /** Wait before the first new attempt after a failed commit, in ms; doubles up to `retryMsMax`. */
  readonly retryMsMin: number
  /** Longest wait between attempts, in ms: how long room may be back before the store notices. */
  readonly retryMsMax: number
  /** Size of the database file that counts as a full disk, in bytes; 0 leaves it to the disk itself. */
  readonly databaseBytesMax: number
}

export const defaultStoreOptions: StoreOptions = {
  syncDelayMs: 50,
  dirtyBytesMax: 8 << 20,
  dirtyBytesLimit: 256 << 20,
  retryMsMin: 100,
  retryMsMax: 2_000,
  databaseBytesMax: 0,
}

/** Tiny limits, so that tests reach each of them. */
export const testStoreOptions: StoreOptions = {
  syncDelayMs: 5,
  dirtyBytesMax: 4 << 10,
  dirtyBytesLimit: 64 << 10,
  retryMsMin: 5,
  retryMsMax: 20,
  databaseBytesMax: 0,
}
