/**
 * What a node of this version can do beyond the first one: a bit each in its greeting, in one table.
 *
 * `since` is the release that first said the bit; from `mandatorySince` on a node does not talk to one that lacks it. A bit is said for at
 * least one release before it is mandatory, so that two versions that follow each other always talk.
 * Invariant: the table is only appended to; a dead bit keeps its row. PROTOCOL.md has the same table.
 * Source: erl_dist_protocol.md, distribution flags.
 */

/** One row of {@link features}. */
export interface Feature {
  /** Its place in the greeting's `features`, 0 to 31. */
  readonly bit: number
  readonly name: string
  /** The release that first said it. */
  readonly since: string
  /** The release that first required it; `undefined` while it is optional. */
  readonly mandatorySince: string | undefined
}

/** Takes long messages in fragments (fragments.ts). */
export const fragmentsFeature: Feature = {
  bit: 0,
  name: 'fragments',
  since: '0.1.0',
  mandatorySince: undefined,
}

/** Sends and takes everything after the welcome in blocks (block.ts); counts only beside {@link fragmentsFeature}, which bounds their length. */
export const blocksFeature: Feature = {
  bit: 1,
  name: 'blocks',
  since: '0.1.0',
  mandatorySince: undefined,
}

/** All bits given out so far, by number. */
export const features: readonly Feature[] = [fragmentsFeature, blocksFeature]

/** What this version can do, as a greeting says it. */
export const featuresKnown = featureMask(features)
/** What this version does not talk without. */
export const featuresRequired = featureMask(features.filter(feature => feature.mandatorySince !== undefined))

/** The u32 in which each of `some` has its bit set. */
export function featureMask(some: readonly Feature[]): number {
  return some.reduce((mask, { bit }) => (mask | (1 << bit)) >>> 0, 0)
}
