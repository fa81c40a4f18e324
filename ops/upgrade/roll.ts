/**
 * The upgrade itself: drains, replaces and awaits one node after the other, and halts at the first that does not come.
 *
 * Each step goes check -> drain -> gone -> replace -> new creation, ready, caught up, seen by the others. What it does to
 * the world goes through {@link RollPorts}, so that every way to fail is a test.
 * Invariants: a node is touched only while all others are ready and its islands' partners are in sync; it is replaced
 * only once it is known to be gone, which silence does not prove; after a halt nothing more is touched. Source: claim C34.
 */
import type { NodeState } from '../../node/index.ts'
import type { PlannedNode } from './plan.ts'

/** One node, as it looks from outside at one moment. */
export interface NodeLook {
  /** `silent`: nobody answers for it. */
  readonly state: NodeState | 'silent'
  /** Which start of it; 0 when silent. */
  readonly creation: number
  readonly version: string
  /** Whether its islands' groups are complete, and its partners have confirmed what it has; always, off islands. */
  readonly inSync: boolean
  /** What a drain still waits for, for people: `sessions 12, calls 2`; empty when nothing. */
  readonly left: string
  /** How many other nodes should be linked with it; 0 when silent. */
  readonly peers: number
  /** Nodes that answer and are not linked with it: they do not see its members of groups. */
  readonly unseenBy: readonly string[]
  /** Why it is silent, or what troubles it. */
  readonly detail: string | undefined
}

/** Nobody could be asked, so nothing is known of any node; a roll waits for a better look. */
export interface NoLook {
  readonly noLook: string
}

/** What a roll needs from the world. */
export interface RollPorts {
  /** Looks at all nodes. `closely` names those whose `inSync` and `left` matter; the others' may be guessed. */
  look(closely: readonly string[]): Promise<ReadonlyMap<string, NodeLook> | NoLook>
  /** Asks a node to drain and end; resolves when it has agreed. */
  drain(node: string): Promise<void>
  /** Brings the next creation of a node up, or throws with one line that says why not. */
  replace(node: string): Promise<void>
  sleep(ms: number): Promise<void>
  nowMs(): number
  /** One line of progress. */
  progress(line: string): void
  /** True when somebody wants no further node touched. */
  isStopped(): boolean
}

/** How patient a roll is. */
export interface RollOptions {
  /** From the replacement until a node must be ready, in sync and seen. */
  readonly readyMs: number
  /** From the request to drain until a node must be gone. */
  readonly drainMs: number
  readonly lookEveryMs: number
}

/** What became of an upgrade. */
export interface RollResult {
  readonly replaced: readonly string[]
  /** The node that it halted at, and the reason; `undefined` when all is done. */
  readonly halted: { readonly node: string; readonly reason: string } | undefined
  /** Nodes still to be replaced, the halted one first. */
  readonly remaining: readonly string[]
}

/** Ends a step; the message says what was awaited and what was seen. */
class Halt extends Error {}

/** Replaces the nodes of `steps`, in order. Never rejects: what goes wrong is a halt with its reason. */
export async function roll(
  steps: readonly PlannedNode[],
  ports: RollPorts,
  options: RollOptions,
): Promise<RollResult> {
  const replaced: string[] = []
  for (const step of steps) {
    try {
      if (ports.isStopped()) throw new Halt('stopped before it')
      await replaceOne(step, ports, options)
      replaced.push(step.node)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      ports.progress(`${step.node}: halted: ${reason}`)
      const remaining = steps.slice(replaced.length).map(({ node }) => node)
      return { replaced, halted: { node: step.node, reason }, remaining }
    }
  }
  return { replaced, halted: undefined, remaining: [] }
}

/**
 * What forbids to begin, a line each; empty when everything is as it should be.
 * @param looks all nodes of the topology
 */
