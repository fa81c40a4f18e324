/**
 * A store on disk: write-behind on this thread, SQLite on a thread of its own (`sqlite-worker.ts`), so that no fsync
 * ever stops the event loop.
 *
 * This file is the wire between the two: requests by number, batches as one transferred buffer. If the thread dies,
 * what it was asked fails like a bad disk, and the next request starts another.
 */
import { Worker } from 'node:worker_threads'
import { realPorts, type Timers } from '../../transport/index.ts'
import { defaultStoreOptions, type StoreOptions } from './options.ts'
import { type PackedRecord, pack, unpack, utf8 } from './packing.ts'
import type { Answer, Request, WorkerSetup } from './sqlite-worker.ts'
import { type Store, type StoredRecord, StoreError } from './store.ts'
import { type Batch, type Disk, WriteBehindStore } from './write-behind.ts'

// A URL in a string is not rewritten by the compiler, so the ending is the one that this file has itself.
const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js',
  import.meta.url,
)

/**
 * Opens the store in `directory`, which is made (mode 0700) if it is not there. `ports.timers` are the machine's, and
 * `options` the defaults, where not given.
 * Rejects with a {@link StoreError}: `in-use` (names the holder's pid), `disk-full`, `io-error`.
 */
export async function openSqliteStore(setup: {
  readonly directory: string
  readonly ports?: { readonly timers: Timers }
  readonly options?: Partial<StoreOptions>
}): Promise<Store> {
  const options = { ...defaultStoreOptions, ...setup.options }
  const disk = new SqliteDisk({ directory: setup.directory, databaseBytesMax: options.databaseBytesMax })
  await disk.open()
  return new WriteBehindStore(disk, (setup.ports ?? realPorts).timers, options, true)
}

interface Asked {
  resolve(answer: Answer): void
  reject(error: StoreError): void
}

type Question = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never

class SqliteDisk implements Disk {
  readonly #setup: WorkerSetup
  #worker: Worker | undefined
  #asked = new Map<number, Asked>()
  #lastId = 0

  constructor(setup: WorkerSetup) {
    this.#setup = setup
  }

  async open(): Promise<void> {
    try {
      await this.#ask({ op: 'open' })
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async load(prefix: string) {
    const answer = await this.#ask({ op: 'load', prefix })
    if (!('records' in answer))
      throw new StoreError('io-error', `load ${prefix}: the storage thread sent no records`)
    const records: StoredRecord[] = []
    // Values are copied out: a view of the transferred buffer would keep all of it alive.
    for (const [key, value] of unpack(answer.records)) records.push([utf8.decode(key), value!.slice()])
    return { records, damagedKeys: answer.damagedKeys }
  }

  async commit(batch: Batch): Promise<number> {
    const packed = pack(encodeKeys(batch))
    const answer = await this.#ask({ op: 'commit', batch: packed }, [packed])
    return 'changed' in answer ? answer.changed : 0
  }

  async recover(): Promise<void> {
    await this.#ask({ op: 'recover' })
  }

  async close(): Promise<void> {
    const worker = this.#worker
    if (!worker) return
    const ended = new Promise<void>(resolve => worker.once('exit', () => resolve()))
    await this.#ask({ op: 'close' })
    await ended
  }

  #ask(question: Question, transfer: ArrayBuffer[] = []): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const worker = this.#worker ?? this.#start()
      const id = ++this.#lastId
      this.#asked.set(id, { resolve, reject })
      worker.postMessage({ ...question, id } satisfies Request, transfer)
    })
  }

  #start(): Worker {
    const worker = new Worker(workerUrl, { name: 'wandist storage', workerData: this.#setup })
    this.#worker = worker
    let reason = 'the storage thread ended'
    worker.on('message', (answer: Answer) => {
      const asked = this.#asked.get(answer.id)
      this.#asked.delete(answer.id)
      if ('error' in answer) asked?.reject(new StoreError(answer.error.code, answer.error.message))
      else asked?.resolve(answer)
    })
    worker.on('error', error => {
      reason = `the storage thread died: ${String(error)}`
    })
    worker.on('exit', () => {
      this.#worker = undefined
      const asked = this.#asked
      this.#asked = new Map()
      for (const one of asked.values())
        one.reject(new StoreError('io-error', `${this.#setup.directory}: ${reason}`))
    })
    return worker
  }
}

function* encodeKeys(batch: Batch): Generator<PackedRecord> {
  for (const [key, value] of batch) yield [utf8.encode(key), value]
}
