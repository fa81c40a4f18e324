/**
 * The diversions of a node: the operator's rules that are in force here, until each one's time is up.
 *
 * They live in memory: a node that starts has none. Invariant: at most `rulesMax`, each with an end.
 */
import type { Clock, TimerHandle, Timers } from '../../transport/index.ts'
import type { Log } from '../log.ts'
import { NodeError } from '../options.ts'
import { ActiveRule, type DiversionCounts } from './active-rule.ts'
import type { DiversionRule } from './rule.ts'

/** How many rules may be in force on a node. */
const rulesMax = 16

/** Of a peer, messages since the node's start. */
export interface PeerDiversions {
  /** Copies sent to it. */
  teedTo: number
  /** Sent to it instead of to another. */
  divertedTo: number
  /** Sent to it, with a copy to another. */
  teedFrom: number
  /** Sent to another instead of to it. */
  divertedFrom: number
}

/** A rule, and how it goes. A plain value. */
export interface DiversionReport extends DiversionRule, Readonly<DiversionCounts> {
  /** Until it ends, ms. */
  readonly leftMs: number
}

export interface DiversionsOptions {
  /** This node's name. */
  readonly node: string
  /** Why a rule cannot be, by what is configured. */
  readonly problem: (rule: DiversionRule) => string | undefined
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Log
}

export class Diversions {
  /** Of all rules, those that have ended too. */
  readonly counts = { teed: 0, diverted: 0, noTarget: 0, refused: 0 }
  readonly #options: DiversionsOptions
  readonly #timers = new Map<string, TimerHandle>()
  readonly #peers = new Map<string, PeerDiversions>()
  #rules: readonly ActiveRule[] = []

  constructor(options: DiversionsOptions) {
    this.#options = options
  }

  /** In force now, oldest first. */
  get rules(): readonly ActiveRule[] {
    return this.#rules
  }

  /** What was teed and diverted to and from a peer. */
  ofPeer(node: string): Readonly<PeerDiversions> {
    return this.#peers.get(node) ?? noDiversions
  }

  /**
   * Puts a rule in force, in the place of one of the same kind from the same source to the same target.
   * @throws NodeError `bad-diversion` for one that cannot be, or that is one too many
   */
  add(rule: DiversionRule): DiversionReport {
    const { clock, timers, log } = this.#options
    const problem = this.#options.problem(rule) ?? this.#problem(rule)
    if (problem !== undefined) throw new NodeError('bad-diversion', `add diversion: ${problem}`)
    const old = this.#like(rule)
    if (old !== undefined) this.#end(old, 'replaced')
    const active = new ActiveRule(rule, clock.nowMs() + rule.forMs)
    this.#rules = [...this.#rules, active]
    this.#timers.set(
      rule.id,
      timers.after(rule.forMs, () => this.#end(active, 'time is up')),
    )
    log.info({ diversion: rule }, 'diversion in force')
    return this.#report(active)
  }

  /** Ends a rule; false when there is none of that id. */
  remove(id: string): boolean {
    const active = this.#rules.find(({ rule }) => rule.id === id)
    if (active === undefined) return false
    this.#end(active, 'removed')
    return true
  }

  list(): DiversionReport[] {
    return this.#rules.map(active => this.#report(active))
  }

  /** Ends all rules. */
  stop(): void {
    for (const active of this.#rules) this.#end(active, 'the node stops')
  }

  /** Accounts for a message that went to a rule's target, too or instead; without it, it would have gone to `from` alone. */
  took({ rule, counts }: ActiveRule, from: string): void {
    const to = this.#peer(rule.target)
    counts.taken += 1
    if (rule.kind === 'tee') {
      this.counts.teed += 1
      to.teedTo += 1
      if (from !== this.#options.node) this.#peer(from).teedFrom += 1
    } else {
      this.counts.diverted += 1
      to.divertedTo += 1
      if (from !== this.#options.node) this.#peer(from).divertedFrom += 1
    }
  }

  /** Accounts for a message of a rule's share that did not, and why. */
  missed({ counts }: ActiveRule, why: 'noTarget' | 'refused'): void {
    counts[why] += 1
    this.counts[why] += 1
  }

  /** Why a rule cannot be on this node. */
  #problem(rule: DiversionRule): string | undefined {
    const { id, target } = rule
    if (target === this.#options.node) return `${target} is the target itself`
    if (this.#timers.has(id)) return `the id is taken: ${id}`
    if (this.#rules.length >= rulesMax && this.#like(rule) === undefined)
      return `${rulesMax} rules are in force already`
    return undefined
  }

  #like({ kind, of, source, target }: DiversionRule): ActiveRule | undefined {
    return this.#rules.find(
      ({ rule }) => rule.kind === kind && rule.of === of && rule.source === source && rule.target === target,
    )
  }

  #peer(node: string): PeerDiversions {
    const peer = this.#peers.get(node) ?? { ...noDiversions }
    this.#peers.set(node, peer)
    return peer
  }

  #end(active: ActiveRule, why: string): void {
    const { rule, counts } = active
    this.#options.timers.cancel(this.#timers.get(rule.id))
    this.#timers.delete(rule.id)
    this.#rules = this.#rules.filter(other => other !== active)
    this.#options.log.info({ diversion: rule, counts, why }, 'diversion ended')
  }

  #report({ rule, counts, untilMs }: ActiveRule): DiversionReport {
    return { ...rule, ...counts, leftMs: Math.max(0, untilMs - this.#options.clock.nowMs()) }
  }
}

const noDiversions: PeerDiversions = { teedTo: 0, divertedTo: 0, teedFrom: 0, divertedFrom: 0 }
