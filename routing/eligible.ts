/**
 * Which members of a group are chosen from, and with which weights.
 *
 * A member is passed over when its link has just been lost (suspect), when it says that it is draining, or when it wants
 * a weight of 0. Whoever chooses falls back on those only when nobody else is left. Not hot: once per change of a group
 * in which some member has metadata or is suspect.
 */
import type { Pid } from './address.ts'
import type { MemberMeta } from './meta.ts'
import type { Member } from './roster.ts'

/** What a member weighs that does not say. */
const weightDefault = 1

/** Whether a member is chosen only when all others are as it is. */
export function isPassedOver(meta: MemberMeta | undefined, suspect: boolean): boolean {
  return suspect || meta?.draining === true || weightOf(meta) === 0
}

/** A member's share of the work; what is no number above 0 counts as 0. */
export function weightOf(meta: MemberMeta | undefined): number {
  const weight = meta?.weight ?? weightDefault
  return weight > 0 && Number.isFinite(weight) ? weight : 0
}

/** A member, and where it stands. */
export interface Row {
  readonly member: Member
  readonly placed: { readonly distance: number; readonly suspect: boolean }
}

export class Eligible {
  /** Each as often as it joined, nearest first. */
  readonly pids: Pid[] = []
  /** How many at the head of `pids` are equally near. */
  nearest = 0
  /** One for each of `pids`; `undefined` when all weigh alike. */
  readonly weights: Float64Array | undefined

  /** `rows` come nearest first. */
  constructor(rows: Iterable<Row>) {
    const weights: number[] = []
    let nearestDistance: number | undefined
    for (const { member, placed } of rows) {
      if (isPassedOver(member.meta, placed.suspect)) continue
      nearestDistance ??= placed.distance
      for (let count = member.times; count > 0; count--) {
        this.pids.push(member.pid)
        weights.push(weightOf(member.meta))
      }
      if (placed.distance === nearestDistance) this.nearest = this.pids.length
    }
    const isWeighted = weights.some(weight => weight !== weights[0])
    this.weights = isWeighted ? Float64Array.from(weights) : undefined
  }
}
