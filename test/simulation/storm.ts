/**
 * The storm of 22 February 2014 (C28), again: half of N nodes lose and regain all their links twenty times in sixty virtual seconds.
 *
 *   settle ─▶ calm ─▶ twenty flaps ─▶ until all views are equal
 *
 * Then pg2 sent n^3 messages, queues grew to millions, and the system was stopped by hand. Here the frames of registries are counted:
 * per pair and flap, and how they grow with N. What goes on in the calm anyway (owners say what should be held of them) is
 * measured first, and taken off. Source: R14 s33.
 */
import { decodeFrame, FrameKind } from '../../routing/exchange.ts'
import { Pid } from '../../routing/index.ts'
import { LAN } from '../../transport/index.ts'
import { calm } from './network/path.ts'
import type { SimNode } from './world/node.ts'
import { World } from './world/world.ts'

export interface StormOptions {
  readonly nodes: number
  /** Of all nodes together. */
  readonly members: number
  readonly seed?: number
  readonly flaps?: number
}

export interface Storm {
  readonly nodes: number
  readonly members: number
  /** Pairs that lose their link in a flap. */
  readonly pairs: number
  /** Registry frames that the flaps cost, without those of the calm. */
  readonly frames: number
  /** The same without those that carry nothing but members: all parts of a sync but the first. */
  readonly framesPerPairAndFlap: number
  /** The most frames that ever waited for one peer. */
  readonly queueFramesMax: number
  /** From the last flap until all views were equal; NaN when they did not become so. */
  readonly equalAfterMs: number
  /** Whole syncs taken during the storm. */
  readonly syncs: number
  /** How long the storm took to simulate, in real time: for people. */
  readonly realMs: number
}

const flapsDefault = 20
const stormMs = 60_000
/** How long links stay away in a flap. */
const awayMs = 500
const calmMs = 20_000
/** Time for all to link and to learn everything. */
const settleMsMax = 60_000
const equalMsMax = 30_000
const lookMs = 50
/** Members stand in groups of about a hundred. */
const groupSize = 100

/** Lives one storm through. `nowMs` reads the real time. */
export async function storm(options: StormOptions, nowMs: () => number): Promise<Storm> {
  const { nodes: count, members, seed = 1, flaps = flapsDefault } = options
  const startMs = nowMs()
  const world = newWorld(count, seed)
  const nodes = () => [...world.nodes.values()]
  await world.loop.run(1)
  join(nodes(), members)
  await until(world, settleMsMax, () => isEqual(nodes()))
  const before = framesOf(nodes())
  await world.loop.run(world.nowMs + calmMs)
  const perMs = (framesOf(nodes()) - before) / calmMs

  const parts = new SyncParts(nodes())
  const start = { frames: framesOf(nodes()), ms: world.nowMs, syncs: syncsOf(nodes()) }
  const struck = world.script.nodes.slice(0, Math.floor(count / 2))
  const queue = new QueueWatch(world)
  for (let flap = 0; flap < flaps; flap++) {
    strike(world, struck)
    await world.loop.run(world.nowMs + stormMs / flaps)
  }
  const lastFlapMs = start.ms + (stormMs / flaps) * (flaps - 1) + awayMs
  const isWell = await until(world, equalMsMax, () => isEqual(nodes()))
  const pairs = (struck.length * (struck.length - 1)) / 2 + struck.length * (count - struck.length)
  const frames = framesOf(nodes()) - start.frames - perMs * (world.nowMs - start.ms)
  return {
    nodes: count,
    members,
    pairs,
    frames: Math.round(frames),
    framesPerPairAndFlap: (frames - parts.later) / (pairs * flaps),
    queueFramesMax: queue.framesMax,
    equalAfterMs: isWell ? Math.max(0, world.nowMs - lastFlapMs) : Number.NaN,
    syncs: syncsOf(nodes()) - start.syncs,
    realMs: nowMs() - startMs,
  }
}

/** The exponent with which frames grow from the smallest storm to the largest. */
export function growthExponent(storms: readonly Storm[]): number {
  const [first, last] = [storms[0]!, storms.at(-1)!]
  return Math.log(last.frames / first.frames) / Math.log(last.nodes / first.nodes)
}

