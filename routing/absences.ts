/**
 * What becomes of a node's members when its link ends: they go at once, or stay for a while as suspects.
 *
 *   goodbye -> gone          lost -> suspect -> back within the grace -> confirmed, or gone when the node stays silent
 *                                            -> not back             -> gone, in one step
 *
 * Invariant: at most one grace runs per node, and where this loop stood still it waits on for once its length at most; of a node
 * that has started anew nothing old is left. `pg` knows no grace: it forgets a node's members when its link ends, and a flap
 * looks to everybody like the death and birth of all of them.
 */
import type { TimerHandle, Timers } from '../transport/index.ts'
import type { OpenScope } from './open-scope.ts'
import type { GoneReason, RegistryCounts, RegistryEvents } from './registry-events.ts'
import type { Holding } from './scope.ts'

export interface AbsencesOptions {
  readonly scopes: ReadonlyMap<string, OpenScope>
  readonly graceMs: number
  readonly timers: Timers
  readonly counts: RegistryCounts
  readonly events: RegistryEvents
  nowMs(): number
}

export class Absences {
  readonly #options: AbsencesOptions
  readonly #graces = new Map<string, TimerHandle>()

  constructor(options: AbsencesOptions) {
    this.#options = options
  }

  /** A link ended without a goodbye. */
  lost(node: string): void {
    const { graceMs, counts, events } = this.#options
    const held = this.#held(node)
    if (held.length === 0 || graceMs === 0) {
      this.left(node, 'grace')
      return
    }
    this.#suspect(node, true)
    this.#startGrace(node, () => this.left(node, 'grace'))
    const members = sizeOf(held)
    if (members === 0) return
    counts.suspected += 1
    events.suspected?.({ node, creation: held[0]!.creation, members, graceMs })
  }

  /** A link came up; returns how many members of the same start are still held. */
  back(node: string, creation: number): number {
    if (this.#held(node).some(holding => holding.creation !== creation)) this.left(node, 'restarted')
    const held = this.#held(node)
    if (held.length === 0) return 0
    for (const holding of held) holding.isConfirmed = false
    this.#suspect(node, false)
    this.#startGrace(node, () => this.#forget(node, 'silent', holding => !holding.isConfirmed))
    return sizeOf(held)
  }

  /** Forgets a node with all its members. */
  left(node: string, why: GoneReason): void {
    this.#endGrace(node)
    this.#forget(node, why, () => true)
  }

  /** Forgets all that are absent, and waits for nobody any more. */
  stop(): void {
    for (const node of [...this.#graces.keys()]) this.left(node, 'orderly')
  }

  #forget(node: string, why: GoneReason, isMeant: (holding: Holding) => boolean): void {
    const { scopes, counts, events } = this.#options
    let members = 0
    let creation: number | undefined
    for (const open of scopes.values()) {
      const holding = open.scope.holding(node)
      if (!holding || !isMeant(holding)) continue
      members += holding.roster.size
      creation = holding.creation
      open.forget(node)
    }
    if (creation === undefined || members === 0) return
    counts.forgotten += 1
    events.gone?.({ node, creation, members, why })
  }

  #held(node: string): Holding[] {
    return Array.from(this.#options.scopes.values(), ({ scope }) => scope.holding(node)).filter(
      holding => holding !== undefined,
    )
  }

  #suspect(node: string, isSuspect: boolean): void {
    for (const { scope } of this.#options.scopes.values()) {
      scope.suspect(node, isSuspect)
      const holding = scope.holding(node)
      if (holding) holding.sinceMs = this.#options.nowMs()
    }
  }

  #startGrace(node: string, run: () => void): void {
    this.#endGrace(node)
    this.#wait(node, this.#options.graceMs, this.#options.graceMs, run)
  }

  /** `furtherMs` is how long it may wait on, in all, for what this loop was late. */
  #wait(node: string, ms: number, furtherMs: number, run: () => void): void {
    const { timers, graceMs, nowMs } = this.#options
    const dueMs = nowMs() + ms
    const timer = timers.after(ms, () => {
      const lateMs = nowMs() - dueMs
      // Our own loop stood still, and what the node says meanwhile lies unread behind this very timer.
      const moreMs = Math.min(lateMs, furtherMs)
      if (lateMs > graceMs / 16 && moreMs > 0) this.#wait(node, moreMs, furtherMs - moreMs, run)
      else {
        this.#graces.delete(node)
        run()
      }
    })
    this.#graces.set(node, timer)
  }

  #endGrace(node: string): void {
    this.#options.timers.cancel(this.#graces.get(node))
    this.#graces.delete(node)
  }
}

function sizeOf(held: readonly Holding[]): number {
  return held.reduce((sum, { roster }) => sum + roster.size, 0)
}
