/**
 * Scatter and gather: one question to many processes, and whatever answers have come when its time is up.
 *
 * Each process is asked by a call of its own, so deadlines, late answers and lost peers are as with any call. Invariant: who
 * was asked is in `answers` or in `missing`, once; partial rather than late. Source: R14 s34, real-time cluster status.
 */
import type { Pid, Target } from './address.ts'
import type { RoutingError, RoutingErrorCode } from './error.ts'

/** One who answered. */
export interface GatheredAnswer {
  /** As it was named: a target, or a member of the group. */
  readonly target: Target
  readonly pid: Pid
  readonly value: unknown
}

/** One who did not. */
export interface GatherMissing {
  readonly target: Target
  /** Who was to be asked; `undefined` when the target led to nobody. */
  readonly pid: Pid | undefined
  readonly code: RoutingErrorCode
  /** What the other end said, for people. */
  readonly detail: string | undefined
}

/** Both in the order in which they were named. */
export interface Gathered {
  readonly answers: readonly GatheredAnswer[]
  readonly missing: readonly GatherMissing[]
}

/** Somebody to ask. */
export interface Asked {
  readonly target: Target
  readonly pid: Pid | undefined
}

/** Asks one; ends by calling one of the two, once, at once or later. */
export type Ask = (
  asked: Asked,
  succeed: (value: unknown) => void,
  fail: (error: RoutingError) => void,
) => void

/** Asks everybody, those that `isFirst` first, and resolves when each has ended. */
export function gather(
  all: readonly Asked[],
  isFirst: (asked: Asked) => boolean,
  ask: Ask,
): Promise<Gathered> {
  return new Promise(resolve => {
    const ends = new Array<GatheredAnswer | GatherMissing | undefined>(all.length)
    let pending = all.length
    const end = (index: number, result: GatheredAnswer | GatherMissing) => {
      ends[index] = result
      pending -= 1
      if (pending === 0) resolve(sorted(ends))
    }
    if (pending === 0) resolve({ answers: [], missing: [] })
    const askOne = (index: number) => {
      const asked = all[index]!
      const { target, pid } = asked
      ask(
        asked,
        value => end(index, { target, pid: pid!, value }),
        ({ code, detail }) => end(index, { target, pid, code, detail }),
      )
    }
    for (const [index, asked] of all.entries()) if (isFirst(asked)) askOne(index)
    for (const [index, asked] of all.entries()) if (!isFirst(asked)) askOne(index)
  })
}

function sorted(ends: readonly (GatheredAnswer | GatherMissing | undefined)[]): Gathered {
  const answers: GatheredAnswer[] = []
  const missing: GatherMissing[] = []
  for (const end of ends) {
    if (end === undefined) continue
    if ('code' in end) missing.push(end)
    else answers.push(end)
  }
  return { answers, missing }
}
