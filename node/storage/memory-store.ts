/**
 * A store in memory: for nodes without storage, for tests and for the simulator.
 *
 * Its disk is an object of its own that outlives the store. Open a second store on the same disk and it finds what
 * was committed, and nothing else, as after a crash. Tests make the disk fail, wait or rot.
 */
import { realPorts, type Timers } from '../../transport/index.ts'
import { defaultStoreOptions, type StoreOptions } from './options.ts'
import { type Store, StoreError } from './store.ts'
import { type Batch, type Disk, WriteBehindStore } from './write-behind.ts'

/**
 * A store over `disk`, by default a new one. It is not durable, and nobody acknowledges on its word, unless `durable`
 * says that its disk stands for one that outlives the process, as in tests.
 * `ports.timers` are the machine's, and `options` the defaults, where not given.
 */
export function openMemoryStore(
  setup: {
    disk?: MemoryDisk
    ports?: { readonly timers: Timers }
    options?: Partial<StoreOptions>
    durable?: boolean
  } = {},
): Store {
  const { disk = new MemoryDisk(), ports = realPorts, durable = false } = setup
  return new WriteBehindStore(disk, ports.timers, { ...defaultStoreOptions, ...setup.options }, durable)
}

/** What a memory store has "on disk". */
export class MemoryDisk implements Disk {
  readonly #records = new Map<string, Uint8Array>()
  readonly #damagedKeys = new Set<string>()
  #gate: Promise<void> | undefined

  /** While set, every commit and recovery fails with it. */
  failure: 'disk-full' | 'io-error' | undefined
  /** Each call, in order, as a test reads it: `commit a b -c`, `recover`, `load mailbox/`, `close`. */
  readonly calls: string[] = []

  /** Makes commits wait until the function returned is called. */
  hold(): () => void {
    let open = () => {}
    this.#gate = new Promise(resolve => {
      open = resolve
    })
    return open
  }

  /** Lets a committed record rot: it fails its checksum from now on. */
  damage(key: string): void {
    this.#damagedKeys.add(key)
  }

  async load(prefix: string) {
    this.calls.push(`load ${prefix}`)
    const found = [...this.#records].filter(([key]) => key.startsWith(prefix))
    return {
      records: found.filter(([key]) => !this.#damagedKeys.has(key)),
      damagedKeys: found.map(([key]) => key).filter(key => this.#damagedKeys.has(key)),
    }
  }

  async commit(batch: Batch): Promise<number> {
    this.calls.push(['commit', ...[...batch].map(([key, value]) => (value ? key : `-${key}`))].join(' '))
    await this.#gate
    this.#failIfToldSo('commit')
    let changed = 0
    for (const [key, value] of batch) {
      this.#damagedKeys.delete(key)
      if (value) this.#records.set(key, new Uint8Array(value))
      if (value || this.#records.delete(key)) changed++
    }
    return changed
  }

  async recover(): Promise<void> {
    this.calls.push('recover')
    this.#failIfToldSo('recover')
  }

  async close(): Promise<void> {
    this.calls.push('close')
  }

  #failIfToldSo(action: string): void {
    if (this.failure) throw new StoreError(this.failure, `${action}: ${this.failure}`)
  }
}
