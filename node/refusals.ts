/**
 * The refusals that a node has heard from its peers: each comes again with every dial, and is news only once.
 */
import type { CloseReason } from '../transport/index.ts'

export class Refusals {
  /** By peer; in words for people. */
  readonly #texts = new Map<string, Set<string>>()

  /** A peer turned us away: in words, and whether it had not said so since the last link. */
  heard(
    node: string,
    reason: CloseReason,
    detail: string,
  ): { readonly text: string; readonly isNew: boolean } {
    const text = `${node} refused us: ${reason}: ${detail}`
    const texts = this.#texts.get(node) ?? new Set()
    this.#texts.set(node, texts)
    const isNew = !texts.has(text)
    texts.add(text)
    return { text, isNew }
  }

  /** A peer is linked: what it said before is over. Returns that. */
  over(node: string): readonly string[] {
    const texts = this.#texts.get(node) ?? []
    this.#texts.delete(node)
    return [...texts]
  }
}
