/**
 * What a configuration means for one node: its links, the partition tables, the transport's options, and whether a
 * node that runs can take another one on.
 *
 * Pure. Invariant: what a running node takes on moves no partition, for its records are where the tables say.
 */
import type { ClusterConfig, Service, Topology } from '../cluster-config/index.ts'
import { buildPartitionTable, type PartitionTable } from '../routing/index.ts'
import { LAN, type MeshOptions, TEST, WAN } from '../transport/index.ts'

/** The transport's options by the configuration's `timing`. */
export const presets: Record<ClusterConfig['timing'], MeshOptions> = {
  lan: LAN,
  wan: WAN,
  test: TEST,
}

/** Why a running node cannot take on a configuration; `undefined` when it can. */
export function misfitOf(topology: Topology, later: Topology, name: string): string | undefined {
  if (later.node(name) === undefined) return `it does not have this node, ${name}`
  const moved = topology.services.find(
    service => placementOf(topology, service) !== placementOf(later, service),
  )
  // Partitions would be looked for where their records are not.
  return moved && `it moves partitions of ${moved}: partitions and islands stay as they are while nodes run`
}

/** The islands of a service, and which holds each of its partitions. */
function placementOf(topology: Topology, service: Service): string {
  const config = topology.service(service)
  if (!config) return ''
  const table = buildPartitionTable(service, config)
  const islands = Array.from({ length: table.partitions }, (_, partition) => table.island(partition))
  return [...Object.keys(config.islands).sort(), ...islands].join(' ')
}

/** Whom a node links with, and where. */
export function peersOf(topology: Topology, name: string): { node: string; address: string }[] {
  return topology.peersOf(name).map(node => ({ node: node.name, address: node.mesh }))
}

/** The partition table of every service. */
export function tablesOf(topology: Topology): ReadonlyMap<string, PartitionTable> {
  return new Map(topology.services.map(name => [name, buildPartitionTable(name, topology.service(name)!)]))
}
