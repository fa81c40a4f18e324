/**
 * The thread that owns the database file: one request at a time, in the order sent, each of them synchronous.
 *
 * SQLite as it is safest: a write-ahead log, `synchronous=FULL` (a commit has been fsynced), one transaction a batch,
 * and `locking_mode=EXCLUSIVE`, so that the kernel keeps every other process out and lets go when this one dies,
 * however it dies. Beside SQLite's own checks each record carries a CRC-32 of key and value.
 * Invariant: nothing is appended to a write-ahead log behind frames whose fsync failed; see `open`.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import { type PackedRecord, pack, unpack, utf8 } from './packing.ts'
import { StoreError, type StoreErrorCode } from './store.ts'

/** What the thread is started with. */
export interface WorkerSetup {
  readonly directory: string
  readonly databaseBytesMax: number
}

/** What it is asked. Buffers are transferred, both ways. */
export type Request = { readonly id: number } & (
  | { readonly op: 'open' | 'recover' | 'close' }
  | { readonly op: 'load'; readonly prefix: string }
  | { readonly op: 'commit'; readonly batch: ArrayBuffer }
)

/** What it answers, in the order asked. */
export type Answer = { readonly id: number } & (
  | { readonly error: { readonly code: StoreErrorCode; readonly message: string } }
  | { readonly changed: number }
  | { readonly records: ArrayBuffer; readonly damagedKeys: readonly string[] }
)

const formatVersion = 1
const sqliteBusy = 5
const sqliteFull = 13

interface Open {
  readonly database: DatabaseSync
  readonly select: StatementSync
  readonly upsert: StatementSync
  readonly erase: StatementSync
}

class StorageThread {
  readonly #setup: WorkerSetup
  #open: Open | undefined

  constructor(setup: WorkerSetup) {
    this.#setup = setup
  }

  handle(request: Request): Answer {
    const { id, op } = request
    try {
      switch (op) {
        case 'open':
          this.#opened()
          return { id, changed: 0 }
        case 'load':
          return { id, ...this.#load(request.prefix) }
        case 'commit':
          return { id, changed: this.#commit(request.batch) }
        case 'recover':
          this.#close()
          this.#opened()
          return { id, changed: 0 }
        case 'close':
          this.#close()
          return { id, changed: 0 }
      }
    } catch (error) {
      const { code, message } = asStoreError(error)
      return { id, error: { code, message: `${op} ${this.#setup.directory}: ${message}` } }
    }
  }

  #load(prefix: string): { records: ArrayBuffer; damagedKeys: string[] } {
    const first = utf8.encode(prefix)
    const records: PackedRecord[] = []
    const damagedKeys: string[] = []
    for (const row of this.#opened().select.iterate(first, firstBehind(first))) {
      const key = row.key as Uint8Array
      const value = row.value as Uint8Array
      if (checksum(key, value) === row.crc) records.push([key, value])
      else damagedKeys.push(utf8.decode(key))
    }
    return { records: pack(records), damagedKeys }
  }

  #commit(batch: ArrayBuffer): number {
    const { database, upsert, erase } = this.#opened()
    let changed = 0
    database.exec('BEGIN IMMEDIATE')
    try {
      for (const [key, value] of unpack(batch)) {
        const result = value ? upsert.run(key, value, checksum(key, value)) : erase.run(key)
        changed += Number(result.changes)
      }
      database.exec('COMMIT')
    } catch (error) {
      // Loads go on meanwhile and must not see half a batch. Some errors have rolled back already.
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
    return changed
  }

  /** The database, opened if it is not. */
  #opened(): Open {
    this.#open ??= open(this.#setup)
    return this.#open
  }

  /** Closing folds acknowledged commits into the file; frames of a failed commit are in no index and stay out. */
  #close(): void {
    const database = this.#open?.database
    this.#open = undefined
    database?.close()
  }
}

