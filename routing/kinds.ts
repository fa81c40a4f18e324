/**
 * Which kinds of messages a peer takes: what it says of itself in a `kinds` frame, whenever a link comes up (`greetings.ts`).
 *
 * A node that does not say so is of a version from before there was more than casts, calls and answers, and is sent nothing
 * else. What was said holds for a start of a node, so also between its links. Invariant: bounded by the nodes there are.
 */
import type { Link } from './link.ts'

interface Said {
  readonly creation: number
  readonly kindMax: number
}

export class PeerKinds {
  readonly #heard = new Map<string, Said>()

  /** Whether the peer's present start takes frames of a kind. */
  takes(link: Link, kind: number): boolean {
    const said = this.#heard.get(link.node)
    return said !== undefined && said.creation === link.creation && kind <= said.kindMax
  }

  heard({ node, creation }: Link, kindMax: number): void {
    this.#heard.set(node, { creation, kindMax })
  }
}
