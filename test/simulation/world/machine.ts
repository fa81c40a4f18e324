/**
 * One start of one node, as far as the outside goes: its clock, its timers, its random numbers and its share of the loop.
 *
 * Invariant: clocks of different machines share nothing, not even their zero; the wall clock may be wrong and jump.
 */
import type { Clock, Random, TimerHandle, Timers } from '../../../transport/index.ts'
import { type Event, Phase } from './event-queue.ts'
import type { Loop, Turns } from './loop.ts'
import { SeededRandom } from './random.ts'

/** 2026-01-01, where the wall clocks of all worlds begin. */
export const wallStartMs = Date.UTC(2026, 0, 1)
/** What is left of a turn of a loop; so time passes even for who does something in every turn. */
const turnMs = 0.05

export class Machine implements Turns {
  readonly name: string
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  isDead = false
  pausedUntilMs = 0

  /**
   * @param start which start of the node: 0, 1, ...
   * @param wallOffsetMs how wrong its wall clock is now
   */
  constructor(name: string, start: number, seed: number, loop: Loop, wallOffsetMs: () => number = () => 0) {
    this.name = name
    const random = new SeededRandom(seed, `machine ${name} ${start}`)
    const zeroMs = random.between(1, 1_000_000)
    this.random = random
    this.clock = {
      nowMs: () => loop.nowMs + zeroMs,
      wallMs: () => loop.nowMs + wallStartMs + wallOffsetMs(),
    }
    this.timers = {
      after: (delayMs, run) =>
        loop.at(loop.nowMs + Math.max(1, delayMs), Phase.timers, this, 'timer', run) as TimerHandle,
      cancel: handle => {
        if (handle !== undefined) (handle as Event).run = undefined
      },
      soon: run => void loop.at(loop.nowMs + turnMs, Phase.turnEnd, this, 'turn end', run),
    }
  }
}
