/**
 * Whom a message would go to, from one node or from each, and why.
 *
 *   GET /v1/trace?group=[&key= or &pick=][&from=NODE]
 *   GET /v1/trace?service=&key=[&from=NODE]
 *
 * Every node explains its own choice; nothing is sent, and nobody's turn is taken.
 */
import type { Explanation, GroupTarget, PickPolicy, ServiceTarget } from '../../routing/index.ts'
import type { ObservedNode } from '../observed-node.ts'
import type { Gatherer } from './gather.ts'
import { type Document, RequestError } from './routes.ts'

/** How a member without a key can be picked. */
export const picks: readonly PickPolicy[] = ['nearest', 'round-robin', 'least-queue']

export class TraceRoutes {
  readonly #node: ObservedNode
  readonly #gatherer: Gatherer

  constructor(node: ObservedNode, gatherer: Gatherer) {
    this.#node = node
    this.#gatherer = gatherer
  }

  /** @throws RequestError for a target that cannot be, a node that is not configured, or a target that nobody knows */
  async get(parameters: URLSearchParams, timeoutMs: number): Promise<Document<readonly Explanation[]>> {
    const query = { op: 'explain' as const, target: this.#target(parameters) }
    const from = parameters.get('from')
    if (from !== null && this.#node.topology.node(from) === undefined)
      throw new RequestError(404, 'unknown-node', `no such node: "${from}"`)
    const { answers, missing } =
      from === null
        ? await this.#gatherer.all(query, timeoutMs)
        : await this.#gatherer.one(from, query, timeoutMs)
    const data = [...answers.values()]
    if (missing.length === 0 && from === null && data.every(({ candidates }) => candidates.length === 0)) {
      const { target } = query
      if ('group' in target)
        throw new RequestError(404, 'unknown-group', `nobody is in group "${target.group}"`)
    }
    return { data, complete: missing.length === 0, missing }
  }

  #target(parameters: URLSearchParams): GroupTarget | ServiceTarget {
    const [group, service, key] = ['group', 'service', 'key'].map(name => parameters.get(name))
    const pick = (parameters.get('pick') ?? undefined) as PickPolicy | undefined
    if (pick !== undefined && !picks.includes(pick))
      throw new RequestError(400, 'bad-target', `no such pick: "${pick}"; there are ${picks.join(', ')}`)
    if (service !== null && service !== undefined) {
      const { services } = this.#node.topology
      if (!services.some(name => name === service))
        throw new RequestError(
          404,
          'unknown-service',
          `no such service: "${service}"; there are ${services.join(', ') || 'none'}`,
        )
      if (key === null || key === undefined)
        throw new RequestError(400, 'bad-target', 'a service has keys: which one?')
      return { service, key }
    }
    if (group === null || group === undefined || group === '')
      throw new RequestError(400, 'bad-target', 'of what? a group or a service')
    if (key === null || key === undefined) return { group, pick: pick ?? 'nearest' }
    if (pick !== undefined) throw new RequestError(400, 'bad-target', 'a key picks by itself')
    return { group, key }
  }
}
