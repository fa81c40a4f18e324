/** Where to dial next: what a server recommended first, then the known addresses in turn. */
import type { Random } from '../../transport/index.ts'

export class Addresses {
  readonly #known: readonly string[]
  #at = 0
  #recommended: readonly string[] = []

  /** @param known `host:port`, one or more */
  constructor(known: readonly string[]) {
    if (known.length === 0) throw new RangeError('phone addresses: none given')
    this.#known = known
  }

  /** Each call another one, so that a dead address costs one try. */
  next(): string {
    const [first, ...rest] = this.#recommended
    this.#recommended = rest
    if (first !== undefined) return first
    const address = this.#known[this.#at % this.#known.length]!
    this.#at += 1
    return address
  }

  /** Takes a go-away's alternatives: one of them by chance, or all phones of a node would go to the same. */
  recommend(alternatives: readonly string[], random: Random): void {
    const chosen = alternatives[Math.floor(random.next() * alternatives.length)]
    this.#recommended = chosen === undefined ? [] : [chosen]
  }
}
