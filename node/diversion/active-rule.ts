/**
 * A rule in force on this node: which messages it is about, whose turn it is, and what it has done.
 *
 * Pure. Invariant: seen = taken + noTarget + refused + those that were not its share.
 */
import { type GroupTarget, type Pid, partitionOf } from '../../routing/index.ts'
import type { DiversionRule } from './rule.ts'

/** How finely keys are told apart, for the share of them that a rule takes. */
const keyParts = 1_000_000

/** What a rule has done, in messages. */
export interface DiversionCounts {
  /** That it is about. */
  seen: number
  /** Copied, or turned. */
  taken: number
  /** Its share, but the target has no member of their group, or no link; they went their usual way. */
  noTarget: number
  /** Its share, but the target's queue, or a limit here, did not take them; they went their usual way. */
  refused: number
}

export class ActiveRule {
  readonly rule: DiversionRule
  /** By the monotonic clock. */
  readonly untilMs: number
  readonly counts: DiversionCounts = { seen: 0, taken: 0, noTarget: 0, refused: 0 }
  #keyless = 0
  #turn = 0

  constructor(rule: DiversionRule, untilMs: number) {
    this.rule = rule
    this.untilMs = untilMs
  }

  /** Whether the rule is about a message that would go to `pid`. What goes to the target anyway needs no help. */
  concerns(group: string, pid: Pid): boolean {
    const { of, source, target } = this.rule
    return pid.node !== target && source === (of === 'group' ? group : pid.node)
  }

  /**
   * Counts a message, and says whether it is of the rule's share: of messages without a key every n-th, evenly; with
   * one, always or never, so that what a key stands for stays together and in order.
   */
  takes(key: string | undefined): boolean {
    const { fraction } = this.rule
    this.counts.seen += 1
    if (key !== undefined) return partitionOf(key, keyParts) < fraction * keyParts
    const before = Math.floor(this.#keyless * fraction)
    this.#keyless += 1
    return Math.floor(this.#keyless * fraction) > before
  }

  /** The target's member that gets a message, `undefined` when it has none. */
  choose({ key }: GroupTarget, members: readonly Pid[]): Pid | undefined {
    const there = members.filter(pid => pid.node === this.rule.target)
    if (there.length === 0) return undefined
    this.#turn = (this.#turn + 1) % there.length
    return there[key === undefined ? this.#turn : partitionOf(key, there.length)]
  }
}
