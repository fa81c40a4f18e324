/**
 * What a configuration means for one node: its links, the partition tables, the transport's options, and whether a
 * node that runs can take another one on.
 *
 * Pure. Invariant: what a running node takes on moves no partition, for its records are where the tables say.
 */
import type { ClusterConfig, Service, Topology } from '../cluster-config/index.ts'
import { buildPartitionTable, type PartitionTable } from '../routing/index.ts'
import {
  type Carrier,
  LAN,
  type MeshOptions,
  newTcpCarrier,
  realPorts,
  TEST,
  WAN,
} from '../transport/index.ts'

const presets: Record<ClusterConfig['timing'], MeshOptions> = { lan: LAN, wan: WAN, test: TEST }

/** The transport's options: the preset that `timing` names, and what is said of `transport`. */
export function meshOptionsOf({ timing, transport }: ClusterConfig): MeshOptions {
  const preset = presets[timing]
  const { checksums, queueBytesMax = preset.queueBytesMax } = transport
  return {
    ...preset,
    checksBlocks: checksums,
    queueBytesMax,
    // As much as that needs: two full queues, or a half-full one and the longest message, in half of it (options.ts).
    queueBytesTotalMax: Math.max(
      preset.queueBytesTotalMax,
      2 * queueBytesMax,
      queueBytesMax + 2 * preset.frameBytesMax,
    ),
  }
}

/** What makes the mesh's plain streams; `given` is what the caller brings, if anything. */
export function carrierOf({ transport }: ClusterConfig, given: Carrier | undefined): Carrier {
  if (given !== undefined) return given
  return transport.readBytes === undefined
    ? realPorts.carrier
    : newTcpCarrier({ readBytes: transport.readBytes })
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
