/**
 * The last entries of something, bounded in number and in bytes: what is added last stays, what is oldest goes first.
 *
 * Invariant: never more than `entriesMax` entries, nor more than `bytesMax` bytes; an entry that is larger than all the room there is
 * goes at once, and everything before it with it, so that there is no hole in what is left.
 */

/** What every entry has. */
export interface Stamped {
  /** In which order things happened; the wall clock may jump. */
  readonly number: number
  /** Wall time, for people: milliseconds since 1970. */
  readonly atMs: number
}

export class Ring<Entry extends Stamped> {
  readonly #entriesMax: number
  readonly #bytesMax: number
  /** Entry `n`, counted from the first one ever, lies at `n % entriesMax`. */
  readonly #entries: (Entry | undefined)[] = []
  readonly #sizes: number[] = []
  #added = 0
  #gone = 0
  #bytes = 0
  #goneAtMs: number | undefined

  constructor(entriesMax: number, bytesMax: number) {
    this.#entriesMax = entriesMax
    this.#bytesMax = bytesMax
  }

  get size(): number {
    return this.#added - this.#gone
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Entries that had to go. */
  get gone(): number {
    return this.#gone
  }

  /** Wall time of the last entry that had to go: nothing is known of what was before; `undefined` while all are here. */
  get goneAtMs(): number | undefined {
    return this.#goneAtMs
  }

  add(entry: Entry, bytes: number): void {
    if (this.#entriesMax === 0) {
      this.#added += 1
      this.#gone += 1
      this.#goneAtMs = entry.atMs
      return
    }
    if (this.size === this.#entriesMax) this.#forget()
    const at = this.#added % this.#entriesMax
    this.#entries[at] = entry
    this.#sizes[at] = bytes
    this.#added += 1
    this.#bytes += bytes
    while (this.#bytes > this.#bytesMax) this.#forget()
  }

  *newestFirst(): IterableIterator<Entry> {
    for (let number = this.#added - 1; number >= this.#gone; number--)
      yield this.#entries[number % this.#entriesMax]!
  }

  #forget(): void {
    const at = this.#gone % this.#entriesMax
    this.#goneAtMs = this.#entries[at]!.atMs
    this.#bytes -= this.#sizes[at]!
    this.#entries[at] = undefined
    this.#gone += 1
  }
}
