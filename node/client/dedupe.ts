/**
 * Which texts a phone has seen: the recent numbers of each sender, as a set.
 *
 * A set and not a highest number: what a netsplit held back comes late, with a lower number, and is new all the same.
 * Bounded twice: the oldest numbers of a sender go first, and the senders that were silent longest.
 */

interface Sender {
  readonly recent: Set<number>
  highest: number
}

export class SeenMessages {
  readonly #senders = new Map<string, Sender>()
  readonly #numbersPerSenderMax: number
  readonly #sendersMax: number

  constructor(numbersPerSenderMax: number, sendersMax: number) {
    this.#numbersPerSenderMax = numbersPerSenderMax
    this.#sendersMax = sendersMax
  }

  has(from: string, number: number): boolean {
    return this.#senders.get(from)?.recent.has(number) === true
  }

  /** The highest number seen of a sender; 0 when there is none. */
  highest(from: string): number {
    return this.#senders.get(from)?.highest ?? 0
  }

  add(from: string, number: number): void {
    const sender = this.#senders.get(from) ?? { recent: new Set<number>(), highest: 0 }
    // Again at the end: a map keeps its order, so the first sender is the one that was silent longest.
    this.#senders.delete(from)
    this.#senders.set(from, sender)
    sender.recent.add(number)
    sender.highest = Math.max(sender.highest, number)
    if (sender.recent.size > this.#numbersPerSenderMax) forgetFirst(sender.recent)
    if (this.#senders.size > this.#sendersMax) forgetFirst(this.#senders)
  }
}

function forgetFirst(entries: Set<unknown> | Map<unknown, unknown>): void {
  for (const first of entries.keys()) {
    entries.delete(first)
    return
  }
}
