/**
 * A sample: the few totals of a node from which its status row is made. Small, so that a thousand nodes can be asked
 * for theirs every second; it travels between nodes, so fields are only added.
 *
 * Invariant: counters only grow between two samples of the same node and creation.
 */
import { type LaneCounts, losses, refusals, sumOf } from './fates.ts'
import type { LoopTotals } from './loop-watch.ts'
import { lanes, type ObservedNode, type ObservedPeer } from './observed-node.ts'

/** All links of one kind, summed: those inside the own cluster, or those to other clusters. */
export interface LinkTotals {
  /** Linked now. */
  readonly nodes: number
  /** Frames since the start. */
  readonly received: number
  readonly written: number
  readonly queueBytes: number
}

/** See the file's head. */
export interface Sample {
  readonly node: string
  readonly creation: number
  /** When it was taken, milliseconds since 1970; for people. */
  readonly wallMs: number
  /** The same on the node's monotonic clock; what rates are reckoned with. */
  readonly uptimeMs: number
  /** Messages that wait in processes' queues: all, in the longest, and how many queues are not empty. */
  readonly queueLength: number
  readonly queueLengthMax: number
  readonly queuesNotEmpty: number
  /** Messages handled by processes. */
  readonly handled: number
  readonly own: LinkTotals
  readonly wan: LinkTotals
  /** Frames refused or lost, to all peers. */
  readonly dropped: number
  readonly loop: LoopTotals
  readonly residentBytes: number
  /** Phones connected. */
  readonly connections: number
}

/** Takes a sample of `node`. */
export function takeSample(node: ObservedNode, loop: LoopTotals): Sample {
  const { clock } = node.ports
  const stats = node.runtime.stats()
  const cluster = node.topology.place(node.name)?.cluster
  const own: ObservedPeer[] = []
  const wan: ObservedPeer[] = []
  for (const peer of node.mesh.peers.values()) {
    const near = node.topology.place(peer.node)?.cluster === cluster
    ;(near ? own : wan).push(peer)
  }
  return {
    node: node.name,
    creation: node.creation,
    wallMs: Math.round(clock.wallMs()),
    uptimeMs: clock.nowMs() - node.startedAtMs,
    queueLength: stats.queueLength,
    queueLengthMax: stats.queueLengthMax,
    queuesNotEmpty: stats.queuesNotEmpty,
    handled: stats.handled,
    own: totalsOf(own),
    wan: totalsOf(wan),
    dropped: sum([...own, ...wan], droppedBy),
    loop,
    residentBytes: process.memoryUsage.rss(),
    connections: node.services?.sessions ?? 0,
  }
}

function totalsOf(peers: readonly ObservedPeer[]): LinkTotals {
  return {
    nodes: peers.filter(peer => peer.linked).length,
    received: sum(peers, peer => overLanes(peer, lane => lane.received)),
    written: sum(peers, peer => overLanes(peer, lane => lane.written)),
    queueBytes: sum(peers, peer => peer.queueBytes),
  }
}

function droppedBy(peer: ObservedPeer): number {
  return overLanes(peer, lane => sumOf(lane, refusals) + sumOf(lane, losses))
}

function overLanes(peer: ObservedPeer, count: (lane: LaneCounts) => number): number {
  return sum(lanes, lane => count(peer.ledger[lane]))
}

function sum<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((total, item) => total + count(item), 0)
}
