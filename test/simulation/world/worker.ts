/**
 * The process that runs in simulated nodes: it takes casts, and answers calls in all the ways that there are.
 */
import { type Caller, later, Server } from '../../../node/runtime/server.ts'
import { asAsked, type SimNode } from './node.ts'
import type { World } from './world.ts'

/** What a cast says; `pad` gives it a size. */
export interface CastMessage {
  readonly id: number
  readonly stream: string | undefined
  readonly number: number
  readonly pad: Uint8Array
}

/** How the callee shall answer. */
export const answers = ['now', 'later', 'slow', 'never', 'fail', 'end'] as const
export type Answer = (typeof answers)[number]

export interface CallMessage {
  readonly id: number
  readonly answer: Answer
  readonly value: number
}

/** Time that `later` and `slow` take, ms. */
const laterMs = 40
const slowMs = 150

export class Worker extends Server<CallMessage, CastMessage, () => void> {
  readonly #world: World
  readonly #node: SimNode

  constructor(world: World, node: SimNode) {
    super()
    this.#world = world
    this.#node = node
  }

  override handleCast({ id, stream, number }: CastMessage): void {
    this.#world.hash.add('handled', this.#world.nowMs, id)
    this.#world.tell('handled', this.#node, this.self, id, stream, number)
  }

  override handleCall({ id, answer, value }: CallMessage, caller: Caller): unknown {
    this.#world.tell('asked', this.#node, this.self, id)
    switch (answer) {
      case 'now':
        return value
      case 'later':
        this.context.after(laterMs, () => caller.reply(value))
        return later
      case 'slow':
        return this.#slow(value)
      case 'never':
        return later
      case 'fail':
        caller.fail(asAsked)
        return later
      case 'end':
        this.#node.forgetProcess(this.self.index)
        throw new Error(asAsked)
    }
  }

  /** Meanwhile the process handles nothing else, and its queue fills. */
  #slow(value: number): Promise<number> {
    return new Promise(resolve => this.#node.machine.timers.after(slowMs, () => resolve(value)))
  }

  override handleInfo(run: () => void): void {
    run()
  }
}
