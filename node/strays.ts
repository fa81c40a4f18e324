/**
 * Messages that came on a channel that this version does not know: counted by peer, and dropped.
 *
 * A newer node may use more channels than an older one; what it sends there must not vanish without a trace. Invariant:
 * the log has one line a peer, whatever it sends.
 */
import type { Log } from './log.ts'

export class Strays {
  readonly #counts = new Map<string, number>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  /** Messages that came from a peer since the node's start. */
  of(node: string): number {
    return this.#counts.get(node) ?? 0
  }

  /** Counts one. */
  count(node: string, channel: number): void {
    const before = this.of(node)
    this.#counts.set(node, before + 1)
    if (before === 0) this.#log.warn({ peer: node, channel }, 'message on an unknown channel')
  }
}
