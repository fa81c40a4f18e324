/**
 * What leaves a peer's full queue to make room for a send: the one place that says so. Declarative; queue.ts carries it out.
 *
 * The steps are taken in this order until the send fits. Nothing is shed in vain: if all that a send may push out does not make room, it is
 * refused and the queue stays as it was (but for what had expired).
 * Invariant: a send pushes out lower classes only, never its own, so no class can starve itself by talking more.
 */
import { Lane, laneCount } from './sent.ts'

/** One step: messages of every lane whose deadline has passed, or the oldest messages of one lane. */
export type ShedStep =
  | { readonly fate: 'expired'; readonly reason: string }
  | { readonly fate: 'shed'; readonly lane: Lane; readonly reason: string }

export const shedOrder: readonly ShedStep[] = [
  { fate: 'expired', reason: 'nobody waits for it any more, whatever its class' },
  {
    fate: 'shed',
    lane: Lane.bulk,
    reason: 'may wait for everything else, and is worth less the longer it has waited',
  },
  {
    fate: 'shed',
    lane: Lane.ordinary,
    reason: 'only control beyond its reserve asks for it: without membership every message goes astray',
  },
]

/** The lanes that a send in the lane of that index may push out, in order. */
export const lanesShedFor: readonly (readonly Lane[])[] = Array.from({ length: laneCount }, (_, lane) =>
  shedOrder.flatMap(step => (step.fate === 'shed' && lane < step.lane ? [step.lane] : [])),
)
