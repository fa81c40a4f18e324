/** Where keys and partitions go: pinned, even, and mostly unmoved when islands come and go. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { keyHash, mix } from '../../../routing/hash.ts'
import { buildPartitionTable, partitionOf } from '../../../routing/index.ts'

interface Golden {
  readonly keyHashes: Record<string, number>
  readonly services: readonly {
    readonly service: string
    readonly partitions: number
    readonly islands: Record<string, string[]>
    readonly weights?: Record<string, number>
    readonly overrides?: Record<string, string>
    readonly table: readonly string[]
  }[]
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/routing/placement.json', import.meta.url), 'utf8'),
) as Golden

const keys = Array.from({ length: 100_000 }, (_, index) => `user:${index}`)

/** Largest and smallest share of `count` bins, as a factor of the mean. */
function spread(bins: Iterable<number>, count: number): { least: number; most: number } {
  const sizes = new Array<number>(count).fill(0)
  let total = 0
  for (const bin of bins) {
    sizes[bin]! += 1
    total += 1
  }
  return { least: (Math.min(...sizes) * count) / total, most: (Math.max(...sizes) * count) / total }
}

/**
 * How far a spread is from an even one, in standard deviations of the chi-square distribution: about 0 for a good hash, far
 * above for one that prefers bins, far below for one that is too regular to be one.
 */
function unevenness(bins: Iterable<number>, count: number): number {
  const sizes = new Array<number>(count).fill(0)
  let total = 0
  for (const bin of bins) {
    sizes[bin]! += 1
    total += 1
  }
  const mean = total / count
  const chiSquare = sizes.reduce((sum, size) => sum + (size - mean) ** 2 / mean, 0)
  return (chiSquare - (count - 1)) / Math.sqrt(2 * (count - 1))
}

const mask64 = (1n << 64n) - 1n
const secret = [0x2d358dccaa6c78a5n, 0x8bb84b93962eacc9n] as const

function multiplied(a: bigint, b: bigint): bigint {
  const product = a * b
  return (product ^ (product >> 64n)) & mask64
}

/** Rapidhash of 4 to 16 ASCII characters, which V8 takes for the strings in a `Map`; its seed differs from start to start. */
function rapidhash(text: string, seed: bigint): bigint {
  const bytes = Buffer.from(text, 'latin1')
  const { length } = bytes
  const start = seed ^ multiplied(seed ^ secret[0], secret[1]) ^ BigInt(length)
  const delta = (length & 24) >> (length >> 3)
  const read = (at: number) => BigInt(bytes.readUInt32LE(at))
  const a = ((read(0) << 32n) | read(length - 4)) ^ secret[1]
  const b = ((read(delta) << 32n) | read(length - 4 - delta)) ^ start
  const product = a * (b & mask64)
  return multiplied((product & mask64) ^ secret[0] ^ BigInt(length), (product >> 64n) ^ secret[1])
}

