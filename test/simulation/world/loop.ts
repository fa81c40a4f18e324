/**
 * Virtual time: one queue of events for the whole world, and the machines whose turns they are.
 *
 * Time stands still while an event runs and jumps to the next one after it. Promises are let run between events, as the
 * microtasks of a turn. Invariant: nothing of a dead machine ever runs again; what falls into a pause runs when it ends,
 * in the same order.
 */
import type { EventHash } from './event-hash.ts'
import { type Event, EventQueue, Phase } from './event-queue.ts'

/** Whose turn an event is. */
export interface Turns {
  readonly name: string
  /** It crashed or was stopped: its events are void. */
  isDead: boolean
  /** Until then its loop stands still; Infinity: for good. */
  pausedUntilMs: number
}

interface LoopEvent extends Event {
  readonly machine: Turns | undefined
  readonly label: string
}

/** How deep a chain of promises may be to be done before the next event; a deeper one goes on after it. */
const microtaskDepth = 6

export class Loop {
  /** Virtual time since the world began. */
  nowMs = 0
  /** Called after each event, with the machine whose turn it was. */
  afterEvent: (machine: Turns | undefined) => void = () => {}
  /** Events that ran. */
  eventCount = 0
  readonly hash: EventHash
  readonly #queue = new EventQueue<LoopEvent>()
  #order = 0

  constructor(hash: EventHash) {
    this.hash = hash
  }

  /** Runs `run` at `atMs`, as a turn of `machine`, or of the world itself. `label` goes into the hash. */
  at(atMs: number, phase: Phase, machine: Turns | undefined, label: string, run: () => void): Event {
    const event = { atMs: Math.max(atMs, this.nowMs), phase, order: this.#order++, run, machine, label }
    this.#queue.push(event)
    return event
  }

  /** Runs `run` as the world's own doing, before anything else of that instant. */
  worldAt(atMs: number, run: () => void): void {
    this.at(atMs, Phase.timers, undefined, 'world', run)
  }

  /** Lets the world live until `untilMs`. Rejects with what an event or a checker throws. */
  async run(untilMs: number): Promise<void> {
    for (let event = this.#queue.first; event && event.atMs <= untilMs; event = this.#queue.first) {
      this.#queue.pop()
      const { machine, run } = event
      if (run === undefined || machine?.isDead) continue
      if (machine !== undefined && machine.pausedUntilMs > event.atMs) {
        this.#afterPause(event, machine.pausedUntilMs)
        continue
      }
      event.run = undefined
      this.nowMs = event.atMs
      this.eventCount++
      this.hash.add(event.label, event.atMs, machine?.name ?? '')
      run()
      for (let depth = 0; depth < microtaskDepth; depth++) await undefined
      this.afterEvent(machine)
    }
    this.nowMs = untilMs
  }

  #afterPause(event: LoopEvent, resumeMs: number): void {
    if (resumeMs === Number.POSITIVE_INFINITY) return
    event.atMs = resumeMs
    event.order = this.#order++
    this.#queue.push(event)
  }
}
