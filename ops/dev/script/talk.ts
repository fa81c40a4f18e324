/**
 * The script of one person: what to write to whom, and when to go away and come back.
 *
 * Pure and endless: a person's steps depend on the seed and the person alone, never on how fast the meta-cluster is, so
 * a run can be repeated. A person reads on in the lines from a place of their own, line by line.
 */
import { SeededRandom } from '../random.ts'
import type { Person } from './people.ts'

/** What a person does next, after having waited `waitMs`. */
export type Step =
  | { readonly act: 'send'; readonly waitMs: number; readonly to: string; readonly body: string }
  /** Disconnects, and comes back after `awayMs` at the place with this index. */
  | { readonly act: 'leave'; readonly waitMs: number; readonly awayMs: number; readonly place: number }

/** How lively the conversation is. */
export interface Pace {
  /** Wait before each step; the least is what bounds the rate of one phone. */
  readonly waitMsMin: number
  readonly waitMsMax: number
  /** Chance of each step to be a departure. */
  readonly leaveChance: number
  readonly awayMsMin: number
  readonly awayMsMax: number
  /** Chance to come back at another chat node than the home's. */
  readonly elsewhereChance: number
}

/** One message every second and a half on average, never more than two a second; away for some seconds twice a minute. */
export const easyPace: Pace = {
  waitMsMin: 500,
  waitMsMax: 2_500,
  leaveChance: 0.05,
  awayMsMin: 1_000,
  awayMsMax: 6_000,
  elsewhereChance: 0.4,
}

/**
 * The steps of one person, without end.
 * @param index of the person in the crowd; each has random numbers of their own
 * @param placeCount how many chat nodes there are
 * @param lines what is said, at least one
 */
export function* talk(
  person: Person,
  index: number,
  { seed, placeCount, lines, pace }: Talk,
): Generator<Step, never> {
  const random = SeededRandom.of(seed ^ 0x7a1c, index)
  let line = random.below(lines.length)
  for (;;) {
    const waitMs = Math.round(random.between(pace.waitMsMin, pace.waitMsMax))
    if (person.friends.length === 0 || random.chance(pace.leaveChance)) {
      const awayMs = Math.round(random.between(pace.awayMsMin, pace.awayMsMax))
      const place = random.chance(pace.elsewhereChance) ? random.below(placeCount) : person.home
      yield { act: 'leave', waitMs, awayMs, place }
    } else {
      yield { act: 'send', waitMs, to: random.pick(person.friends), body: lines[line]! }
      line = (line + 1) % lines.length
    }
  }
}

/** What all scripts of one run have in common. */
export interface Talk {
  readonly seed: number
  readonly placeCount: number
  readonly lines: readonly string[]
  readonly pace: Pace
}