describe('the hash of keys', () => {
  it('is the finalized FNV-1a, by the published vectors of both', () => {
    expect(mix(0)).toBe(0)
    expect(mix(1)).toBe(0x514e28b7)
    expect(keyHash('')).toBe(mix(0x811c9dc5))
    expect(keyHash('a')).toBe(mix(0xe40c292c))
    expect(keyHash('foobar')).toBe(mix(0xbf9cf968))
  })

  it('never changes', () => {
    for (const [key, hash] of Object.entries(golden.keyHashes)) expect(keyHash(key), key).toBe(hash)
  })

  it.each([2, 7, 16, 48, 1000])('spreads keys over %i partitions', count => {
    const { least, most } = spread(
      keys.map(key => partitionOf(key, count)),
      count,
    )
    const deviations = 4.5 * Math.sqrt(count / keys.length)
    expect(least).toBeGreaterThan(1 - deviations)
    expect(most).toBeLessThan(1 + deviations)
  })

  it.each([2, 3, 5, 7, 12, 31, 48, 100, 255, 1000, 4096])(
    'is as even over %i partitions as chance would be, for numbered users, phone numbers and words',
    count => {
      const families = [
        keys,
        keys.map((_, index) => `+49170${1_000_000 + index * 7}`),
        keys.map((_, index) => index.toString(36)),
        keys.map((_, index) => `room/${index % 317}/${Math.floor(index / 317)}`),
      ]
      for (const family of families) {
        expect(
          Math.abs(
            unevenness(
              family.map(key => partitionOf(key, count)),
              count,
            ),
          ),
        ).toBeLessThan(5)
      }
    },
  )

  it.each([16, 12])(
    'does not coincide with that of V8’s Map: keys of one of %i partitions fill its buckets evenly',
    count => {
      const ofOne = keys.slice(0, 60_000).filter(key => partitionOf(key, count) === 3)
      for (const seed of [0n, 0x1234_5678_9abc_def0n]) {
        const buckets = ofOne.map(key => Number(rapidhash(key, seed) & 1023n))
        expect(Math.abs(unevenness(buckets, 1024))).toBeLessThan(5)
        // A hash that coincided would leave all but 64 of 1,024 buckets empty (R14 s21-22).
        expect(new Set(buckets).size).toBeGreaterThan(900)
      }
    },
  )

  it.each([
    ['the ring', 16, (key: string) => createHash('md5').update(key).digest()[0]! % 16],
    ['a table of another size', 7, (key: string) => partitionOf(key, 7)],
    ['the numbers in the keys', 16, (key: string) => Number.parseInt(key.slice(5), 10) % 16],
  ])('is independent: the keys of one partition spread over %s', (_, count, binOf) => {
    const ofOne = keys.filter(key => partitionOf(key, 16) === 3)
    const { least, most } = spread(ofOne.map(binOf), count)
    expect(least).toBeGreaterThan(0.8)
    expect(most).toBeLessThan(1.2)
  })
})

