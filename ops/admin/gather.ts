/**
 * Asks every node of the meta-cluster the same thing, and puts together what came in time.
 *
 * One call per node, straight to its admin process; nobody is asked on behalf of another. A node that does not answer
 * makes the answer partial: it is listed as missing with the reason, and nobody waits for it longer than the time given.
 * Source: R14 s34 (C30); the complaint of every neighbour whose report fails as a whole when one server is silent.
 */
import { Pid, RoutingError } from '../../node/index.ts'
import type { ObservedNode } from '../observed-node.ts'
import { type Answerer, unsupported } from './answer.ts'
import { type AnswerTo, adminIndex, type Query, type QueryName } from './queries.ts'

/** A node whose answer is not there, or not whole, and why: a code of routing's, or one of ours. */
export interface Missing {
  readonly node: string
  readonly reason: string
}

/** What came. */
export interface Gathered<T> {
  /** By node, in order of name. */
  readonly answers: ReadonlyMap<string, T>
  readonly missing: readonly Missing[]
}

/** Puts questions to nodes, from this one. */
export class Gatherer {
  readonly #node: ObservedNode
  readonly #answerer: Answerer

  constructor(node: ObservedNode, answerer: Answerer) {
    this.#node = node
    this.#answerer = answerer
  }

  /** Asks all nodes of the configuration. Resolves after `timeoutMs` at the latest; never rejects. */
  async all<Name extends QueryName>(
    query: Query & { readonly op: Name },
    timeoutMs: number,
  ): Promise<Gathered<AnswerTo<Name>>> {
    const names = this.#node.topology.nodes.map(node => node.name)
    const results = await Promise.all(names.map(name => this.#try(name, query, timeoutMs)))
    const answers = new Map<string, AnswerTo<Name>>()
    const missing: Missing[] = []
    for (const [at, result] of results.entries()) {
      if ('reason' in result) missing.push({ node: names[at]!, reason: result.reason })
      else answers.set(names[at]!, result.answer)
    }
    return { answers, missing }
  }

  /** Asks one node of the configuration. */
  async one<Name extends QueryName>(
    name: string,
    query: Query & { readonly op: Name },
    timeoutMs: number,
  ): Promise<Gathered<AnswerTo<Name>>> {
    const result = await this.#try(name, query, timeoutMs)
    if ('reason' in result) return { answers: new Map(), missing: [{ node: name, reason: result.reason }] }
    return { answers: new Map([[name, result.answer]]), missing: [] }
  }

  async #try<Name extends QueryName>(
    name: string,
    query: Query & { readonly op: Name },
    timeoutMs: number,
  ): Promise<{ answer: AnswerTo<Name> } | { reason: string }> {
    try {
      return { answer: (await this.#ask(name, query, timeoutMs)) as AnswerTo<Name> }
    } catch (error) {
      return { reason: reasonOf(error) }
    }
  }

  #ask(name: string, query: Query, timeoutMs: number): Promise<unknown> | unknown {
    if (name === this.#node.name) return this.#answerer.answer(query)
    const peer = this.#node.mesh.peers.get(name)
    if (peer === undefined) throw new Error('not-linked')
    if (!peer.linked) throw new Error('noconnect')
    return this.#node.router.call(new Pid(name, peer.creation, 0, adminIndex), query, { timeoutMs })
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof RoutingError)) return error instanceof Error ? error.message : String(error)
  if (error.detail === unsupported) return 'unsupported'
  // The other codes say it all; a failure has a reason of its own.
  return error.code === 'failed' && error.detail !== undefined ? `failed: ${error.detail}` : error.code
}
