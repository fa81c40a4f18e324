/**
 * The fates of a frame by the names of transport's ledger, and how they add up. Reports, metrics and tables take their
 * columns from here.
 *
 *   accepted = delivered + lost by reason + in flight
 *
 * Invariant: a lane's gap, what stands left without the right side, is 0 at every moment; anything else is a bug in the ledger.
 */
import { type LaneName, lanes } from './observed-node.ts'

/** Why `send` took a frame not at all. */
export const refusals = ['refusedNosuspend', 'refusedNoconnect', 'refusedTooBig', 'refusedExpired'] as const

/** Why a frame that was accepted did not arrive. */
export const losses = ['lost', 'expired', 'shed'] as const

/** All that a ledger counts, in the order in which people read it. */
export const fates = [
  'accepted',
  ...refusals,
  'written',
  'delivered',
  ...losses,
  'received',
  'overflowed',
] as const

export type Fate = (typeof fates)[number]

/** Frames by fate, since the node knows the peer; they only grow. See transport's ledger for what each means. */
export type LaneCounts = Readonly<Record<Fate, number>>

/** The sum of some of the counts. A node of another version may not count all of them. */
export function sumOf(counts: LaneCounts, some: readonly Fate[]): number {
  return some.reduce((sum, fate) => sum + (counts[fate] ?? 0), 0)
}

/** Frames that have no fate, or, below 0, more than one. */
export function gapOf(counts: LaneCounts, inFlight: number): number {
  return counts.accepted - counts.delivered - sumOf(counts, losses) - inFlight
}

/** The ledgers of all lanes as one. */
export function overLanes(ledger: Readonly<Record<LaneName, LaneCounts>>): LaneCounts {
  return byFate(fate => lanes.reduce((sum, lane) => sum + (ledger[lane][fate] ?? 0), 0))
}

/** Counts for all fates. */
export function byFate(count: (fate: Fate) => number): LaneCounts {
  return Object.fromEntries(fates.map(fate => [fate, count(fate)])) as LaneCounts
}
