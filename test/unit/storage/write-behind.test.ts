import { beforeEach, describe, expect, it } from 'vitest'
import { MemoryDisk, openMemoryStore } from '../../../node/storage/memory-store.ts'
import { testStoreOptions } from '../../../node/storage/options.ts'
import type { Store } from '../../../node/storage/store.ts'
import { ManualTimers } from './manual-timers.ts'
import { bytes, contents } from './store-contract.ts'

describe('write-behind', () => {
  let disk: MemoryDisk
  let timers: ManualTimers
  let store: Store

  beforeEach(() => {
    disk = new MemoryDisk()
    timers = new ManualTimers()
    store = openMemoryStore({ disk, ports: { timers }, options: testStoreOptions })
  })

  it('sets one timer however much is put', async () => {
    store.put('a', bytes('1'))
    store.put('b', bytes('2'))
    store.remove('a')
    expect(timers.delaysMs).toEqual([testStoreOptions.syncDelayMs])
    await timers.fire()
    expect(disk.calls).toEqual(['commit -a b'])
    expect(timers.delaysMs).toEqual([])
  })

  it('commits at the end of the turn in which a sync is asked for, not at the first sync', async () => {
    store.put('a', bytes('1'))
    const first = store.sync()
    store.put('b', bytes('2'))
    const second = store.sync()
    expect(disk.calls).toEqual([])
    await timers.endTurn()
    await Promise.all([first, second])
    expect(disk.calls).toEqual(['commit a b'])
    expect(timers.delaysMs).toEqual([])
  })

  it('resolves a sync only when its own commit is on disk', async () => {
    const open = disk.hold()
    store.put('a', bytes('1'))
    const fates: string[] = []
    void store.sync().then(() => fates.push('a'))
    await timers.endTurn()
    store.put('b', bytes('2'))
    void store.sync().then(() => fates.push('b'))
    await timers.endTurn()
    expect(fates).toEqual([])
    expect(disk.calls).toEqual(['commit a'])
    open()
    await timers.endTurn()
    expect(fates).toEqual(['a'])
    await timers.endTurn()
    expect(fates).toEqual(['a', 'b'])
    expect(disk.calls).toEqual(['commit a', 'commit b'])
  })

  it('lets a sync join the commit in flight when nothing newer is dirty', async () => {
    const open = disk.hold()
    store.put('a', bytes('1'))
    await timers.fire()
    let synced = false
    const sync = store.sync().then(() => {
      synced = true
    })
    await timers.endTurn()
    expect(synced).toBe(false)
    open()
    await sync
    expect(store.stats.commits).toBe(1)
  })

  it('shows in a load what is in flight, and what changed on top of it', async () => {
    const open = disk.hold()
    store.put('a', bytes('old'))
    store.put('b', bytes('in flight'))
    await timers.fire()
    store.put('a', bytes('new'))
    expect(await contents(store)).toEqual({ a: 'new', b: 'in flight' })
    store.remove('b')
    expect(await contents(store)).toEqual({ a: 'new' })
    expect(store.stats).toMatchObject({ dirtyRecords: 4, recordsNeverWritten: 0 })
    open()
  })

  it('recovers the disk before it applies everything dirty anew, newest on top', async () => {
    const open = disk.hold()
    store.put('a', bytes('1'))
    store.put('b', bytes('1'))
    const sync = store.sync()
    await timers.endTurn()
    disk.failure = 'io-error'
    store.put('a', bytes('2'))
    store.put('c', bytes('1'))
    open()
    await expect(sync).rejects.toMatchObject({ code: 'io-error' })
    expect(store.stats).toMatchObject({
      dirtyRecords: 3,
      dirtyBytes: 6,
      commits: 0,
      failed: 'commit: io-error',
    })

    disk.failure = undefined
    await timers.fire()
    expect(disk.calls).toEqual(['commit a b', 'recover', 'commit a b c'])
    expect(store.stats).toMatchObject({ dirtyRecords: 0, dirtyBytes: 0, commits: 1, failed: undefined })
    expect(await contents(store)).toEqual({ a: '2', b: '1', c: '1' })
  })

  it('backs off between attempts, commits nothing before the disk has recovered, and starts over afterwards', async () => {
    disk.failure = 'disk-full'
    store.put('a', bytes('1'))
    await timers.fire()
    const delays: number[] = []
    for (let attempt = 0; attempt < 4; attempt++) {
      delays.push(...timers.delaysMs)
      await timers.fire()
    }
    expect(delays).toEqual([5, 10, 20, 20])
    expect(disk.calls).toEqual(['commit a', 'recover', 'recover', 'recover', 'recover'])
    disk.failure = undefined
    await timers.fire()
    disk.failure = 'disk-full'
    store.put('b', bytes('1'))
    await timers.fire()
    expect(timers.delaysMs).toEqual([testStoreOptions.retryMsMin])
  })

  it('answers a sync at once while it knows that the disk fails', async () => {
    disk.failure = 'disk-full'
    store.put('a', bytes('1'))
    await timers.fire()
    await expect(store.sync()).rejects.toMatchObject({ code: 'disk-full' })
    expect(disk.calls).toEqual(['commit a'])
  })

  it('refuses puts, not removes, beyond the limit of what may be dirty', async () => {
    disk.failure = 'disk-full'
    const value = new Uint8Array(testStoreOptions.dirtyBytesLimit - 1)
    store.put('a', value)
    expect(() => store.put('b', bytes('2'))).toThrow(expect.objectContaining({ code: 'behind' }))
    store.remove('c')
    store.remove('a')
    store.put('b', bytes('2'))
    expect(store.stats.dirtyBytes).toBe(4)
  })

  describe('with a full disk', () => {
    const comeAndGo = async (rounds: number) => {
      for (let round = 0; round < rounds; round++) {
        store.put(`k${round}`, bytes('value'), true)
        if (round % 3 === 0) await timers.fire()
        store.remove(`k${round}`)
      }
    }

    it('keeps nothing of records that come and go, and is well again when there is room', async () => {
      disk.failure = 'disk-full'
      await comeAndGo(30)
      expect(store.stats).toMatchObject({ dirtyRecords: 0, dirtyBytes: 0, recordsNeverWritten: 30 })
      expect(store.stats.failed).toBeDefined()
      disk.failure = undefined
      await timers.fire()
      expect(store.stats.failed).toBeUndefined()
      store.put('b', bytes('1'), true)
      await timers.fire()
      expect(await contents(store)).toEqual({ b: '1' })
    })

    it('keeps nothing of one that goes while the commit that fails is in flight', async () => {
      const open = disk.hold()
      store.put('a', bytes('1'), true)
      await timers.fire()
      disk.failure = 'disk-full'
      store.remove('a')
      open()
      await timers.endTurn()
      expect(store.stats).toMatchObject({ dirtyRecords: 0, dirtyBytes: 0, recordsNeverWritten: 1 })
    })

    it('still removes what was on disk before', async () => {
      store.put('a', bytes('1'), true)
      await timers.fire()
      disk.failure = 'disk-full'
      store.remove('a')
      store.put('a', bytes('2'), true)
      await timers.fire()
      store.remove('a')
      disk.failure = undefined
      await timers.fire()
      expect((await disk.load('')).records).toEqual([])
    })
  })

  it('removes what a commit that failed in another way may have written', async () => {
    store.put('a', bytes('1'), true)
    disk.failure = 'io-error'
    await timers.fire()
    store.remove('a')
    disk.failure = undefined
    await timers.fire()
    expect(disk.calls).toEqual(['commit a', 'recover', 'commit -a'])
  })

  it('resolves a sync when all that it was for has gone again', async () => {
    store.put('a', bytes('1'), true)
    const sync = store.sync()
    store.remove('a')
    await sync
    await timers.endTurn()
    expect(disk.calls).toEqual([])
  })

  it('makes one last attempt when it closes on a failing disk, and says what became of it', async () => {
    disk.failure = 'io-error'
    store.put('a', bytes('1'))
    await timers.fire()
    const close = store.close()
    await expect(close).rejects.toMatchObject({ code: 'io-error' })
    await expect(store.close()).rejects.toMatchObject({ code: 'io-error' })
    expect(disk.calls).toEqual(['commit a', 'recover', 'close'])
    expect(timers.delaysMs).toEqual([])
  })

  it('commits what was put while the last commit was in flight before it closes', async () => {
    const open = disk.hold()
    store.put('a', bytes('1'))
    await timers.fire()
    store.put('b', bytes('2'))
    const sync = store.sync()
    const close = store.close()
    open()
    await Promise.all([sync, close])
    expect(disk.calls).toEqual(['commit a', 'commit b', 'close'])
  })
})
