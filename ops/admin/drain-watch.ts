/**
 * A drain as its operator follows it: one line of JSON for each look, until the node has stopped, or cannot.
 *
 *   {"state":"draining","left":{"sessions":12,"calls":2,…}}   as long as it lasts
 *   {"state":"stopped","cutOff":false,"left":{…}}             done; or cut off at its deadline, with that left
 *   {"state":"failed","reason":"…","left":{…}}                the node stays, or was lost on the way
 *
 * The node to be drained goes away at the end, in order, by a goodbye; that is how another node knows that it is done.
 */
import type { ObservedNode } from '../observed-node.ts'
import { whyClosed } from './answer.ts'
import type { Gatherer } from './gather.ts'
import type { DrainState } from './queries.ts'

/** One line. */
export interface DrainLine {
  readonly state: string
  readonly left: DrainState['left'] | null
  readonly cutOff?: boolean
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
  const startMs = clock.nowMs()
  let left: DrainLine['left'] = null
  const stopped = (): DrainLine => {
    const isLate = clock.nowMs() - startMs >= deadlineMs
    return { state: 'stopped', cutOff: isLate && Object.values(left ?? {}).some(count => count > 0), left }
  }
  const failed = (reason: string): DrainLine => ({ state: 'failed', reason, left })

  let gathered = await gatherer.one(name, { op: 'drain', deadlineMs }, ANSWER_MS)
  for (;;) {
    const answer = gathered.answers.get(name)
    if (answer !== undefined) {
      if (answer.failure !== null) return yield failed(answer.failure)
      if (answer.state === 'failed') return yield failed('node failed')
      if (answer.state === 'stopped') return yield stopped()
      left = answer.left
      yield { state: answer.state, left }
    } else {
      const over = outcome(node, name, creation, gathered.missing[0]?.reason ?? 'unknown')
      if (over !== undefined) return yield over === 'goodbye' ? stopped() : failed(over)
    }
    if (clock.nowMs() - startMs > deadlineMs + GRACE_MS)
      return yield failed('not done long after its deadline')
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    gathered = await gatherer.one(name, { op: 'left' }, ANSWER_MS)
  }
}

/** How it ended: `goodbye`, or what went wrong; `undefined` while it has not. */
function outcome(
  node: ObservedNode,
  name: string,
  creation: number | undefined,
  reason: string,
): string | undefined {
  if (creation === undefined || creation === 0) return reason
  const peer = node.mesh.peers.get(name)
  const isGone = peer === undefined || !peer.linked || peer.creation !== creation
  if (!isGone) return undefined
  const why = whyClosed(node, name)
  return why === 'goodbye' ? why : `link lost: ${why}`
}
