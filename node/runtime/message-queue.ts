/**
 * A process's bounded inbox: first in, first out, and full at a declared number of messages.
 *
 * Hot: one push and one shift per message. A ring that starts at eight slots, doubles when it must, and is given back
 * when it runs empty, so that an idle process holds no queue at all.
 * Invariant: `push` never makes it longer than messagesMax; only what must not be lost, `pushAlways`, may.
 */

const SLOTS_MIN = 8

/** A ring of messages; `T` is an envelope or a piece of information. */
export class MessageQueue<T> {
  #slots: (T | undefined)[] | undefined
  #head: number
  #length: number
  #messagesMax: number

  /** @param messagesMax how many may wait; a push beyond it is refused */
  constructor(messagesMax: number) {
    this.#slots = undefined
    this.#head = 0
    this.#length = 0
    this.#messagesMax = messagesMax
  }

  get length(): number {
    return this.#length
  }

  /** Adds to the end; false, and nothing changed, when full. */
  push(message: T): boolean {
    if (this.#length >= this.#messagesMax) return false
    this.pushAlways(message)
    return true
  }

  /** Adds to the end, full or not: for what a process tells itself, which nobody else would repeat. */
  pushAlways(message: T): void {
    const slots = this.#room()
    slots[(this.#head + this.#length) & (slots.length - 1)] = message
    this.#length += 1
  }

  /** Takes the oldest; `undefined` when empty. */
  shift(): T | undefined {
    const slots = this.#slots
    if (slots === undefined) return undefined
    const message = slots[this.#head]
    slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (slots.length - 1)
    this.#length -= 1
    if (this.#length === 0) {
      this.#head = 0
      this.#slots = undefined
    }
    return message
  }

  #room(): (T | undefined)[] {
    const slots = this.#slots
    if (slots === undefined) {
      this.#slots = new Array<T | undefined>(SLOTS_MIN).fill(undefined)
      return this.#slots
    }
    if (this.#length < slots.length) return slots
    const larger = new Array<T | undefined>(slots.length * 2).fill(undefined)
    for (let i = 0; i < this.#length; i++) larger[i] = slots[(this.#head + i) & (slots.length - 1)]
    this.#slots = larger
    this.#head = 0
    return larger
  }
}
