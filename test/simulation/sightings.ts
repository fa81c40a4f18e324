/**
 * Sometimes-assertions: rare states that a batch of seeds must have reached, or its faults do not bite.
 *
 * Source: Antithesis, "sometimes assertions". The list of what must be seen stands in simulation.test.ts.
 */
import { Sent, sentName } from '../../transport/index.ts'
import type { CallEnd, Observer, SimCall, SimCast } from './observer.ts'
import type { SimNode } from './world/node.ts'
import type { World } from './world/world.ts'

const routerDeeds = ['fannedOut', 'forwarded', 'redirected', 'hintsTaken', 'lateReplies'] as const

export class Sightings implements Observer {
  readonly name = 'sightings'
  readonly #world: () => World

  constructor(world: () => World) {
    this.#world = world
  }

  cast({ sent }: SimCast): void {
    if (sent !== Sent.ok) this.#world().seen(`cast ${sentName(sent)}`)
  }

  callEnded(_call: SimCall, end: CallEnd): void {
    this.#world().seen('code' in end ? `call ${end.code}` : 'call answered')
  }

  /** Adds what became of a node's links, and what its router did; for those that still live at the end, too. */
  ended({ wires }: SimNode): void {
    const world = this.#world()
    for (const [reason, count] of wires.mesh.closedCounts) if (count > 0) world.seen(`link ${reason}`)
    for (const what of routerDeeds) if (wires.router.counts[what] > 0) world.seen(`router ${what}`)
  }
}
