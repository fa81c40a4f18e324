/**
 * What a node says about itself: the line of `wand node list`, and everything that `wand node show` and the metrics
 * print. Plain values: they travel between nodes and out as JSON, so fields are only added.
 */
import type { RingStats } from '../node/index.ts'
import type { LoopTotals } from './loop-watch.ts'
import type { ObservedNode } from './observed-node.ts'
import { type ClosedLinkReport, type PeerReport, reportClosedLink, reportPeer } from './peer-report.ts'
import { type Sample, takeSample } from './sample.ts'

/** One line of `wand node list`. */
export interface NodeRow {
  readonly node: string
  readonly datacenter: string
  readonly cluster: string
  readonly roles: readonly string[]
  readonly state: string
  readonly version: string
  readonly creation: number
  /** Phones connected. */
  readonly connections: number
  readonly uptimeS: number
}

/** Counters and levels by name. */
export type Figures = Readonly<Record<string, number>>

/**
 * What holds up a drain: `sessions` (phones), `calls`, `unconfirmed` (changes that the partner has not confirmed) and
 * `queue` (frames in peers' queues). Another version may count more, or less.
 */
export type Left = Figures

/** Everything about one node. */
export interface NodeDetail extends NodeRow {
  /** The last trouble worth a look. */
  readonly trouble: string | null
  readonly sample: Sample
  readonly processes: number
  /** Messages that processes' full queues refused. */
  readonly refused: number
  readonly peers: readonly PeerReport[]
  /** Newest first. */
  readonly closedLinks: readonly ClosedLinkReport[]
  /** How many links ended for each reason since the start. */
  readonly closedCounts: Figures
  /** How often ledgers of two ends could not both be right; of all peers, removed ones too. */
  readonly alarms: number
  /** Diversions in force. */
  readonly diversionRules: number
  /** What became of messages that were an operator's diversions' share. */
  readonly diversions: Figures
  readonly router: Figures
  readonly registry: Figures
  /** Members that this node holds of each node, itself included, in all scopes. */
  readonly members: readonly HeldCount[]
  readonly journal: Readonly<Record<string, RingStats>>
  readonly services: Readonly<Record<string, Figures>>
  readonly memory: Figures
  /** What a drain would wait for now. */
  readonly left: Left
}

/** How many members are held of an owner. */
export interface HeldCount {
  readonly owner: string
  readonly members: number
  /** Its link is lost, and its members stay for a while. */
  readonly suspect: boolean
}

/** How many closed links a report carries. */
const CLOSED_LINKS_MAX = 16

export function reportRow(node: ObservedNode): NodeRow {
  const place = node.topology.node(node.name)
  return {
    node: node.name,
    datacenter: place?.datacenter ?? '',
    cluster: place?.cluster ?? '',
    roles: place?.roles ?? [],
    state: node.state,
    version: node.version,
    creation: node.creation,
    connections: node.services?.sessions ?? 0,
    uptimeS: Math.floor((node.ports.clock.nowMs() - node.startedAtMs) / 1_000),
  }
}

export function reportDetail(node: ObservedNode, loop: LoopTotals): NodeDetail {
  const stats = node.runtime.stats()
  const { mailbox, accounts, connections } = node.services ?? {}
  return {
    ...reportRow(node),
    trouble: node.trouble ?? null,
    sample: takeSample(node, loop),
    processes: stats.processes,
    refused: stats.refused,
    peers: [...node.mesh.peers.values()].map(peer => reportPeer(node, peer)),
    closedLinks: node.mesh.closedLinks.slice(-CLOSED_LINKS_MAX).reverse().map(reportClosedLink),
    closedCounts: Object.fromEntries([...node.mesh.closedCounts].filter(([, count]) => count > 0)),
    alarms: node.mesh.alarms,
    diversionRules: node.diversions.list().length,
    diversions: { ...node.diversions.counts },
    router: figuresOf(node.router.counts),
    registry: figuresOf(node.registry.counts),
    members: heldCounts(node),
    journal: node.journal.stats(),
    services: {
      ...(mailbox && { mailbox: figuresOf(mailbox.stats) }),
      ...(accounts && { accounts: figuresOf(accounts.stats) }),
      ...(connections && { connections: figuresOf(connections.stats) }),
    },
    memory: figuresOf(process.memoryUsage()),
    left: reportLeft(node),
  }
}

/** Of configured nodes only, so there are never more than those. */
function heldCounts(node: ObservedNode): HeldCount[] {
  const counts = new Map<string, HeldCount>()
  for (const { node: owner, members, isSuspect, audience } of node.registry.digests()) {
    // What far nodes are told of our own members, the own row of the cluster has, too.
    if (owner === node.name && audience === 'far') continue
    if (node.topology.node(owner) === undefined) continue
    const before = counts.get(owner)
    counts.set(owner, {
      owner,
      members: members + (before?.members ?? 0),
      suspect: isSuspect || (before?.suspect ?? false),
    })
  }
  return [...counts.values()]
}

/** What a drain waits for, counted: bytes in queues as the frames that they are. */
export function reportLeft(node: ObservedNode): Left {
  const { sessions, calls, unconfirmed, queueBytes } = node.whatIsLeft()
  let queue = 0
  for (const peer of node.mesh.peers.values()) queue += peer.queueFrames
  // Bytes without frames are those that a stream has taken and not yet passed on.
  return { sessions, calls, unconfirmed, queue: queue === 0 && queueBytes > 0 ? 1 : queue }
}

/** The numbers in a snapshot; those in an object within it under `outer.inner`, truths as 0 and 1. */
export function figuresOf(stats: object): Figures {
  const figures: Record<string, number> = {}
  for (const [name, value] of Object.entries(stats)) {
    if (typeof value === 'number') figures[name] = value
    else if (typeof value === 'boolean') figures[name] = Number(value)
    else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [inner, number] of Object.entries(figuresOf(value))) figures[`${name}.${inner}`] = number
    }
  }
  return figures
}
