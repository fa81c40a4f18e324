/** What every store owes its user, run against each of them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type StoreOptions, testStoreOptions } from '../../../node/storage/options.ts'
import type { Store } from '../../../node/storage/store.ts'
import { until } from './until.ts'

/** One kind of store, as the suite needs it. */
export interface Harness {
  /** Opens the store again and again on what the same harness has on disk. */
  open(options: StoreOptions): Promise<Store>
  /** Lets a committed record rot; the store is closed. */
  damage(key: string): Promise<void>
  /** Leaves no room for a record of 200 kB, until `makeRoom`. */
  fillDisk(store: Store): void
  makeRoom(store: Store): void
  dispose(): Promise<void>
}

/** So patient that nothing is committed unless somebody asks. */
export const patient: StoreOptions = {
  ...testStoreOptions,
  syncDelayMs: 600_000,
  dirtyBytesMax: 1 << 30,
  dirtyBytesLimit: 1 << 30,
}

export const bytes = (text: string) => new TextEncoder().encode(text)

export async function contents(store: Store, prefix = ''): Promise<Record<string, string>> {
  const records = await store.load(prefix)
  return Object.fromEntries(records.map(([key, value]) => [key, new TextDecoder().decode(value)]))
}

export function storeContract(name: string, makeHarness: () => Promise<Harness>): void {
  describe(`${name} keeps the contract of a store`, () => {
    let harness: Harness
    let stores: Store[]
    const open = async (options: StoreOptions = patient) => {
      const store = await harness.open(options)
      stores.push(store)
      return store
    }

    beforeEach(async () => {
      harness = await makeHarness()
      stores = []
    })
    afterEach(async () => {
      await Promise.allSettled(stores.map(store => store.close()))
      await harness.dispose()
    })

    it('shows a record before its commit, after it, and after a restart', async () => {
      const store = await open()
      store.put('a', bytes('one'))
      expect(await contents(store)).toEqual({ a: 'one' })
      await store.sync()
      expect(await contents(store)).toEqual({ a: 'one' })
      await store.close()
      expect(await contents(await open())).toEqual({ a: 'one' })
    })

    it('keeps the last of several puts to a key, across commits and within one', async () => {
      const store = await open()
      store.put('a', bytes('1'))
      await store.sync()
      store.put('a', bytes('2'))
      store.remove('a')
      store.put('a', bytes('3'))
      await store.close()
      expect(await contents(await open())).toEqual({ a: '3' })
    })

    it('loads exactly what begins with the prefix, in key order', async () => {
      const store = await open()
      for (const key of ['b/2', 'a/1', 'b/10', 'b', 'b0', 'b/\u{1f600}', 'b/é', 'c'])
        store.put(key, bytes(key))
      await store.sync()
      store.put('b/1', bytes('dirty'))
      store.remove('b/2')
      expect((await store.load('b/')).map(([key]) => key)).toEqual(['b/1', 'b/10', 'b/é', 'b/\u{1f600}'])
      expect((await store.load('')).map(([key]) => key)).toHaveLength(8)
    })

    it('keeps empty and large values byte by byte', async () => {
      const large = Uint8Array.from({ length: 1 << 20 }, (_, index) => index * 7)
      const store = await open()
      store.put('empty', new Uint8Array())
      store.put('large', large)
      store.put('middle', large.subarray(3, 6))
      await store.close()
      const records = new Map(await (await open()).load(''))
      expect(records.get('empty')).toHaveLength(0)
      expect(Buffer.compare(records.get('large')!, large)).toBe(0)
      expect([...records.get('middle')!]).toEqual([21, 28, 35])
    })

    it('forgets a removed record for good', async () => {
      const store = await open()
      store.put('a', bytes('1'))
      await store.sync()
      store.remove('a')
      expect(await contents(store)).toEqual({})
      await store.close()
      expect(await contents(await open())).toEqual({})
    })

    it('never writes a record that is removed before its commit', async () => {
      const store = await open()
      store.put('fetched soon', bytes('hello'))
      store.remove('fetched soon')
      await store.sync()
      expect(await contents(store)).toEqual({})
      expect(store.stats).toMatchObject({
        recordsWritten: 0,
        recordsNeverWritten: 1,
        dirtyRecords: 0,
        dirtyBytes: 0,
      })
    })

    it('commits by itself after the sync delay', async () => {
      const store = await open({ ...patient, syncDelayMs: 5 })
      store.put('a', bytes('1'))
      expect(store.stats).toMatchObject({ dirtyRecords: 1, dirtyBytes: 2, commits: 0 })
      await until(() => store.stats.dirtyRecords === 0, 'a commit by delay')
      expect(store.stats).toMatchObject({ commits: 1, recordsWritten: 1 })
    })

    it('commits by itself when much is dirty', async () => {
      const store = await open({ ...patient, dirtyBytesMax: 1_000 })
      store.put('a', new Uint8Array(900))
      store.put('b', new Uint8Array(100))
      await until(() => store.stats.dirtyRecords === 0, 'a commit by size')
      expect(store.stats.commits).toBe(1)
    })

    it('lets concurrent syncs share a commit', async () => {
      const store = await open()
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => {
          store.put(`k${index}`, bytes('v'))
          return store.sync()
        }),
      )
      expect(store.stats).toMatchObject({ commits: 1, recordsWritten: 50, dirtyRecords: 0 })
      await store.sync()
      expect(store.stats.commits).toBe(1)
    })

    it('leaves a damaged record out, counts it, and takes it anew', async () => {
      const before = await open()
      before.put('good', bytes('1'))
      before.put('rotten', bytes('a value to be damaged'))
      await before.close()
      await harness.damage('rotten')

      const store = await open()
      expect(await contents(store)).toEqual({ good: '1' })
      expect(await contents(store)).toEqual({ good: '1' })
      expect(store.stats.damagedRecords).toBe(1)
      store.put('rotten', bytes('repaired'))
      await store.sync()
      expect(store.stats.damagedRecords).toBe(0)
      expect(await contents(store)).toEqual({ good: '1', rotten: 'repaired' })
    })

    it('says disk-full, goes on loading, and recovers by itself when there is room', async () => {
      const store = await open()
      store.put('kept', bytes('1'))
      await store.sync()
      harness.fillDisk(store)
      store.put('big', new Uint8Array(200_000))
      await expect(store.sync()).rejects.toMatchObject({ name: 'StoreError', code: 'disk-full' })
      expect(store.stats.failed).toBeTypeOf('string')
      expect(await store.load('kept')).toHaveLength(1)
      await expect(store.sync()).rejects.toMatchObject({ code: 'disk-full' })

      harness.makeRoom(store)
      await until(() => store.stats.failed === undefined, 'recovery')
      store.put('later', bytes('2'))
      await store.sync()
      await store.close()
      expect(await contents(await open())).toMatchObject({ kept: '1', later: '2' })
    })

    it('closes twice, and refuses everything after', async () => {
      const store = await open()
      store.put('a', bytes('1'))
      await Promise.all([store.close(), store.close()])
      await store.close()
      expect(() => store.put('b', bytes('2'))).toThrow(expect.objectContaining({ code: 'closed' }))
      expect(() => store.remove('a')).toThrow(expect.objectContaining({ code: 'closed' }))
      await expect(store.sync()).rejects.toMatchObject({ code: 'closed' })
      await expect(store.load('')).rejects.toMatchObject({ code: 'closed' })
    })
  })
}
