/**
 * In which order an upgrade replaces the nodes.
 *
 * Pure. Datacenter by datacenter; in each the nodes of islands before the chat nodes, so that a service understands a new
 * message before a connection sends one; islands take turns, so that the two nodes of one are apart where that can be.
 * Invariant: one node at a time, each exactly once. That the partner has caught up in between is the roll's business.
 * Source: claims C14, C34.
 */
import { type Service, services, type Topology } from '../../cluster-config/index.ts'

/** One replacement. */
export interface Step {
  readonly node: string
  readonly datacenter: string
  /** The islands of this node, with the nodes that serve while it is away. */
  readonly islands: readonly StepIsland[]
}

/** An island that one step touches. */
export interface StepIsland {
  readonly service: Service
  readonly name: string
  readonly partners: readonly string[]
}

/** Why there is no plan: `unknown-node` or `twice`, in the order that was asked for. */
export class PlanError extends Error {
  override readonly name = 'PlanError'
  readonly code: 'unknown-node' | 'twice'

  constructor(code: PlanError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Plans the replacement of all nodes, or of those that `order` names, in its order.
 * @throws PlanError
 */
export function planUpgrade(topology: Topology, order?: readonly string[]): readonly Step[] {
  if (order !== undefined) {
    const twice = order.find((name, index) => order.indexOf(name) !== index)
    if (twice !== undefined) throw new PlanError('twice', `plan upgrade: twice in the order: "${twice}"`)
  }
  const names = order ?? topology.datacenters.flatMap(datacenter => orderOf(topology, datacenter))
  return names.map(name => stepOf(topology, name))
}

/** A step on one line, for people. */
export function printStep({ node, datacenter, islands }: Step): string {
  const parts = islands.map(({ service, name, partners }) => {
    const meanwhile =
      partners.length > 0 ? `${partners.join(', ')} serves meanwhile` : 'nobody serves meanwhile'
    return `${service} island ${name}, ${meanwhile}`
  })
  return `${node}: ${datacenter}${parts.length > 0 ? `, ${parts.join('; ')}` : ''}`
}

function stepOf(topology: Topology, name: string): Step {
  const node = topology.node(name)
  if (node === undefined) throw new PlanError('unknown-node', `plan upgrade: no such node: "${name}"`)
  const islands = services.flatMap(service => {
    const island = topology.islandOf(service, name)
    if (island === undefined) return []
    return [{ service, name: island.name, partners: island.nodes.filter(other => other !== name) }]
  })
  return { node: name, datacenter: node.datacenter, islands }
}

function orderOf(topology: Topology, datacenter: string): string[] {
  const names = topology.inDatacenter(datacenter).map(node => node.name)
  const waiting = names.filter(name => islandsOf(topology, name).length > 0)
  const rest = names.filter(name => !waiting.includes(name))
  const ordered: string[] = []
  while (waiting.length > 0) {
    const last = ordered.length > 0 ? islandsOf(topology, ordered.at(-1)!) : []
    // Whose island waits for most nodes goes first, else its two are left over for the end, in a row.
    const urgency = (name: string) => {
      const islands = islandsOf(topology, name)
      if (islands.some(island => last.includes(island))) return -1
      return waiting.filter(other => islandsOf(topology, other).some(island => islands.includes(island)))
        .length
    }
    const next = waiting.reduce((best, name) => (urgency(name) > urgency(best) ? name : best))
    ordered.push(...waiting.splice(waiting.indexOf(next), 1))
  }
  return [...ordered, ...rest]
}

function islandsOf(topology: Topology, name: string): string[] {
  return services.flatMap(service => {
    const island = topology.islandOf(service, name)
    return island === undefined ? [] : [`${service}/${island.name}`]
  })
}
