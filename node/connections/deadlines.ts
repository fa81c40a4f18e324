/**
 * Who must be done by when, for things that all get the same time: one list instead of a timer each.
 *
 * Entries stand in the order in which they came, which is the order of their deadlines, so a sweep stops at the first
 * that is not due. Source: C24, several timer wheels for millions of connections.
 */
export class Deadlines<T> {
  readonly #dueAtMs = new Map<T, number>()
  readonly #afterMs: number

  /** @param afterMs how long each entry gets */
  constructor(afterMs: number) {
    this.#afterMs = afterMs
  }

  get size(): number {
    return this.#dueAtMs.size
  }

  add(entry: T, nowMs: number): void {
    this.#dueAtMs.set(entry, nowMs + this.#afterMs)
  }

  delete(entry: T): boolean {
    return this.#dueAtMs.delete(entry)
  }

  entries(): readonly T[] {
    return [...this.#dueAtMs.keys()]
  }

  /** Takes out those whose time is up. */
  takeDue(nowMs: number): readonly T[] {
    const due: T[] = []
    for (const [entry, dueAtMs] of this.#dueAtMs) {
      if (dueAtMs > nowMs) break
      due.push(entry)
      this.#dueAtMs.delete(entry)
    }
    return due
  }
}
