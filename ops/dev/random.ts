/**
 * Random numbers from a seed: the same seed, the same conversation.
 *
 * mulberry32: 32 bits of state, a period of 2^32, good enough to decide who writes to whom; not for secrets.
 * Source: Tommy Ettinger's mulberry32, public domain.
 */

/** A seeded source of random numbers. */
export class SeededRandom {
  #state: number

  /** @param seed any number; its low 32 bits count */
  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A source of its own for each `index`, which the draws of the others do not disturb. */
  static of(seed: number, index: number): SeededRandom {
    const mixed = new SeededRandom(seed ^ Math.imul(index + 1, 0x9e3779b1))
    return new SeededRandom(mixed.#bits())
  }

  /** A number in [0, 1). */
  next(): number {
    return this.#bits() / 2 ** 32
  }

  /** A number in [min, max). */
  between(min: number, max: number): number {
    return min + this.next() * (max - min)
  }

  /** An integer in [0, count). */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  /** `count` different ones of a list, in random order; all of it when it is shorter. */
  sample<T>(list: readonly T[], count: number): T[] {
    const rest = [...list]
    const taken: T[] = []
    while (taken.length < count && rest.length > 0) taken.push(...rest.splice(this.below(rest.length), 1))
    return taken
  }

  #bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let bits = this.#state
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return (bits ^ (bits >>> 14)) >>> 0
  }
}
