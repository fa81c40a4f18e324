/**
 * In which order an upgrade replaces the nodes.
 *
 * Pure. Datacenter by datacenter; in each the nodes of islands before the others, so that a service understands a new
 * message before a connection sends one; islands take turns, so that the two nodes of one are apart where that can be.
 * Invariant: one node at a time, each exactly once. That the partner has caught up in between is the roll's business.
 * Source: claims C14, C34.
 */

/** A node, as far as its replacement is concerned. */
export interface PlannedNode {
  readonly node: string
  readonly datacenter: string
  /** The services that it runs on an island, and who serves on while it is away. */
  readonly islands: readonly PlannedIsland[]
}

/** One service on one island, seen from one of its nodes. */
export interface PlannedIsland {
  readonly service: string
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
 * @param nodes all nodes of the meta-cluster, in any order
 * @throws PlanError
 */
export function planUpgrade(
  nodes: readonly PlannedNode[],
  order?: readonly string[],
): readonly PlannedNode[] {
  if (order !== undefined) return follow(nodes, order)
  const sorted = nodes.toSorted((one, other) => (one.node < other.node ? -1 : 1))
  const datacenters = [...new Set(sorted.map(({ datacenter }) => datacenter))].sort()
  return datacenters.flatMap(name => orderOf(sorted.filter(({ datacenter }) => datacenter === name)))
}

/** A replacement on one line, for people. */
export function printStep({ node, datacenter, islands }: PlannedNode): string {
  const parts = islands.map(({ service, partners }) => {
    return `${service}: ${partners.length > 0 ? partners.join(', ') : 'nobody'} serves meanwhile`
  })
  return [`${node} in ${datacenter}`, ...parts].join('; ')
}

function follow(nodes: readonly PlannedNode[], order: readonly string[]): readonly PlannedNode[] {
  const twice = order.find((name, index) => order.indexOf(name) !== index)
  if (twice !== undefined) throw new PlanError('twice', `twice in the order: "${twice}"`)
  return order.map(name => {
    const found = nodes.find(({ node }) => node === name)
    if (found === undefined) throw new PlanError('unknown-node', `no such node: "${name}"`)
    return found
  })
}

/** The order inside one datacenter. */
function orderOf(nodes: readonly PlannedNode[]): readonly PlannedNode[] {
  const waiting = nodes.filter(({ islands }) => islands.length > 0)
  const rest = nodes.filter(({ islands }) => islands.length === 0)
  const ordered: PlannedNode[] = []
  while (waiting.length > 0) {
    const last = ordered.at(-1)
    // Whose partners wait too goes first, or an island's two nodes would be left over for the end, in a row.
    const urgency = (node: PlannedNode) => {
      if (last !== undefined && arePartners(node, last)) return -1
      return waiting.filter(other => arePartners(node, other)).length
    }
    const next = waiting.reduce((best, node) => (urgency(node) > urgency(best) ? node : best))
    ordered.push(...waiting.splice(waiting.indexOf(next), 1))
  }
  return [...ordered, ...rest]
}

function arePartners(one: PlannedNode, other: PlannedNode): boolean {
  return one.islands.some(({ partners }) => partners.includes(other.node))
}
