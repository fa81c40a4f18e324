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
  it.each(golden.services)('of $service never changes', ({ service, partitions, islands, table }) => {
    const built = buildPartitionTable(service, { partitions, islands })
    expect(built.partitions).toBe(partitions)
    const rows = table.map((_, n) => [built.island(n), ...built.owners(n)].filter(Boolean).join(' '))
    expect(rows).toEqual(table)
    expect(built.group(3)).toBe(`${service}/3`)
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
    const table = buildPartitionTable('s', { partitions: 4, islands })
    expect(table.owners(0)).toEqual(['x1', undefined])
    expect(() => table.owners(4)).toThrow('partition 4 of s: it has 4')
    expect(() => table.group(-1)).toThrow(RangeError)
  })
})
