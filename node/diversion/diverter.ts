/**
 * Stands between a node's processes and the router, and keeps the operator's diversions; without one it passes all on.
 *
 *   process ─▶ Diverter ─▶ router ─▶ the member that it chose
 *                  └─────▶ router ─▶ a member of the same group on the target (a copy, or the message itself)
 *
 * Rules are about casts and calls of the ordinary lane that are sent to a group, for only there another process can stand
 * in: not about pids, services and their groups, replies, control, bulk, or what is sent to all members anyhow. The target's copy is sent
 * to a pid, so no rule sees it again. Invariant: a cast that is taken without the rules is taken with them.
 */
import type { CallOptions, CastOptions, GroupTarget, Pid, Router, Target } from '../../routing/index.ts'
import { Lane, Sent } from '../../transport/index.ts'
import type { ActiveRule } from './active-rule.ts'
import type { Diversions } from './diversions.ts'

/** Copies of calls that may wait for an answer that nobody wants; no more, or a slow target would use up our own calls. */
const copiesOpenMax = 1_000

export interface DiverterOptions {
  readonly diversions: Diversions
  readonly router: Pick<Router, 'cast' | 'call' | 'choose'>
  members(group: string): readonly Pid[]
  isLinked(node: string): boolean
  /** Whether a group is of a service: each key has one owner, and nobody stands in for it. */
  isOwned(group: string): boolean
}

export class Diverter {
  readonly #diversions: Diversions
  readonly #router: DiverterOptions['router']
  readonly #options: DiverterOptions
  #copiesOpen = 0

  constructor(options: DiverterOptions) {
    this.#diversions = options.diversions
    this.#router = options.router
    this.#options = options
  }

  /** {@link Router.cast}, by the rules. */
  cast(target: Target, message: unknown, options?: CastOptions): Sent {
    if (!this.#isDivertible(target, options?.lane)) return this.#router.cast(target, message, options)
    const pid = this.#router.choose(target)
    if (pid === undefined) return this.#router.cast(target, message, options)
    for (const [active, to] of this.#due('divert', target, pid)) {
      if (this.#tryCast(to, message, options)) {
        this.#diversions.took(active, pid.node)
        return Sent.ok
      }
      this.#diversions.missed(active, 'refused')
    }
    const sent = this.#router.cast(pid, message, options)
    if (sent !== Sent.ok) return sent
    for (const [active, to] of this.#due('tee', target, pid)) {
      if (this.#tryCast(to, message, options)) this.#diversions.took(active, pid.node)
      else this.#diversions.missed(active, 'refused')
    }
    return sent
  }

  /** {@link Router.call}, by the rules. A diverted call has the fate that it has there; a copy's answer is dropped. */
  call(target: Target, message: unknown, options?: CallOptions): Promise<unknown> {
    if (!this.#isDivertible(target)) return this.#router.call(target, message, options)
    const pid = this.#router.choose(target)
    if (pid === undefined) return this.#router.call(target, message, options)
    for (const [active, to] of this.#due('divert', target, pid)) {
      this.#diversions.took(active, pid.node)
      return this.#router.call(to, message, options)
    }
    const answer = this.#router.call(pid, message, options)
    for (const [active, to] of this.#due('tee', target, pid)) {
      if (this.#copyCall(to, message, options)) this.#diversions.took(active, pid.node)
      else this.#diversions.missed(active, 'refused')
    }
    return answer
  }

  #isDivertible(target: Target, lane: Lane = Lane.ordinary): target is GroupTarget {
    if (this.#diversions.rules.length === 0 || lane !== Lane.ordinary) return false
    return 'group' in target && !this.#options.isOwned(target.group)
  }

  /** The rules of a kind whose share a message to `pid` is, and the member that gets it by each. */
  *#due(kind: 'tee' | 'divert', target: GroupTarget, pid: Pid): Iterable<[ActiveRule, Pid]> {
    for (const active of this.#diversions.rules) {
      if (active.rule.kind !== kind || !active.concerns(target.group, pid) || !active.takes(target.key))
        continue
      // Members of a node that is not linked may be known for a while.
      const isLinked = this.#options.isLinked(active.rule.target)
      const to = isLinked ? active.choose(target, this.#options.members(target.group)) : undefined
      if (to === undefined) this.#diversions.missed(active, 'noTarget')
      else yield [active, to]
    }
  }

  /** False when it was not taken; a message that only a process of this node could take is not, either. */
  #tryCast(to: Pid, message: unknown, options: CastOptions | undefined): boolean {
    try {
      return this.#router.cast(to, message, options) === Sent.ok
    } catch {
      return false
    }
  }

  #copyCall(to: Pid, message: unknown, { timeoutMs, from }: CallOptions = {}): boolean {
    if (this.#copiesOpen >= copiesOpenMax) return false
    this.#copiesOpen += 1
    const close = () => {
      this.#copiesOpen -= 1
    }
    this.#router.call(to, message, { timeoutMs, from }).then(close, close)
    return true
  }
}
