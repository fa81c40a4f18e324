/** The simulated disk keeps what was synced, and of the rest anything that a disk may keep. */
import { beforeEach, describe, expect, test } from 'vitest'
import { EventHash } from '../world/event-hash.ts'
import { Loop } from '../world/loop.ts'
import { Machine } from '../world/machine.ts'
import { SeededRandom } from '../world/random.ts'
import { Disk, DiskError } from './disk.ts'

let loop: Loop
let disk: Disk

function newDisk(seed: number, more: { bytesMax?: number } = {}): Disk {
  loop = new Loop(new EventHash())
  const { timers } = new Machine('n1', 0, seed, loop)
  return new Disk({ random: new SeededRandom(seed, 'disk'), timers, ...more })
}

async function synced(name: string): Promise<void> {
  const sync = disk.sync(name)
  await loop.run(loop.nowMs + 10)
  await sync
}

const bytes = (text: string) => Buffer.from(text)
const codeOf = (run: () => void) => {
  try {
    run()
    return undefined
  } catch (error) {
    return error instanceof DiskError ? error.code : error
  }
}

describe('a disk of the simulation', () => {
  beforeEach(() => {
    disk = newDisk(1)
  })

  test('reads see what was written at once, a crash keeps what was synced', async () => {
    disk.append('log', bytes('first'))
    await synced('log')
    expect(disk.read('log').toString()).toBe('first')
    disk.crash()
    expect(disk.read('log').toString()).toBe('first')
  })

  test('of what was not synced, a crash keeps all, a part, or nothing', async () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      disk = newDisk(seed)
      disk.append('log', Buffer.alloc(512, 'a'))
      await synced('log')
      disk.append('log', Buffer.alloc(1024, 'b'))
      disk.append('log', Buffer.alloc(512, 'c'))
      disk.crash()
      const text = disk.read('log').toString('latin1')
      expect(text.slice(0, 512)).toBe('a'.repeat(512))
      outcomes.add(
        text.slice(512).replaceAll(/(.)\1*/gs, (run, char) => `${char === '\0' ? '0' : char}${run.length} `),
      )
    }
    expect([...outcomes].sort()).toEqual([
      '',
      '01024 c512 ',
      'b1024 ',
      'b1024 c512 ',
      'b512 ',
      'b512 0512 c512 ',
    ])
  })

  test('a sync covers what was written before it, and not what came while it ran', async () => {
    for (let seed = 0; seed < 50; seed++) {
      disk = newDisk(seed)
      disk.append('log', bytes('before'))
      const sync = disk.sync('log')
      disk.append('log', bytes('after'))
      await loop.run(10)
      await sync
      disk.crash()
      expect(['before', 'beforeafter']).toContain(disk.read('log').toString())
    }
  })

  test('after a failed sync what was pending is lost by a crash, however often one syncs again', async () => {
    disk.append('log', bytes('kept'))
    await synced('log')
    disk.append('log', bytes('doomed'))
    disk.failingSyncs = 1
    const failed = disk.sync('log').catch(error => error)
    await loop.run(loop.nowMs + 10)
    expect(await failed).toMatchObject({ code: 'EIO' })
    await synced('log')
    expect(disk.read('log').toString()).toBe('keptdoomed')
    disk.crash()
    expect(disk.read('log').toString()).toBe('kept')
  })

  test('a sync that a crash overtakes never resolves, and covers nothing that came after', async () => {
    disk.append('log', bytes('before'))
    let isDone = false
    void disk.sync('log').then(() => {
      isDone = true
    })
    disk.crash()
    const size = disk.names.includes('log') ? disk.size('log') : 0
    disk.write('log', size, bytes('after'))
    await loop.run(10)
    expect(isDone).toBe(false)
  })

  test('a full disk takes nothing of a write, and takes writes again when there is room', () => {
    disk = newDisk(1, { bytesMax: 10 })
    disk.append('log', bytes('12345678'))
    expect(codeOf(() => disk.append('log', bytes('901')))).toBe('ENOSPC')
    expect(disk.size('log')).toBe(8)
    disk.append('log', bytes('90'))
    disk.remove('log')
    disk.append('other', bytes('1234567890'))
    expect(disk.names).toEqual(['other'])
  })

  test('a write that fails leaves the file as it was', () => {
    disk.failingWrites = 1
    expect(codeOf(() => disk.append('log', bytes('lost')))).toBe('EIO')
    expect(codeOf(() => disk.read('log'))).toBe('ENOENT')
    disk.append('log', bytes('there'))
    expect(disk.read('log').toString()).toBe('there')
  })

  test('a rotten bit outlives a crash', async () => {
    disk.append('log', bytes('a'))
    await synced('log')
    disk.rot('log', 1)
    disk.crash()
    expect(disk.read('log').toString()).toBe('c')
  })

  test('the same seed crashes the same way', () => {
    const images = [1, 2].map(() => {
      disk = newDisk(7)
      for (let i = 0; i < 20; i++) disk.append('log', Buffer.alloc(700, i))
      disk.crash()
      return disk.names.map(name => disk.read(name).toString('hex'))
    })
    expect(images[0]).toEqual(images[1])
  })
})
