import { MemoryDisk, openMemoryStore } from '../../../node/storage/memory-store.ts'
import { storeContract } from './store-contract.ts'

storeContract('the memory store', async () => {
  const disk = new MemoryDisk()
  return {
    open: async options => openMemoryStore({ disk, options }),
    damage: async key => disk.damage(key),
    fillDisk: () => {
      disk.failure = 'disk-full'
    },
    makeRoom: () => {
      disk.failure = undefined
    },
    dispose: async () => {},
  }
})
