/**
 * A drain as its operator follows it: one line of JSON for each look, until the node has stopped, or cannot.
 *
 *   {"state":"draining","left":{"sessions":12,"calls":2,…}}   as long as it lasts
 *   {"state":"stopped","left":{…}}                            done, or cut off at its deadline with that left
 *   {"state":"failed","reason":"…"}                           the node stays, or was lost on the way
 *
 * The node to be drained goes away at the end, in order, by a goodbye; that is how another node knows that it is done.
 */
import type { ObservedNode } from '../observed-node.ts'
import type { Figures } from '../report.ts'
import { whyClosed } from './answer.ts'
import type { Gatherer } from './gather.ts'

/** One line. */
export interface DrainLine {
  readonly state: string
  readonly left?: Figures
  readonly reason?: string
}

/** How often one looks. */
const LOOK_MS = 200
/** How long a node that is busy draining may take to say how far it is. */
const ANSWER_MS = 2_000
/** What a drain may overrun its deadline by, to close what it has to close. */
const GRACE_MS = 10_000

/** Starts the drain of `name` and yields its lines; the last one is `stopped` or `failed`. Leaving early stops nothing. */
export async function* watchDrain(
  node: ObservedNode,
  gatherer: Gatherer,
  name: string,
  deadlineMs: number,
): AsyncGenerator<DrainLine> {
  const { clock } = node.ports
  const creation = node.mesh.peers.get(name)?.creation
  const endMs = clock.nowMs() + deadlineMs + GRACE_MS
  let left: Figures = {}
  let gathered = await gatherer.one(name, { op: 'drain', deadlineMs }, ANSWER_MS)
  for (;;) {
    const state = gathered.answers.get(name)
    if (state !== undefined) {
      left = state.left
      if (state.failure !== null) return yield { state: 'failed', reason: state.failure, left }
      if (state.state === 'failed') return yield { state: 'failed', reason: 'node failed', left }
      yield { state: state.state, left }
      if (state.state === 'stopped') return
    } else {
      const over = outcome(node, name, creation, gathered.missing[0]?.reason ?? 'unknown')
      if (over !== undefined) return yield { ...over, left }
    }
    if (clock.nowMs() > endMs)
      return yield { state: 'failed', reason: 'not done long after its deadline', left }
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    gathered = await gatherer.one(name, { op: 'left' }, ANSWER_MS)
  }
}

/** What it means that a node did not answer; `undefined`: look again. */
function outcome(
  node: ObservedNode,
  name: string,
  creation: number | undefined,
  reason: string,
): DrainLine | undefined {
  if (creation === undefined || creation === 0) return { state: 'failed', reason }
  const peer = node.mesh.peers.get(name)
  const isGone = peer === undefined || !peer.linked || peer.creation !== creation
  if (!isGone) return undefined
  const why = whyClosed(node, name)
  return why === 'goodbye' ? { state: 'stopped' } : { state: 'failed', reason: `link lost: ${why}` }
}