export function obstacles(looks: ReadonlyMap<string, NodeLook>): readonly string[] {
  return [...looks].flatMap(([node, look]) => {
    const obstacle = obstacleOf(look)
    return obstacle === undefined ? [] : [`${node}: ${obstacle}`]
  })
}

const notInSync = 'not in sync with its island'

/** What keeps one node from being as it should be. */
function obstacleOf(look: NodeLook): string | undefined {
  const because = look.detail === undefined ? '' : `: ${look.detail}`
  if (look.state === 'silent') return `does not answer${because}`
  if (look.state !== 'ready') return `${look.state}${because}`
  if (look.peers === 0) return 'has no peers that could serve meanwhile, or say that it is gone'
  if (!look.inSync) return notInSync
  if (look.unseenBy.length > 0) return `its groups are not seen by ${look.unseenBy.join(', ')}`
  return undefined
}

async function replaceOne(
  { node, islands }: PlannedNode,
  ports: RollPorts,
  { readyMs, drainMs, lookEveryMs }: RollOptions,
): Promise<void> {
  const closely = [node, ...islands.flatMap(({ partners }) => partners)]
  const before = await until(readyMs, look => obstacles(look)[0])
  const old = lookOf(before, node)

  const startMs = ports.nowMs()
  ports.progress(`${node}: draining version ${old.version}, creation ${old.creation}`)
  await ports.drain(node)
  let left: string | undefined
  await until(drainMs, look => {
    const { state, creation, left: now, unseenBy } = lookOf(look, node)
    if (state === 'silent') {
      // A node that only fails to answer may be busy with its drain: it is gone when each of its peers says so.
      return unseenBy.length >= old.peers ? undefined : notGone(old.peers - unseenBy.length)
    }
    // A service manager may bring the next creation up before anybody saw the node gone.
    if (creation !== old.creation) return undefined
    if (now !== '' && now !== left) ports.progress(`${node}: drain remaining: ${now}`)
    left = now
    return `still ${state}${now === '' ? '' : `, ${now}`}`
  })
  ports.progress(`${node}: gone after ${seconds(ports.nowMs() - startMs)}, replacing`)

  await ports.replace(node)
  let reported: string | undefined
  const fresh = await until(readyMs, look => {
    const now = lookOf(look, node)
    if (now.state !== 'silent' && now.creation === old.creation) return `still creation ${old.creation}`
    const behind = closely.find(other => other !== node && !lookOf(look, other).inSync)
    const waiting = obstacleOf(now) ?? (behind && `${behind}: ${notInSync}`)
    if (waiting !== undefined && waiting !== reported) ports.progress(`${node}: waiting: ${waiting}`)
    reported = waiting
    return waiting
  })
  const now = lookOf(fresh, node)
  ports.progress(
    `${node}: ready after ${seconds(ports.nowMs() - startMs)}, version ${now.version}, creation ${now.creation}`,
  )

  /** Looks until `waiting` has no reason left; a reason that stays for `boundMs` halts the roll. */
  async function until(
    boundMs: number,
    waiting: (look: ReadonlyMap<string, NodeLook>) => string | undefined,
  ): Promise<ReadonlyMap<string, NodeLook>> {
    const endMs = ports.nowMs() + boundMs
    for (;;) {
      const look = await ports.look(closely)
      let reason: string | undefined
      if ('noLook' in look) reason = `nobody can be asked: ${look.noLook}`
      else {
        reason = waiting(look)
        if (reason === undefined) return look
      }
      if (ports.nowMs() >= endMs) throw new Halt(`not done after ${seconds(boundMs)}: ${reason}`)
      await ports.sleep(lookEveryMs)
    }
  }
}

function lookOf(looks: ReadonlyMap<string, NodeLook>, node: string): NodeLook {
  const look = looks.get(node)
  if (look === undefined) throw new Halt('the configuration no longer names it')
  return look
}

function notGone(peers: number): string {
  return `it does not answer, and ${peers} of its peers do not say that their link with it is down`
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
