/**
 * Placement: which island holds which partition of a service, and which of its nodes serves first.
 *
 * A consistent-hash ring fills a table when the configuration changes; a message costs one hash and one index. The
 * ring's members are island names, so replacing a host moves nobody, and adding an island to n moves about one
 * partition in n+1, all of them to it. Golden vectors pin the result. Source: R14 s15, partitions in pairs of nodes.
 */
import HashRing from 'hashring'
import { keyHash } from './hash.ts'

/**
 * Points on the ring per island are four times this. It must differ from the ring's default of 40: for the default the
 * ring derives the count by a formula that rounds down for 7, 14, 28, 49, ... islands and then moves far too many.
 */
const vnodes = 41

/** A partition's nodes: who serves, and who follows (`undefined` on an island of one). */
export type Owners = readonly [primary: string, secondary: string | undefined]

/** What a service's placement is made from. */
export interface PlacementOptions {
  /** Count of partitions, 1 or more; any number, not only powers of two. */
  readonly partitions: number
  /** Island name to its nodes, one or more. */
  readonly islands: Readonly<Record<string, readonly string[]>>
}

/** The filled table of one service; immutable. */
export class PartitionTable {
  readonly service: string
  readonly partitions: number
  readonly #islands: readonly string[]
  readonly #owners: readonly Owners[]
  readonly #groups: readonly string[]

  constructor(service: string, islands: readonly string[], owners: readonly Owners[]) {
    this.service = service
    this.partitions = owners.length
    this.#islands = islands
    this.#owners = owners
    this.#groups = owners.map((_, partition) => `${service}/${partition}`)
  }

  /** The partition of a key: the same on every node and in every release. */
  partitionOf(key: string): number {
    return partitionOf(key, this.partitions)
  }

  /** The nodes of a partition; throws a RangeError for a partition that is none. */
  owners(partition: number): Owners {
    return at(this.#owners, partition, this.service)
  }

  /** The island of a partition. */
  island(partition: number): string {
    return at(this.#islands, partition, this.service)
  }

  /** The group that the partition's processes join: `service/partition`. */
  group(partition: number): string {
    return at(this.#groups, partition, this.service)
  }
}

/** The partition of a key among `partitions`; see hash.ts. */
export function partitionOf(key: string, partitions: number): number {
  return keyHash(key) % partitions
}

/**
 * Fills a service's table. Within an island primary and secondary alternate from partition to partition, so that each
 * node serves half of them. Throws a RangeError for an impossible configuration.
 */
export function buildPartitionTable(service: string, options: PlacementOptions): PartitionTable {
  const { partitions, islands } = options
  if (!Number.isInteger(partitions) || partitions < 1) {
    throw new RangeError(`place ${service}: ${partitions} partitions`)
  }
  const names = Object.keys(islands)
  if (names.length === 0) throw new RangeError(`place ${service}: no islands`)
  for (const name of names) {
    if (islands[name]!.length === 0) throw new RangeError(`place ${service}: island ${name} has no nodes`)
  }
  const ring = new HashRing(Object.fromEntries(names.map(name => [name, { vnodes }])))
  const placed = new Map<string, number>()
  const owners: Owners[] = []
  const islandOf: string[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const island = ring.get(`${service}/${partition}`)
    const turn = placed.get(island) ?? 0
    placed.set(island, turn + 1)
    islandOf.push(island)
    owners.push(inTurn(islands[island]!, turn))
  }
  return new PartitionTable(service, islandOf, owners)
}

function inTurn(nodes: readonly string[], turn: number): Owners {
  const primary = nodes[turn % nodes.length]!
  return [primary, nodes.length === 1 ? undefined : nodes[(turn + 1) % nodes.length]!]
}

function at<T>(list: readonly T[], partition: number, service: string): T {
  const found = list[partition]
  if (found === undefined) throw new RangeError(`partition ${partition} of ${service}: it has ${list.length}`)
  return found
}
