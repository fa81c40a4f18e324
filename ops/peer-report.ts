/**
 * What a node says about its peers: the line of `wand peer list`, and all of `wand peer show`. Plain values: they travel
 * between nodes and out as JSON, so fields are only added.
 *
 * The node that keeps a ledger checks it: what is in flight is counted in queues and links, and `gap` is what is then left.
 */
import type { PeerDiversions } from '../node/index.ts'
import { Lane } from '../transport/index.ts'
import { byFate, gapOf, type LaneCounts, overLanes } from './fates.ts'
import {
  type LaneName,
  lanes,
  type ObservedClosedLink,
  type ObservedNode,
  type ObservedPeer,
} from './observed-node.ts'

/** A number for each lane. */
export type ByLane = Readonly<Record<LaneName, number>>

/** A peer, its queue, and the fates of what was sent to it. */
export interface PeerReport {
  readonly node: string
  readonly datacenter: string
  readonly cluster: string
  readonly linked: boolean
  readonly version: string
  readonly creation: number
  readonly linkedForS: number | null
  /** While not linked: why the last link ended, or never came to be, and how long ago. */
  readonly closedReason: string | null
  readonly closedAgoS: number | null
  readonly roundTripMs: number | null
  /** All lanes, and what the stream still holds. */
  readonly queueBytes: number
  readonly queueBytesHighest: number
  readonly queueBytesMax: number
  readonly queueBytesByLane: ByLane
  readonly queueFrames: number
  readonly ledger: Readonly<Record<LaneName, LaneCounts>>
  /** Frames accepted whose fate is open. */
  readonly inFlight: ByLane
  /** Frames that the ledger has lost sight of; 0, or else an alarm. */
  readonly gap: ByLane
  /** How often the ledgers of the two ends could not both be right. */
  readonly alarms: number
  /** Messages that came from the peer on channels that the node does not know. */
  readonly strays: number
  /** Messages that an operator had teed or diverted to the peer, or from it. */
  readonly diversions: Readonly<PeerDiversions>
}

/** One line of `wand peer list`: a peer of a node, over all lanes. */
export interface PeerRow {
  readonly node: string
  readonly peer: string
  readonly datacenter: string
  readonly cluster: string
  readonly linked: boolean
  readonly linkedForS: number | null
  readonly closedReason: string | null
  readonly closedAgoS: number | null
  readonly roundTripMs: number | null
  readonly queueBytes: number
  readonly queueBytesHighest: number
  readonly queueBytesMax: number
  readonly fates: LaneCounts
  readonly inFlight: number
  /** Gaps of all lanes, whatever their signs. */
  readonly gap: number
  readonly alarms: number
}

/** A link that ended, and why. */
export interface ClosedLinkReport {
  /** '' if it never said. */
  readonly node: string
  readonly address: string
  readonly reason: string
  readonly detail: string
  /** Milliseconds since 1970; of the last time. */
  readonly atMs: number
  /** How often in a row. */
  readonly times: number
}

/** Everything that `node` knows about one peer. */
export interface PeerDetail {
  readonly node: string
  readonly peer: PeerReport
  /** Newest first. */
  readonly closedLinks: readonly ClosedLinkReport[]
}

export function reportPeer(node: ObservedNode, peer: ObservedPeer): PeerReport {
  const { clock } = node.ports
  const place = node.topology.place(peer.node)
  const closed = peer.linked ? undefined : lastClosed(node, peer.node)
  return {
    node: peer.node,
    datacenter: place?.datacenter ?? '',
    cluster: place?.cluster ?? '',
    linked: peer.linked,
    version: peer.version,
    creation: peer.creation,
    linkedForS: peer.linked ? seconds(clock.nowMs() - peer.linkedSinceMs) : null,
    closedReason: closed?.reason ?? null,
    closedAgoS: closed === undefined ? null : seconds(clock.wallMs() - closed.at),
    roundTripMs: Number.isNaN(peer.roundTripMs) ? null : peer.roundTripMs,
    queueBytes: peer.queueBytes,
    queueBytesHighest: peer.queueBytesHighest,
    queueBytesMax: peer.queueBytesMax,
    queueBytesByLane: byLane(lane => peer.queueBytesOf(Lane[lane])),
    queueFrames: peer.queueFrames,
    ledger: byLane(lane => countsOf(peer.ledger[lane])),
    inFlight: byLane(lane => peer.inFlightFramesOf(Lane[lane])),
    gap: byLane(lane => gapOf(peer.ledger[lane], peer.inFlightFramesOf(Lane[lane]))),
    alarms: peer.alarms,
    strays: node.strays.of(peer.node),
    diversions: { ...node.diversions.ofPeer(peer.node) },
  }
}

export function reportPeerRow(node: ObservedNode, peer: ObservedPeer): PeerRow {
  const report = reportPeer(node, peer)
  return {
    node: node.name,
    peer: report.node,
    datacenter: report.datacenter,
    cluster: report.cluster,
    linked: report.linked,
    linkedForS: report.linkedForS,
    closedReason: report.closedReason,
    closedAgoS: report.closedAgoS,
    roundTripMs: report.roundTripMs,
    queueBytes: report.queueBytes,
    queueBytesHighest: report.queueBytesHighest,
    queueBytesMax: report.queueBytesMax,
    fates: overLanes(report.ledger),
    inFlight: lanes.reduce((sum, lane) => sum + report.inFlight[lane], 0),
    gap: lanes.reduce((sum, lane) => sum + Math.abs(report.gap[lane]), 0),
    alarms: report.alarms,
  }
}

export function reportPeerDetail(node: ObservedNode, peer: ObservedPeer): PeerDetail {
  const closedLinks = node.mesh.closedLinks.filter(link => link.node === peer.node)
  return {
    node: node.name,
    peer: reportPeer(node, peer),
    closedLinks: closedLinks.reverse().map(reportClosedLink),
  }
}

export function reportClosedLink(link: ObservedClosedLink): ClosedLinkReport {
  const { node, address, reason, detail, at, times } = link
  return { node, address, reason, detail, atMs: at, times }
}

/** Dials that came to nothing; they say nothing of the link before them. */
const vainDials: readonly string[] = ['refused', 'duplicate-link']

/**
 * The last link to `peer` that ended, whatever was dialled in vain since; without one, the last such dial. Others' closed links may have washed
 * it out of those that the node remembers, but not the last one that was up.
 */
export function lastClosed(node: ObservedNode, peer: string): ObservedClosedLink | undefined {
  const closed = node.mesh.closedLinks.filter(link => link.node === peer)
  return (
    closed.findLast(({ reason }) => !vainDials.includes(reason)) ??
    node.mesh.lastLinkTo(peer) ??
    closed.at(-1)
  )
}

/** A ledger as a plain value, which is what can travel. */
function countsOf(ledger: LaneCounts): LaneCounts {
  return byFate(fate => ledger[fate])
}

function byLane<T>(value: (lane: LaneName) => T): Record<LaneName, T> {
  return { control: value('control'), ordinary: value('ordinary'), bulk: value('bulk') }
}

/** Whole seconds; a wall clock that was set back makes none. */
function seconds(durationMs: number): number {
  return Math.max(0, Math.floor(durationMs / 1_000))
}
