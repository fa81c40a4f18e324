/**
 * A process's inbox: first in, first out, in a ring that doubles when it must.
 *
 * Hot: one push and one shift per message. A process borrows a queue from its runtime's pool while something waits in it,
 * so an idle process holds none. How many may wait, and what gives way, its owner decides (overflow.ts).
 * Invariant: the slots from head on, `length` of them, hold messages in order; all others are empty.
 */

const SLOTS_MIN = 8

export class MessageQueue<T> {
  #slots: (T | undefined)[]
  #head: number
  #length: number

  constructor() {
    this.#slots = emptySlots<T>(SLOTS_MIN)
    this.#head = 0
    this.#length = 0
  }

  get length(): number {
    return this.#length
  }

  /** How many fit before it grows. */
  get slots(): number {
    return this.#slots.length
  }

  /** Adds to the end. */
  push(message: T): void {
    if (this.#length === this.#slots.length) this.#grow()
    const slots = this.#slots
    slots[(this.#head + this.#length) & (slots.length - 1)] = message
    this.#length += 1
  }

  /** Adds to the head: it comes out next. */
  prepend(message: T): void {
    if (this.#length === this.#slots.length) this.#grow()
    const slots = this.#slots
    this.#head = (this.#head - 1) & (slots.length - 1)
    slots[this.#head] = message
    this.#length += 1
  }

  /** Takes the oldest; `undefined` when empty. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const slots = this.#slots
    const message = slots[this.#head]
    slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (slots.length - 1)
    this.#length -= 1
    return message
  }

  /** Takes the oldest that `mayGo`, and keeps the order of the others; `undefined` when none may. */
  shiftWhere(mayGo: (message: T) => boolean): T | undefined {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let at = 0; at < this.#length; at++) {
      const message = slots[(this.#head + at) & mask]!
      if (!mayGo(message)) continue
      for (let i = at; i > 0; i--) slots[(this.#head + i) & mask] = slots[(this.#head + i - 1) & mask]
      this.shift()
      return message
    }
    return undefined
  }

  #grow(): void {
    const slots = this.#slots
    const larger = emptySlots<T>(slots.length * 2)
    for (let i = 0; i < this.#length; i++) larger[i] = slots[(this.#head + i) & (slots.length - 1)]
    this.#slots = larger
    this.#head = 0
  }
}

function emptySlots<T>(count: number): (T | undefined)[] {
  return new Array<T | undefined>(count).fill(undefined)
}