function open({ directory, databaseBytesMax }: WorkerSetup): Open {
  makeDirectory(resolve(directory))
  const database = new DatabaseSync(join(directory, 'store.db'))
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    // The lock is taken by the first transaction, not by the pragma.
    database.exec('BEGIN IMMEDIATE; COMMIT')
    prepareFormat(database)
    if (databaseBytesMax > 0) {
      const { page_size: pageBytes } = database.prepare('PRAGMA page_size').get() as { page_size: number }
      database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(databaseBytesMax / pageBytes))}`)
    }
    // A log left behind by a crash, or by a fsync that failed, may read well from the page cache and yet not be on
    // disk; a commit appended behind such frames would be lost with them. So the log is emptied into the file, with
    // fsyncs of its own, before anything new is written.
    const checkpoint = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
    if (checkpoint.busy !== 0) throw new StoreError('io-error', 'the write-ahead log could not be emptied')
  } catch (error) {
    database.close()
    if (isSqliteError(error, sqliteBusy)) throw inUse(directory)
    throw error
  }
  leavePid(directory)
  return {
    database,
    select: database.prepare('SELECT key, value, crc FROM record WHERE key >= ? AND key < ? ORDER BY key'),
    upsert: database.prepare(
      'INSERT INTO record VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, crc = excluded.crc',
    ),
    erase: database.prepare('DELETE FROM record WHERE key = ?'),
  }
}

function prepareFormat(database: DatabaseSync): void {
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number }
  if (version === formatVersion) return
  if (version !== 0)
    throw new StoreError('io-error', `format ${version} is of a later version; this reads ${formatVersion}`)
  database.exec(`BEGIN IMMEDIATE;
    CREATE TABLE record (key BLOB PRIMARY KEY, value BLOB NOT NULL, crc INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    PRAGMA user_version = ${formatVersion};
    COMMIT`)
}

/** Makes the directory, private to us, and makes sure that its name too survives a power loss. */
function makeDirectory(directory: string): void {
  const first = mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  let path = directory
  do {
    path = dirname(path)
    const descriptor = openSync(path, 'r')
    fsyncSync(descriptor)
    closeSync(descriptor)
  } while (path !== dirname(first) && path !== dirname(path))
}

const pidFile = (directory: string) => join(directory, 'pid')

/** Leaves our pid for the message that a second opener gets; the lock itself is the kernel's. */
function leavePid(directory: string): void {
  try {
    writeFileSync(pidFile(directory), `${process.pid}\n`)
  } catch (error) {
    // On a full disk the store can still be read, and room may come back: a missing pid must not stop it.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

function inUse(directory: string): StoreError {
  let pid = ''
  try {
    pid = readFileSync(pidFile(directory), 'utf8').trim()
  } catch {
    // The holder has not written it yet; the answer is the same without.
  }
  return new StoreError('in-use', `another process has it open: ${pid ? `pid ${pid}` : 'pid unknown'}`)
}

/** The first key behind all that begin with `prefix`: UTF-8 has no byte 0xff, so the last byte can always go up. */
function firstBehind(prefix: Uint8Array): Uint8Array {
  if (prefix.length === 0) return Uint8Array.of(0xff)
  const behind = prefix.slice()
  behind[behind.length - 1]!++
  return behind
}

function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key))
}

function isSqliteError(error: unknown, code: number): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === code
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const full = isSqliteError(error, sqliteFull) || (error as NodeJS.ErrnoException).code === 'ENOSPC'
  return new StoreError(full ? 'disk-full' : 'io-error', (error as Error).message)
}

function serve(port: MessagePort, setup: WorkerSetup): void {
  const thread = new StorageThread(setup)
  port.on('message', (request: Request) => {
    const answer = thread.handle(request)
    port.postMessage(answer, 'records' in answer ? [answer.records] : [])
    // With its port closed the thread has nothing left to wait for, and ends.
    if (request.op === 'close') port.close()
  })
}

if (parentPort) serve(parentPort, workerData as WorkerSetup)
