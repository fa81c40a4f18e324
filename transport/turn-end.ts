/**
 * The end of a turn of the event loop, as a place: what the turn's reads asked for runs here, and then what that asked for.
 *
 *   reads ─▶ [ processes run, peers are flushed ] ─▶ [ what they sent leaves ] ─▶ next turn
 *
 * With `setImmediate` alone an answer would leave one turn after the process that gave it has run. A third round waits for the next turn,
 * or those who always ask for another one would keep the loop from reading. Hot.
 * Invariant: everything runs once, in the order in which it was asked for; what throws takes nothing else with it.
 */

/** What was asked for, and what that asked for. */
const roundsMax = 2

export class TurnEnd {
  #due: (() => void)[] = []
  #isSet = false
  readonly #later: (run: () => void) => void

  /** @param later runs something once, when this turn's reads are done */
  constructor(later: (run: () => void) => void) {
    this.#later = later
  }

  /** Runs `run` once at the end of this turn, or, asked for there in the last round, at the end of the next one. */
  soon(run: () => void): void {
    this.#due.push(run)
    if (this.#isSet) return
    this.#isSet = true
    this.#later(this.#run)
  }

  readonly #run = (): void => {
    let due: (() => void)[] = []
    let next = 0
    try {
      for (let round = 0; round < roundsMax && this.#due.length > 0; round++) {
        due = this.#due
        this.#due = []
        for (next = 0; next < due.length; ) due[next++]!()
      }
    } finally {
      // Only after a throw is anything of the round left over.
      if (next < due.length) this.#due = [...due.slice(next), ...this.#due]
      this.#isSet = this.#due.length > 0
      if (this.#isSet) this.#later(this.#run)
    }
  }
}
