/**
 * Tees and diverts by way of the admin socket: put in force on one node or on all that talk with the target, listed, and ended.
 *
 *   GET  /v1/diversions                  all that are in force, by node
 *   POST /v1/diversions?kind=&of=&source=&fraction=&target=&forMs=&on=NODE|all
 *   POST /v1/diversions/ID/remove        on whichever nodes it is
 *
 * Each node keeps its own; what they share is the id. Invariant: a rule that cannot be is refused here, before any node has it.
 */
import { randomBytes } from 'node:crypto'
import { type DiversionReport, type DiversionRule, diversionProblem } from '../../node/index.ts'
import type { ObservedNode } from '../observed-node.ts'
import type { Gathered, Gatherer, Missing } from './gather.ts'
import type { AnswerTo, Query, QueryName } from './queries.ts'
import { type Document, RequestError } from './routes.ts'

/** One line of `wand diversion list`: a rule on a node. */
export interface DiversionRow extends DiversionReport {
  readonly node: string
}

export class DiversionRoutes {
  readonly #node: ObservedNode
  readonly #gatherer: Gatherer

  constructor(node: ObservedNode, gatherer: Gatherer) {
    this.#node = node
    this.#gatherer = gatherer
  }

  async list(timeoutMs: number): Promise<Document<readonly DiversionRow[]>> {
    const { answers, missing } = await this.#gatherer.all({ op: 'diversions' }, timeoutMs)
    const rows = [...answers].flatMap(([node, { rules }]) => rules.map(rule => ({ ...rule, node })))
    rows.sort((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0))
    return document(rows, missing)
  }

  /**
   * Answers a POST.
   *
   * @param parts the path after /v1/diversions, decoded
   * @throws RequestError for a path that is none, a rule that cannot be, an id that no node has
   */
  post(parts: readonly string[], parameters: URLSearchParams, timeoutMs: number): Promise<Document> {
    const [id, what, ...rest] = parts
    if (id === undefined) return this.#add(parameters, timeoutMs)
    if (what === 'remove' && rest.length === 0) return this.#remove(id, timeoutMs)
    throw new RequestError(404, 'no-such-path', `no such path: /v1/diversions/${parts.join('/')}`)
  }

  async #add(parameters: URLSearchParams, timeoutMs: number): Promise<Document<readonly DiversionRow[]>> {
    const rule = ruleOf(parameters)
    const names = this.#nodesFor(rule, parameters.get('on') ?? 'all')
    const { answers, missing } = await this.#each(names, { op: 'divert', rule }, timeoutMs)
    return document(
      [...answers].map(([node, report]) => ({ ...report, node })),
      missing,
    )
  }

  async #remove(id: string, timeoutMs: number): Promise<Document> {
    const { answers, missing } = await this.#gatherer.all({ op: 'undivert', id }, timeoutMs)
    const nodes = [...answers].filter(([, { removed }]) => removed).map(([node]) => ({ id, node }))
    if (nodes.length === 0 && missing.length === 0)
      throw new RequestError(404, 'unknown-diversion', `no such diversion: "${id}"`)
    return document(nodes, missing)
  }

  /** Where a rule is put in force: on one node, or on all that talk with the target; never on the peer that it is of. */
  #nodesFor(rule: DiversionRule, on: string): readonly string[] {
    const { topology } = this.#node
    const problem = diversionProblem(rule, topology)
    if (problem !== undefined) throw new RequestError(400, 'bad-diversion', problem)
    const talking = topology.peersOf(rule.target).map(({ name }) => name)
    const able = rule.of === 'peer' ? talking.filter(name => name !== rule.source) : talking
    if (on === 'all') return able
    if (topology.node(on) === undefined) throw new RequestError(404, 'unknown-node', `no such node: "${on}"`)
    if (!able.includes(on))
      throw new RequestError(400, 'bad-diversion', `${on} sends nothing that this is about to ${rule.target}`)
    return [on]
  }

  async #each<Name extends QueryName>(
    names: readonly string[],
    query: Query & { readonly op: Name },
    timeoutMs: number,
  ): Promise<Gathered<AnswerTo<Name>>> {
    const all = await Promise.all(names.map(name => this.#gatherer.one(name, query, timeoutMs)))
    return {
      answers: new Map(all.flatMap(({ answers }) => [...answers])),
      missing: all.flatMap(({ missing }) => missing),
    }
  }
}

function ruleOf(parameters: URLSearchParams): DiversionRule {
  const text = (name: string) => parameters.get(name) ?? ''
  const kind = text('kind') as DiversionRule['kind']
  return {
    id: `${kind}-${randomBytes(3).toString('hex')}`,
    kind,
    of: text('of') as DiversionRule['of'],
    source: text('source'),
    fraction: Number(text('fraction')),
    target: text('target'),
    forMs: Number(text('forMs')),
  }
}

function document<T>(data: T, missing: readonly Missing[]): Document<T> {
  return { data, complete: missing.length === 0, missing }
}
