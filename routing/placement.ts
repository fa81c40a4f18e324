/**
 * Placement: which island holds which partition of a service, and which of its nodes serves first.
 *
 * A consistent-hash ring fills a table when the configuration changes; a message costs one hash and one index. The
 * ring's members are island names, so replacing a host moves nobody, and adding an island to n alike moves about one
 * partition in n+1, all of them to it. An override puts one partition on an island whatever the ring says. Golden
 * vectors pin the result. Source: R14 s15, partitions in pairs of nodes; R14 s34, any number of partitions.
 */
import HashRing from 'hashring'
import { keyHash } from './hash.ts'

/**
 * Points on the ring per island of weight 1 are four times this. It must differ from the ring's default of 40: for the default the
 * ring derives the count by a formula that rounds down for 7, 14, 28, 49, ... islands and then moves far too many.
 */
const vnodes = 41
const ringDefaultVnodes = 40
/** What an island's weight may be. */
const weightMin = 0.1
const weightMax = 10

/** A partition's nodes: who serves, and who follows (`undefined` on an island of one). */
export type Owners = readonly [primary: string, secondary: string | undefined]

/** What a service's placement is made from. */
export interface PlacementOptions {
  /** Count of partitions, 1 or more; any number, not only powers of two. */
  readonly partitions: number
  /** Island name to its nodes, one or more. */
  readonly islands: Readonly<Record<string, readonly string[]>>
  /** Island name to its share of the partitions against the others', 0.1 to 10; 1 for one that is not named. */
  readonly weights?: Readonly<Record<string, number>> | undefined
  /** Partition to the island that holds it, whatever the ring says; the other partitions stay where they are. */
  readonly overrides?: Readonly<Record<string, string>> | undefined
}

/** The filled table of one service; immutable. */
export class PartitionTable {
  readonly service: string
  readonly partitions: number
  readonly #islands: readonly string[]
  readonly #owners: readonly Owners[]
  readonly #groups: readonly string[]
  readonly #overridden: ReadonlySet<number>

  constructor(
    service: string,
    islands: readonly string[],
    owners: readonly Owners[],
    overridden: ReadonlySet<number> = new Set(),
  ) {
    this.service = service
    this.partitions = owners.length
    this.#islands = islands
    this.#owners = owners
    this.#overridden = overridden
    this.#groups = owners.map((_, partition) => `${service}/${partition}`)
  }

  /** The partition of a key: the same on every node and in every release. */
  partitionOf(key: string): number {
    return partitionOf(key, this.partitions)
  }

  /** Whether the service has a partition of that number. */
  has(partition: number): boolean {
    return this.#owners[partition] !== undefined
  }

  /** The nodes of a partition; throws a RangeError for a partition that is none. */
  owners(partition: number): Owners {
    return at(this.#owners, partition, this.service)
  }

  /** The island of a partition. */
  island(partition: number): string {
    return at(this.#islands, partition, this.service)
  }

  /** Whether an override, and not the ring, put the partition on its island. */
  isOverridden(partition: number): boolean {
    return this.#overridden.has(partition)
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

/** The partition that a group is of; `undefined` for every other group. */
export function findPartition(
  services: ReadonlyMap<string, PartitionTable>,
  group: string,
): { readonly table: PartitionTable; readonly partition: number } | undefined {
  const slash = group.lastIndexOf('/')
  const table = services.get(group.slice(0, slash))
  const partition = Number(group.slice(slash + 1))
  return table?.has(partition) && table.group(partition) === group ? { table, partition } : undefined
}

/**
 * Fills a service's table. Within an island primary and secondary alternate from partition to partition, so that each
 * node serves half of them. Throws a RangeError for an impossible configuration.
 */
export function buildPartitionTable(service: string, options: PlacementOptions): PartitionTable {
  const { partitions, islands } = options
  check(service, options)
  const ring = ringOf(options)
  const overrides = new Map(Object.entries(options.overrides ?? {}).map(([n, island]) => [Number(n), island]))
  const placed = new Map<string, number>()
  const owners: Owners[] = []
  const islandOf: string[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const island = overrides.get(partition) ?? ring.get(`${service}/${partition}`)
    const turn = placed.get(island) ?? 0
    placed.set(island, turn + 1)
    islandOf.push(island)
    owners.push(inTurn(islands[island]!, turn))
  }
  return new PartitionTable(service, islandOf, owners, new Set(overrides.keys()))
}

function ringOf({ islands, weights = {} }: PlacementOptions): HashRing {
  const shares = Object.keys(islands).map(name => {
    const weight = Object.hasOwn(weights, name) ? weights[name]! : 1
    const count = Math.round(vnodes * weight)
    return [name, { vnodes: count === ringDefaultVnodes ? vnodes : count }] as const
  })
  return new HashRing(Object.fromEntries(shares))
}

function check(
  service: string,
  { partitions, islands, weights = {}, overrides = {} }: PlacementOptions,
): void {
  const fail = (what: string): never => {
    throw new RangeError(`place ${service}: ${what}`)
  }
  if (!Number.isInteger(partitions) || partitions < 1) fail(`${partitions} partitions`)
  const names = Object.keys(islands)
  if (names.length === 0) fail('no islands')
  for (const name of names) if (islands[name]!.length === 0) fail(`island ${name} has no nodes`)
  for (const [name, weight] of Object.entries(weights)) {
    if (!Object.hasOwn(islands, name)) fail(`weight of ${name}, which is no island`)
    if (!(weight >= weightMin && weight <= weightMax)) {
      fail(`weight of ${name} is not ${weightMin} to ${weightMax}: ${weight}`)
    }
  }
  for (const [partition, name] of Object.entries(overrides)) {
    const isPartition = /^(0|[1-9]\d*)$/.test(partition) && Number(partition) < partitions
    if (!isPartition) fail(`override of partition ${partition}; it has ${partitions}`)
    if (!Object.hasOwn(islands, name))
      fail(`override of partition ${partition} to ${name}, which is no island`)
  }
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
