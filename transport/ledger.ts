/**
 * The account of what became of every message, per peer and lane (DESIGN.md, promise 3).
 *
 * Invariant, at every moment and per lane:
 *   accepted = delivered + expired + shed + lost + in flight,
 *   in flight = queued + written to a live link and not yet confirmed.
 * `delivered` is what the other end's totals confirm, so it trails the truth by up to a quarter of the heartbeat timeout.
 * A frame that was received by a node that then died unheard counts as lost: nobody can say more.
 */
import { Lane } from './sent.ts'

/** Counters of one lane, in frames; they only grow, and they outlive links. */
export class LaneLedger {
  /** `send` answered ok. */
  accepted = 0
  /** `send` answered nosuspend: the queue had no room. */
  refusedNosuspend = 0
  /** `send` answered noconnect. */
  refusedNoconnect = 0
  /** `send` answered tooBig. */
  refusedTooBig = 0
  /** `send` answered expired: the deadline had passed before it. */
  refusedExpired = 0
  /** Left the queue unwritten, because its deadline had passed. */
  expired = 0
  /** Left the queue unwritten, to make room for a higher class (shed-order.ts). */
  shed = 0
  /** Handed to a stream. */
  written = 0
  /** Confirmed by the other end's totals. */
  delivered = 0
  /** Queued or written when the link ended, and not confirmed. */
  lost = 0
  /** Came from the peer and was handed on. */
  received = 0
  /** Came from the peer, and was not kept: there was no memory left for long messages (arrival-budget.ts). Its sender counts it as delivered. */
  overflowed = 0
}

/** One peer's account, by {@link Lane}. */
export class Ledger {
  readonly lanes: readonly [LaneLedger, LaneLedger, LaneLedger] = [
    new LaneLedger(),
    new LaneLedger(),
    new LaneLedger(),
  ]

  get control(): LaneLedger {
    return this.lanes[Lane.control]
  }

  get ordinary(): LaneLedger {
    return this.lanes[Lane.ordinary]
  }

  get bulk(): LaneLedger {
    return this.lanes[Lane.bulk]
  }
}

/** Frames per lane, as heartbeats carry them: control, ordinary, bulk. */
export type LaneTotals = [control: number, ordinary: number, bulk: number]
