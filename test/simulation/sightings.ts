/**
 * Sometimes-assertions: rare states that a batch of seeds must have reached, or its faults do not bite.
 *
 * Source: Antithesis, "sometimes assertions". The list of what must be seen stands in simulation.test.ts.
 */
import { Sent, sentName } from '../../transport/index.ts'
import type { CallEnd, Observer, SimCall, SimCast } from './observer.ts'
import type { SimNode } from './world/node.ts'
import type { World } from './world/world.ts'

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

  ended(node: SimNode): void {
    this.#count(node)
  }

  /** Adds what a node's links ended of. */
  #count({ wires }: SimNode): void {
    for (const [reason, count] of wires.mesh.closedCounts)
      for (let time = 0; time < count; time++) this.#world().seen(`link ${reason}`)
  }
}