describe('a partition table', () => {
  it.each(golden.services)('of $service never changes', ({ service, partitions, table, ...placement }) => {
    const built = buildPartitionTable(service, { partitions, ...placement })
    expect(built.partitions).toBe(partitions)
    const rows = table.map((_, n) => [built.island(n), ...built.owners(n)].filter(Boolean).join(' '))
    expect(rows).toEqual(table)
    expect(built.group(3)).toBe(`${service}/3`)
  })

  it('is what PROTOCOL.md tells a second implementation to compute', () => {
    const md5 = (text: string) => createHash('md5').update(text).digest()
    for (const { service, partitions, islands, weights = {}, overrides = {}, table } of golden.services) {
      const points = Object.keys(islands).flatMap(island => {
        const count = Math.floor(41 * (weights[island] ?? 1) + 0.5)
        return Array.from({ length: 4 * (count === 40 ? 41 : count) }, (_, k) => {
          return { island, at: md5(`${island}-${k >> 2}`).readUInt32LE(4 * (k & 3)) }
        })
      })
      points.sort((one, other) => one.at - other.at)
      for (let n = 0; n < partitions; n++) {
        const at = md5(`${service}/${n}`).readUInt32LE(0)
        const island = overrides[n] ?? (points.find(point => point.at >= at) ?? points[0]!).island
        expect(table[n]!.split(' ')[0]).toBe(island)
      }
    }
  })

  it('does not depend on the order in which islands are named', () => {
    const islands = { x: ['x1', 'x2'], y: ['y1', 'y2'], z: ['z1', 'z2'] }
    const reversed = Object.fromEntries(Object.entries(islands).reverse())
    const [one, other] = [islands, reversed].map(each =>
      buildPartitionTable('s', { partitions: 33, islands: each }),
    )
    for (let n = 0; n < 33; n++) expect(one!.owners(n)).toEqual(other!.owners(n))
  })

  it('lets both nodes of an island serve half of its partitions', () => {
    const islands = { x: ['x1', 'x2'], y: ['y1', 'y2'], z: ['z1', 'z2'] }
    const table = buildPartitionTable('s', { partitions: 101, islands })
    const served = new Map<string, number>()
    for (let n = 0; n < 101; n++) {
      const [primary, secondary] = table.owners(n)
      served.set(primary, (served.get(primary) ?? 0) + 1)
      expect(islands[table.island(n) as 'x']).toEqual(expect.arrayContaining([primary, secondary]))
      expect(primary).not.toBe(secondary)
    }
    for (const [one, other] of Object.values(islands)) {
      expect(Math.abs(served.get(one!)! - served.get(other!)!)).toBeLessThanOrEqual(1)
    }
  })

  it.each([2, 6, 9, 48])(
    'moves about one partition in n+1, and only to it, when an island joins %i',
    count => {
      const partitions = 4096
      const names = Array.from({ length: count + 1 }, (_, index) => `island-${index}`)
      const tableOf = (list: string[]) =>
        buildPartitionTable('s', {
          partitions,
          islands: Object.fromEntries(list.map(name => [name, [name]])),
        })
      const before = tableOf(names.slice(0, count))
      const after = tableOf(names)
      let moved = 0
      for (let n = 0; n < partitions; n++) {
        if (before.island(n) === after.island(n)) continue
        moved += 1
        expect(after.island(n)).toBe(names[count])
      }
      expect(moved / partitions).toBeLessThan(1.35 / (count + 1))
      expect(moved / partitions).toBeGreaterThan(0.65 / (count + 1))
    },
  )

  it('is even over islands, whatever the service is called: the largest share of many services stays near the mean', () => {
    const islands = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map(name => [name, [name]]))
    const names = Object.keys(islands)
    const bins: number[] = []
    for (let number = 0; number < 60; number++) {
      const table = buildPartitionTable(`service-${number}`, { partitions: 97, islands })
      for (let n = 0; n < 97; n++) bins.push(names.indexOf(table.island(n)))
    }
    const { least, most } = spread(bins, names.length)
    expect(least).toBeGreaterThan(0.85)
    expect(most).toBeLessThan(1.15)
  })

  it('gives an island its weight’s share', () => {
    const islands = { small: ['s'], one: ['o'], large: ['l'] }
    const table = buildPartitionTable('s', { partitions: 4096, islands, weights: { small: 0.5, large: 2.5 } })
    const share = (island: string) =>
      Array.from({ length: 4096 }, (_, n) => table.island(n)).filter(name => name === island).length / 4096
    expect(share('small')).toBeGreaterThan(0.09)
    expect(share('small')).toBeLessThan(0.16)
    expect(share('large')).toBeGreaterThan(0.56)
    expect(share('large')).toBeLessThan(0.69)
  })

  it.each([0.5, 0.97, 1, 3])(
    'moves only to the island that grows, when one of four gets weight 1 plus %d',
    more => {
      const islands = { a: ['a'], b: ['b'], c: ['c'], d: ['d'] }
      const partitions = 2048
      const before = buildPartitionTable('s', { partitions, islands })
      const after = buildPartitionTable('s', { partitions, islands, weights: { b: 1 + more } })
      let moved = 0
      for (let n = 0; n < partitions; n++) {
        if (before.island(n) === after.island(n)) continue
        moved += 1
        expect(after.island(n)).toBe('b')
      }
      const due = (1 + more) / (4 + more) - 1 / 4
      expect(moved / partitions).toBeGreaterThan(0.6 * due)
      expect(moved / partitions).toBeLessThan(1.5 * due)
    },
  )

  it('a weight of 1 says nothing, and one that comes to the ring’s own default count changes nothing else', () => {
    const islands = Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`i${index}`, [`n${index}`]]))
    const options = { partitions: 512, islands }
    const plain = buildPartitionTable('s', options)
    for (const weight of [1, 40 / 41]) {
      const weighted = buildPartitionTable('s', { ...options, weights: { i3: weight } })
      for (let n = 0; n < 512; n++) expect(weighted.island(n)).toBe(plain.island(n))
    }
  })

  it('an override moves its partition and no other', () => {
    const islands = { x: ['x1', 'x2'], y: ['y1', 'y2'] }
    const before = buildPartitionTable('s', { partitions: 12, islands })
    const other = before.island(3) === 'x' ? 'y' : 'x'
    const after = buildPartitionTable('s', { partitions: 12, islands, overrides: { 3: other } })
    for (let n = 0; n < 12; n++) {
      expect(after.island(n)).toBe(n === 3 ? other : before.island(n))
      expect(after.isOverridden(n)).toBe(n === 3)
      expect(islands[after.island(n) as 'x']).toEqual(expect.arrayContaining([...after.owners(n)]))
    }
    const pinned = buildPartitionTable('s', { partitions: 12, islands, overrides: { 3: before.island(3) } })
    for (let n = 0; n < 12; n++) expect(pinned.owners(n)).toEqual(before.owners(n))
  })

  it('an island that joins takes nothing that an override holds', () => {
    const islands = { x: ['x'], y: ['y'] }
    const before = buildPartitionTable('s', { partitions: 64, islands })
    const overrides = Object.fromEntries(Array.from({ length: 64 }, (_, n) => [n, before.island(n)]))
    const after = buildPartitionTable('s', { partitions: 64, islands: { ...islands, z: ['z'] }, overrides })
    for (let n = 0; n < 64; n++) expect(after.island(n)).toBe(before.island(n))
  })

  it('moves nobody when a host of an island is replaced', () => {
    const before = buildPartitionTable('s', { partitions: 64, islands: { x: ['x1', 'x2'], y: ['y1', 'y2'] } })
    const after = buildPartitionTable('s', { partitions: 64, islands: { x: ['x1', 'x9'], y: ['y1', 'y2'] } })
    for (let n = 0; n < 64; n++) {
      expect(after.owners(n)).toEqual(before.owners(n).map(node => (node === 'x2' ? 'x9' : node)))
    }
  })

  it('refuses what cannot be placed', () => {
    const islands = { x: ['x1'] }
    expect(() => buildPartitionTable('s', { partitions: 0, islands })).toThrow('place s: 0 partitions')
    expect(() => buildPartitionTable('s', { partitions: 1.5, islands })).toThrow(RangeError)
    expect(() => buildPartitionTable('s', { partitions: 4, islands: {} })).toThrow('place s: no islands')
    expect(() => buildPartitionTable('s', { partitions: 4, islands: { x: [] } })).toThrow(
      'island x has no nodes',
    )
    for (const [wrong, text] of [
      [{ weights: { y: 1 } }, 'place s: weight of y, which is no island'],
      [{ weights: { constructor: 1 } }, 'place s: weight of constructor, which is no island'],
      [{ weights: { x: 0 } }, 'place s: weight of x is not 0.1 to 10: 0'],
      [{ weights: { x: Number.NaN } }, 'place s: weight of x is not 0.1 to 10: NaN'],
      [{ overrides: { 4: 'x' } }, 'place s: override of partition 4; it has 4'],
      [{ overrides: { '01': 'x' } }, 'place s: override of partition 01; it has 4'],
      [{ overrides: { 0: 'y' } }, 'place s: override of partition 0 to y, which is no island'],
      [{ overrides: { 0: 'constructor' } }, 'override of partition 0 to constructor, which is no island'],
    ] as const) {
      expect(() => buildPartitionTable('s', { partitions: 4, islands, ...wrong })).toThrow(text)
    }
    const table = buildPartitionTable('s', { partitions: 4, islands })
    expect(table.owners(0)).toEqual(['x1', undefined])
    expect(() => table.owners(4)).toThrow('partition 4 of s: it has 4')
    expect(() => table.group(-1)).toThrow(RangeError)
  })
})
