/**
 * Texts that no server has acknowledged yet, in the order of their numbers.
 *
 * Each is on the wire or waits for its turn. A lost connection, or a refusal for now, puts texts back to waiting; they
 * leave again in order, so a server never sees a later text before an earlier one that it still lacks.
 * Invariant: a text leaves the list exactly once, by its answer.
 */
import type { Level } from '../services/mailbox/messages.ts'

/** What became of a text that was kept. */
export interface Acknowledgement {
  readonly seq: number
  readonly level: Level
}

export interface Unanswered {
  readonly seq: number
  readonly to: string
  readonly body: string
  readonly resolve: (acknowledgement: Acknowledgement) => void
  readonly reject: (error: Error) => void
  isOnWire: boolean
}

export class Unacknowledged {
  /** Numbers only grow, so the map's order is theirs. */
  readonly #texts = new Map<number, Unanswered>()
  #onWire = 0

  get size(): number {
    return this.#texts.size
  }
  /** Texts that a server is to answer on the present connection. */
  get onWire(): number {
    return this.#onWire
  }

  add(text: Unanswered): void {
    this.#texts.set(text.seq, text)
  }

  /** The first text that waits; it counts as on the wire from now on. */
  takeNext(): Unanswered | undefined {
    for (const text of this.#texts.values()) {
      if (text.isOnWire) continue
      text.isOnWire = true
      this.#onWire += 1
      return text
    }
    return undefined
  }

  /** The answer is there; `undefined` for one that nobody waits for. */
  answer(seq: number): Unanswered | undefined {
    const text = this.#texts.get(seq)
    if (text === undefined) return undefined
    this.#texts.delete(seq)
    if (text.isOnWire) this.#onWire -= 1
    return text
  }

  /** Puts every text from `seq` on back to waiting. */
  rewind(seq: number): void {
    for (const text of this.#texts.values()) {
      if (text.seq < seq || !text.isOnWire) continue
      text.isOnWire = false
      this.#onWire -= 1
    }
  }

  /** Takes all out. */
  takeAll(): readonly Unanswered[] {
    const all = [...this.#texts.values()]
    this.#texts.clear()
    this.#onWire = 0
    return all
  }
}
