/**
 * The own members that one loop turn touched, and how they stood before it.
 *
 * Netting is what keeps a process that joined and left within a turn from being mentioned at all. Invariant: what `net`
 * gives stands otherwise than before the turn, and each member once. Hot: once per join.
 */
import type { Pid } from './address.ts'
import { type MemberMeta, sameMeta } from './meta.ts'
import { memberKey, type Roster } from './roster.ts'

/** A member, and how it stood before the turn. */
export interface Touch {
  readonly group: string
  readonly pid: Pid
  readonly times: number
  readonly meta: MemberMeta | undefined
}

export class Batch {
  #touches: Touch[] = []
  /** Every touch so far made a new member, so none was touched twice. */
  #isPlain = true

  get isEmpty(): boolean {
    return this.#touches.length === 0
  }

  /** Notes how a member stood before a change. */
  add(touch: Touch): void {
    if (touch.times > 0) this.#isPlain = false
    this.#touches.push(touch)
  }

  /** What really changed, and starts anew. */
  net(own: Roster): readonly Touch[] {
    const touches = this.#isPlain ? this.#touches : firsts(this.#touches)
    const isPlain = this.#isPlain
    this.#touches = []
    this.#isPlain = true
    if (isPlain) return touches
    return touches.filter(({ group, pid, times, meta }) => {
      const now = own.find(group, memberKey(pid))
      return (now?.times ?? 0) !== times || !sameMeta(now?.meta, meta)
    })
  }
}

/** Of each member the first touch. */
function firsts(touches: readonly Touch[]): Touch[] {
  const seen = new Seen()
  return touches.filter(({ group, pid }) => seen.isFirst(group, memberKey(pid)))
}

/** Remembers members by group and key. */
export class Seen {
  readonly #groups = new Map<string, Set<number>>()

  /** True the first time that it is asked for a member. */
  isFirst(group: string, key: number): boolean {
    const keys = this.#groups.get(group)
    if (!keys) this.#groups.set(group, new Set([key]))
    else if (keys.has(key)) return false
    else keys.add(key)
    return true
  }
}
