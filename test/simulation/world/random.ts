/**
 * Seeded random numbers. Each user has a stream of its own, named by a label, so that what one part of the world draws
 * does not shift what the others draw: a script from which an action was dropped plays on in the same weather.
 *
 * Source: sfc32 (PractRand), seeded by an FNV-1a hash of seed and label.
 */
import type { Random } from '../../../transport/index.ts'

/** A stream of random numbers; the same seed and label give the same numbers. */
export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, label: string) {
    const text = `${seed}/${label}`
    this.#a = fnv1a(text, 0x811c9dc5)
    this.#b = fnv1a(text, this.#a ^ 0x5bd1e995)
    this.#c = fnv1a(text, this.#b ^ 0x27d4eb2f)
    for (let i = 0; i < 12; i++) this.next()
  }

  /** In [0, 1). */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return (sum >>> 0) / 0x1_0000_0000
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256))
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  /** `count` different items, in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    const left = [...items]
    const taken: T[] = []
    while (taken.length < count && left.length > 0) taken.push(...left.splice(this.below(left.length), 1))
    return taken
  }
}

function fnv1a(text: string, start: number): number {
  let hash = start
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash ^ (hash >>> 15)
}
