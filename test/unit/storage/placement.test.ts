/** A store knows under how many partitions its records were written, and nobody reads them under another number. */
import { describe, expect, it } from 'vitest'
import { MemoryDisk, openMemoryStore } from '../../../node/storage/memory-store.ts'
import { checkPlacement } from '../../../node/storage/placement.ts'

describe('the placement of a store', () => {
  const start = async (disk: MemoryDisk, partitions: number, held = [0, 1, 5]) => {
    const store = openMemoryStore({ disk })
    try {
      await checkPlacement(store, 'mailbox', { partitions, held })
    } finally {
      await store.close()
    }
  }

  it('is kept at the first start, and the same from then on', async () => {
    const disk = new MemoryDisk()
    await start(disk, 64)
    await start(disk, 64)
    expect(disk.calls.filter(call => call.startsWith('commit'))).toEqual(['commit placement'])
  })

  it('stops a start under another number, in a line that says both', async () => {
    const disk = new MemoryDisk()
    await start(disk, 64)
    await expect(start(disk, 32)).rejects.toMatchObject({
      code: 'other-placement',
      message: expect.stringMatching(/^start mailbox: .* 64 partitions, the configuration says 32;/),
    })
    await start(disk, 64)
  })

  it('is trusted for records of a version that did not keep it', async () => {
    const disk = new MemoryDisk()
    await disk.commit(new Map([['mailbox/1/m/bob/alice/0000000000000001', new Uint8Array(1)]]))
    await start(disk, 64)
    await expect(start(disk, 32)).rejects.toMatchObject({ code: 'other-placement' })
  })

  it('stops a start that leaves the records of a partition behind, and names it', async () => {
    const disk = new MemoryDisk()
    await start(disk, 64, [0, 1, 5])
    await expect(start(disk, 64, [0, 2])).rejects.toMatchObject({
      code: 'other-placement',
      message: expect.stringMatching(/^start mailbox: .* of partitions 1, 5, which .* another island;/),
    })
    await start(disk, 64, [0, 1, 5])
  })

  it('grows with the partitions that come to the island, and then these are not left behind either', async () => {
    const disk = new MemoryDisk()
    await start(disk, 64, [0, 1])
    await start(disk, 64, [0, 1, 7])
    await expect(start(disk, 64, [0, 1])).rejects.toMatchObject({
      message: expect.stringContaining('partition 7,'),
    })
  })

  it('of a version that kept the count alone is completed', async () => {
    const disk = new MemoryDisk()
    await disk.commit(new Map([['placement', new TextEncoder().encode('{"partitions":64}')]]))
    await start(disk, 64, [3])
    await expect(start(disk, 64, [4])).rejects.toMatchObject({ code: 'other-placement' })
  })

  it('that cannot be read stops a start', async () => {
    const disk = new MemoryDisk()
    await disk.commit(new Map([['placement', Uint8Array.of(1)]]))
    await expect(start(disk, 64)).rejects.toMatchObject({ code: 'other-placement' })
  })
})
