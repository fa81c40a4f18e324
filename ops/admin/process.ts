/**
 * The admin process of a node: other nodes' admin processes find it at a well-known index and ask it about its node.
 *
 * Invariant: it never fails on what it is asked; a query that cannot be answered is turned down, and the process lives.
 */
import { type Caller, later, Server } from '../../node/index.ts'
import type { Answerer } from './answer.ts'
import type { Query } from './queries.ts'

export class AdminProcess extends Server<Query, never> {
  readonly #answerer: Answerer

  constructor(answerer: Answerer) {
    super()
    this.#answerer = answerer
  }

  override handleCall(query: Query, caller: Caller): unknown {
    try {
      return this.#answerer.answer(query)
    } catch (error) {
      caller.fail(error instanceof Error ? error.message : String(error))
      return later
    }
  }

  /** Casts mean nothing to it. */
  override handleCast(): void {}
}
