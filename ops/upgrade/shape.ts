/**
 * The meta-cluster as the plan needs it, read off the running nodes: who stands where, and who is whose island partner.
 *
 * Partners are the nodes with members in the same `<service>/<partition>/replica` group: what really runs, whatever a file
 * says. One question for each partition, a few at a time. A partition's group and its replica group have, when all is well,
 * a member on every node of the island.
 */
import type { GroupRow, MemberRow } from '../admin/routes.ts'
import type { Status } from '../admin/status.ts'
import { printMissing } from '../cli/answer.ts'
import { AdminClient } from '../cli/client.ts'
import { CliError, exitCode } from '../cli/exit-code.ts'
import type { Io } from '../cli/io.ts'
import type { GlobalOptions } from '../cli/options.ts'
import type { PlannedNode } from './plan.ts'

const ASKING_MAX = 8
const replicaGroup = /^([^/]+)\/\d+\/replica$/

/** What an upgrade knows of the meta-cluster before it begins. */
export interface Shape {
  readonly nodes: readonly PlannedNode[]
  /** The nodes that should each have a member in an island's group, by group. */
  readonly islandGroups: ReadonlyMap<string, readonly string[]>
}

/**
 * Reads the shape.
 * @throws CliError `no` when a node does not answer: nothing may be replaced then; `unreachable` when none does
 */
export async function readShape(io: Io, options: GlobalOptions): Promise<Shape> {
  const ask = async <T>(what: string, path: string): Promise<T> => {
    const client = await AdminClient.connect(io, options)
    const { data, complete, missing } = await client.get<T>(what, path)
    if (complete && data !== null) return data
    throw new CliError(exitCode.no, `upgrade: not all nodes answer: ${printMissing(missing)}`)
  }
  const status = await ask<Status>('upgrade', 'status')
  const groups = await ask<readonly GroupRow[]>('upgrade', 'groups')
  const partners = new Map<string, Map<string, Set<string>>>()
  const replicas: { group: string; service: string; nodes: readonly string[] }[] = []

  const waiting = groups.filter(({ group }) => replicaGroup.test(group))
  const some = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [, service] = replicaGroup.exec(next.group)!
      const members = await ask<readonly MemberRow[]>('upgrade', `groups/${encodeURIComponent(next.group)}`)
      const nodes = [...new Set(members.map(({ node }) => node))]
      replicas.push({ group: next.group, service: service!, nodes })
      for (const node of nodes) {
        const services = getOrAdd(partners, node, () => new Map<string, Set<string>>())
        const known = getOrAdd(services, service!, () => new Set<string>())
        for (const other of nodes) if (other !== node) known.add(other)
      }
    }
  }
  await Promise.all(Array.from({ length: ASKING_MAX }, some))

  const nodes = status.nodes.map(({ node, datacenter }) => ({
    node,
    datacenter,
    islands: [...(partners.get(node) ?? [])]
      .map(([service, nodes]) => ({ service, partners: [...nodes].sort() }))
      .sort((one, other) => (one.service < other.service ? -1 : 1)),
  }))

  const islandGroups = new Map<string, readonly string[]>()
  for (const { group, service, nodes } of replicas) {
    // Whoever shares one partition shares all, even where its process is away just now.
    const all = [...new Set(nodes.flatMap(node => [node, ...partners.get(node)!.get(service)!]))]
    islandGroups.set(group, all).set(group.replace(/\/replica$/, ''), all)
  }
  return { nodes, islandGroups }
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
