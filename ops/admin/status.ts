/**
 * The meta-cluster at a glance: what its nodes said of themselves, put together. Pure.
 */
import type { Topology } from '../../cluster-config/index.ts'
import type { NodeRow } from '../report.ts'
import type { Glance } from './queries.ts'

/** A node, and how many of the links are up that the configuration wants of it. */
export interface StatusRow extends NodeRow {
  readonly linked: number
  readonly peers: number
}

/** See the file's head. */
export interface Status {
  readonly id: string
  /** How many nodes the configuration has. */
  readonly configured: number
  /** How many of those that answered are in each state, and run each version. */
  readonly states: Readonly<Record<string, number>>
  readonly versions: Readonly<Record<string, number>>
  readonly connections: number
  readonly groups: number
  /** Links, counted once by each of their ends. */
  readonly links: {
    readonly up: number
    readonly configured: number
    readonly down: readonly { readonly node: string; readonly peer: string; readonly reason: string }[]
  }
  readonly troubles: readonly { readonly node: string; readonly trouble: string }[]
  /** By datacenter, cluster and name. */
  readonly nodes: readonly StatusRow[]
}

export function statusOf(topology: Topology, glances: Iterable<Glance>): Status {
  const all = [...glances]
  const nodes = all
    .map(({ row, linked, notLinked }): StatusRow => ({ ...row, linked, peers: linked + notLinked.length }))
    .sort((one, other) => compare(sortKey(one), sortKey(other)))
  const down = all.flatMap(({ row, notLinked }) =>
    notLinked.map(({ node, reason }) => ({ node: row.node, peer: node, reason })),
  )
  const up = sum(nodes, ({ linked }) => linked)
  return {
    id: topology.config.id,
    configured: topology.nodes.length,
    states: countBy(nodes, ({ state }) => state),
    versions: countBy(nodes, ({ version }) => version),
    connections: sum(nodes, ({ connections }) => connections),
    groups: new Set(all.flatMap(({ groups }) => groups.map(({ scope, group }) => `${scope} ${group}`))).size,
    links: { up, configured: up + down.length, down },
    troubles: all.flatMap(({ row, trouble }) => (trouble === null ? [] : [{ node: row.node, trouble }])),
    nodes,
  }
}

function sortKey({ datacenter, cluster, node }: NodeRow): string {
  return `${datacenter} ${cluster} ${node}`
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1
  return counts
}

function sum<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((total, item) => total + count(item), 0)
}