/** Storms as a table, one line each. */
export function printStorms(storms: readonly Storm[]): string {
  const head = 'nodes  members   pairs    frames  per pair+flap  syncs  longest queue  equal after   real'
  const lines = storms.map(
    ({ nodes, members, pairs, frames, framesPerPairAndFlap, syncs, queueFramesMax, equalAfterMs, realMs }) =>
      [
        String(nodes).padStart(5),
        String(members).padStart(8),
        String(pairs).padStart(7),
        String(frames).padStart(9),
        framesPerPairAndFlap.toFixed(2).padStart(14),
        String(syncs).padStart(6),
        String(queueFramesMax).padStart(14),
        `${(equalAfterMs / 1_000).toFixed(2)} s`.padStart(12),
        `${(realMs / 1_000).toFixed(1)} s`.padStart(6),
      ].join(' '),
  )
  const exponent = storms.length > 1 ? `\nframes grow as N^${growthExponent(storms).toFixed(2)}` : ''
  return [head, ...lines].join('\n') + exponent
}

function newWorld(count: number, seed: number): World {
  const nodes = Array.from({ length: count }, (_, at) => `n${at + 1}`)
  const script = {
    seed,
    nodes,
    isTwoClusters: false,
    processesPerNode: 0,
    isServing: false,
    faultsMs: 0,
    core: nodes,
    weather: { ...calm, latencyMsMin: 0.2, latencyMsMax: 2, tailLossChance: 0.5 },
    limits: { queueBytesMax: 0, queueMessagesMax: 1, heartbeatTimeoutMs: LAN.heartbeatTimeoutMs },
    actions: [],
  }
  return new World(script, [], undefined, LAN)
}

/** Each node's share of the members; they stand for processes, and nobody sends to them. */
function join(nodes: readonly SimNode[], members: number): void {
  const groups = Math.max(1, Math.round(members / groupSize))
  for (let member = 0; member < members; member++) {
    const node = nodes[member % nodes.length]!
    const pid = new Pid(node.name, node.creation, 0, 64 + Math.floor(member / nodes.length))
    node.wires.registry.join(`open-${member % groups}`, pid)
  }
}

/** All links of some nodes break, and none comes back for a while. */
function strike({ network, loop, script }: World, struck: readonly string[]): void {
  const paths = struck.flatMap(one =>
    script.nodes.flatMap(other =>
      other === one ? [] : [network.path(one, other), network.path(other, one)],
    ),
  )
  for (const path of paths) path.refusals++
  for (const one of struck) for (const other of script.nodes) if (other !== one) network.reset(one, other)
  loop.worldAt(loop.nowMs + awayMs, () => {
    for (const path of paths) path.refusals--
  })
}

async function until(world: World, msMax: number, isSo: () => boolean): Promise<boolean> {
  const deadlineMs = world.nowMs + msMax
  while (!isSo()) {
    if (world.nowMs >= deadlineMs) return false
    await world.loop.run(world.nowMs + lookMs)
  }
  return true
}

/** Whether every node holds of every other exactly what this one has, by number, digest and count, with nobody suspect. */
function isEqual(nodes: readonly SimNode[]): boolean {
  const own = new Map(nodes.map(node => [node.name, ownRow(node)]))
  for (const node of nodes) {
    let held = 0
    for (const row of node.wires.registry.digests()) {
      if (row.node === node.name) continue
      const truth = own.get(row.node)!
      if (row.isSuspect || row.digest !== truth.digest || row.members !== truth.members) return false
      held++
    }
    if (held !== nodes.length - 1) return false
  }
  return true
}

function ownRow(node: SimNode) {
  return node.wires.registry.digests().find(row => row.node === node.name && row.audience === 'cluster')!
}

function framesOf(nodes: readonly SimNode[]): number {
  return nodes.reduce((sum, { wires }) => sum + wires.registry.counts.sent, 0)
}

function syncsOf(nodes: readonly SimNode[]): number {
  return nodes.reduce((sum, { wires }) => sum + wires.registry.counts.syncs, 0)
}

/** Counts the parts of syncs that come after a first one. */
class SyncParts {
  later = 0

  constructor(nodes: readonly SimNode[]) {
    for (const { wires } of nodes) {
      const receive = wires.registry.receive.bind(wires.registry)
      wires.registry.receive = (link, body) => {
        if (body[0] === FrameKind.sync) {
          const frame = decodeFrame(body)
          if (frame?.kind === FrameKind.sync && frame.part > 0) this.later++
        }
        receive(link, body)
      }
    }
  }
}

/** The longest queue that events left behind; in a large world only one event in so many is looked at. */
class QueueWatch {
  framesMax = 0

  constructor({ loop, nodes, script }: World) {
    const every = Math.ceil(script.nodes.length / 32)
    let events = 0
    loop.afterEvent = machine => {
      if (++events % every !== 0 || machine === undefined) return
      for (const peer of nodes.get(machine.name)?.wires.mesh.peers.values() ?? [])
        if (peer.queueFrames > this.framesMax) this.framesMax = peer.queueFrames
    }
  }
}
