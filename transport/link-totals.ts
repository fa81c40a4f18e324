/**
 * How many messages passed on one link, by lane, as both ends count them.
 *
 *   we        written ──────────────▶ received     the other end
 *             confirmed ◀── heartbeat
 *
 * Invariant: confirmed <= written, and it never falls. What the other end says against that is a lie or a bug.
 */
import type { LaneTotals } from './ledger.ts'
import { laneCount } from './sent.ts'

export class LinkTotals {
  /** Messages written to the link. */
  readonly written: LaneTotals = [0, 0, 0]
  /** Of these, what the other end has received by its own account. */
  readonly confirmed: LaneTotals = [0, 0, 0]
  /** Messages received from the link. */
  readonly received: LaneTotals = [0, 0, 0]
  /** What was written when the last ping left: its answer must confirm it. */
  #writtenAtPing: LaneTotals = [0, 0, 0]
  /** Messages received when we last told so. */
  #toldReceived = 0

  /** Messages written and not confirmed. */
  get unconfirmed(): number {
    return sum(this.written) - sum(this.confirmed)
  }

  /** Whether messages came since the other end was told how many. */
  get untold(): boolean {
    return sum(this.received) !== this.#toldReceived
  }

  /** The other end is told `received`. */
  told(): void {
    this.#toldReceived = sum(this.received)
  }

  /** A ping leaves. */
  pinged(): void {
    this.#writtenAtPing = [...this.written]
  }

  /** Why `received` cannot be what the other end got; `undefined` if it can. */
  doubt(received: LaneTotals): string | undefined {
    for (let lane = 0; lane < laneCount; lane++)
      if (received[lane]! < this.confirmed[lane]! || received[lane]! > this.written[lane]!)
        return `lane ${lane}: ${received[lane]} received by its account, ${this.confirmed[lane]} before, of ${this.written[lane]} written`
    return undefined
  }

  /** What lacks in the answer to the last ping: what was written before it has come before it, for a stream keeps its order. */
  *gaps(): IterableIterator<string> {
    for (let lane = 0; lane < laneCount; lane++)
      if (this.confirmed[lane]! < this.#writtenAtPing[lane]!)
        yield `lane ${lane}: ${this.#writtenAtPing[lane]} written before a ping, ${this.confirmed[lane]} received by its answer`
  }
}

function sum(totals: LaneTotals): number {
  return totals[0] + totals[1] + totals[2]
}
