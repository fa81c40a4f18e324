/**
 * A deed: something that can stand in a script. It knows how to be drawn and how to be done.
 *
 * Invariant: `draw` decides everything that matters, so that `act` draws nothing and a script plays the same whatever is left out.
 */
import type { Action, Script } from '../script.ts'
import type { SeededRandom } from '../world/random.ts'
import type { World } from '../world/world.ts'

export interface Deed {
  /** About how many of them in ten seconds, for a world in which they happen at all. */
  readonly perTenSeconds: number
  /** Draws its fields. */
  draw(random: SeededRandom, script: Omit<Script, 'actions'>): Omit<Action, 'atMs' | 'do'>
  act(world: World, action: Action): void
}

/** A field that is a text, such as a node's name. */
export function text(action: Action, field: string): string {
  return String(action[field])
}

export function number(action: Action, field: string): number {
  return Number(action[field])
}
