/**
 * The last changes of a node's own members, by number: who was touched, not what happened to them.
 *
 * A peer that missed some is told how those members stand now. Invariant: change `n` is known while it is one
 * of the last `sizeMax`; the numbers of one start of a node never go back.
 */
import type { Pid } from './address.ts'

export class Journal {
  readonly #sizeMax: number
  /** Change `n` lies at `(n - 1) % sizeMax`. */
  readonly #groups: string[] = []
  readonly #pids: Pid[] = []
  /** Nothing up to here was ever written. */
  readonly #start: number
  #number: number

  /** `number` is where the numbers go on from: an earlier life of the scope has used those up to it. */
  constructor(sizeMax: number, number: number) {
    this.#sizeMax = sizeMax
    this.#start = number
    this.#number = number
  }

  /** Changes so far. */
  get number(): number {
    return this.#number
  }

  /** True when everything after change `number` is known. */
  reaches(number: number): boolean {
    return number <= this.#number && number >= Math.max(this.#start, this.#number - this.#sizeMax)
  }

  add(group: string, pid: Pid): void {
    const at = this.#number % this.#sizeMax
    this.#groups[at] = group
    this.#pids[at] = pid
    this.#number += 1
  }

  group(change: number): string {
    return this.#groups[(change - 1) % this.#sizeMax]!
  }

  pid(change: number): Pid {
    return this.#pids[(change - 1) % this.#sizeMax]!
  }
}
