/** Timers that run when the test says so: nothing fires by itself. */
import type { Timers } from '../../../transport/index.ts'

export class ManualTimers implements Timers {
  #pending: { delayMs: number; run: () => void }[] = []
  #soon: (() => void)[] = []

  after(delayMs: number, run: () => void) {
    const timer = { delayMs, run }
    this.#pending.push(timer)
    return timer
  }

  cancel(handle: unknown): void {
    this.#pending = this.#pending.filter(timer => timer !== handle)
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  /** Delays of the timers that are set. */
  get delaysMs(): number[] {
    return this.#pending.map(timer => timer.delayMs)
  }

  /** Fires every timer set, whatever its delay, and lets all that follows from it settle. */
  async fire(): Promise<void> {
    const due = this.#pending
    this.#pending = []
    for (const timer of due) timer.run()
    await this.endTurn()
  }

  /** Ends the turn of the loop: runs what was to run soon, and lets what follows settle. */
  async endTurn(): Promise<void> {
    const due = this.#soon
    this.#soon = []
    for (const run of due) run()
    await new Promise(resolve => setImmediate(resolve))
  }
}
