/**
 * The crowd: all simulated phones of a run. They join, talk, and are brought back and waited for at the end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Member, type MemberWorld } from './member.ts'
import { makePeople, type Person, type Place } from './script/people.ts'
import type { Pace } from './script/talk.ts'
import { Tally } from './tally.ts'

/** How a crowd is made. */
export interface CrowdOptions {
  readonly count: number
  readonly places: readonly Place[]
  readonly seed: number
  readonly lines: readonly string[]
  readonly pace: Pace
  readonly onChat: MemberWorld['onChat']
}

/** Registrations under way at once. */
const JOINING_MAX = 16
const LOOK_MS = 50

export class Crowd {
  readonly people: readonly Person[]
  readonly tally: Tally
  readonly #homes: ReadonlyMap<string, string>
  readonly #members: readonly Member[]

  constructor({ count, places, seed, lines, pace, onChat }: CrowdOptions) {
    this.people = makePeople(count, places, seed)
    this.#homes = new Map(this.people.map(person => [person.name, person.datacenter]))
    this.tally = new Tally(this.#homes)
    const world: MemberWorld = {
      ...{ seed, lines, pace, places, placeCount: places.length, tally: this.tally, onChat },
      knows: user => this.#homes.has(user),
    }
    this.#members = this.people.map((person, index) => new Member(person, index, world))
  }

  get names(): readonly string[] {
    return this.people.map(person => person.name)
  }

  /** The home datacenter of one of the crowd. */
  homeOf(user: string): string | undefined {
    return this.#homes.get(user)
  }

  /** People whose phone no longer comes online by itself: somebody else logged in as them. */
  get unserved(): readonly string[] {
    return this.#members.filter(member => !member.isServed).map(member => member.person.name)
  }

  /**
   * Registers everybody and brings them online.
   * @throws the first error that trying again did not help; `signal` ends the wait
   */
  async join(signal: AbortSignal): Promise<void> {
    const waiting = [...this.#members]
    const some = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        signal.throwIfAborted()
        await next.join()
      }
    }
    const all = Promise.all(Array.from({ length: JOINING_MAX }, some))
    await Promise.race([all, rejection(signal)])
  }

  /** Everybody begins to talk. */
  start(): void {
    for (const member of this.#members) member.start()
  }

  /**
   * Nobody writes any more, everybody comes back; waits until all that was acknowledged has been seen.
   * @returns false when something is still missing after `boundMs`, or when `signal` ended the wait
   */
  async settle(boundMs: number, signal: AbortSignal): Promise<boolean> {
    await Promise.all(this.#members.map(member => member.rest()))
    const endMs = performance.now() + boundMs
    while (this.tally.unanswered > 0 || this.tally.counts.lost > 0) {
      if (performance.now() >= endMs || signal.aborted) return false
      await sleep(LOOK_MS)
    }
    return true
  }

  /** Hangs up all phones. */
  async close(deadlineMs: number): Promise<void> {
    await Promise.all(this.#members.map(member => member.close(deadlineMs)))
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
