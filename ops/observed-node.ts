/**
 * What ops sees of a node, and nothing else: a node fits, and so does a small fake in a test.
 *
 * ops reads, with exceptions that people ask for: it starts a drain, puts diversions in force and ends them, and it runs its own
 * process on the node.
 */

import type { Topology } from '../cluster-config/index.ts'
import type {
  DiversionReport,
  DiversionRule,
  Journal,
  NodeState,
  PeerDiversions,
  ProcessTree,
  RuntimeStats,
  Server,
  SpawnOptions,
  WhatIsLeft,
} from '../node/index.ts'
import type { DigestRow, Explanation, HeldMembers, Pid, Target } from '../routing/index.ts'
import type { Clock, Lane } from '../transport/index.ts'
import type { LaneCounts } from './fates.ts'

/** The lanes, in their order. */
export const lanes = ['control', 'ordinary', 'bulk'] as const
export type LaneName = (typeof lanes)[number]

/** Another node as seen from this one. */
export interface ObservedPeer {
  readonly node: string
  readonly creation: number
  readonly linked: boolean
  readonly version: string
  readonly queueBytes: number
  /** The most that it ever was, and what it never exceeds. */
  readonly queueBytesHighest: number
  readonly queueBytesMax: number
  /** Without what the stream holds. */
  queueBytesOf(lane: Lane): number
  readonly queueFrames: number
  /** Frames accepted whose fate is open. */
  inFlightFramesOf(lane: Lane): number
  readonly ledger: Readonly<Record<LaneName, LaneCounts>>
  /** How often the ledgers of the two ends could not both be right. */
  readonly alarms: number
  /** NaN until measured. */
  readonly roundTripMs: number
  /** Monotonic time of the link's beginning; 0 while not linked. */
  readonly linkedSinceMs: number
}

/** A link that ended. */
export interface ObservedClosedLink {
  /** '' if it never said. */
  readonly node: string
  readonly address: string
  readonly reason: string
  readonly detail: string
  /** Milliseconds since 1970; of the last time. */
  readonly at: number
  /** How often in a row. */
  readonly times: number
}

/** The parts of a node that ops touches. */
export interface ObservedNode {
  readonly name: string
  readonly creation: number
  readonly version: string
  readonly state: NodeState
  readonly trouble: string | undefined
  /** Monotonic time of the start. */
  readonly startedAtMs: number
  readonly topology: Topology
  readonly ports: { readonly clock: Clock }
  readonly mesh: {
    readonly peers: ReadonlyMap<string, ObservedPeer>
    /** Oldest first. */
    readonly closedLinks: readonly ObservedClosedLink[]
    /** The last link to a peer that was up and has ended, however long ago. */
    lastLinkTo(peer: string): ObservedClosedLink | undefined
    readonly closedCounts: ReadonlyMap<string, number>
    /** Those of all peers, removed ones too. */
    readonly alarms: number
  }
  readonly registry: {
    whichScopes(): readonly string[]
    scope(name: string): ObservedScope
    /** What it tells of itself and holds of others. */
    digests(): readonly DigestRow[]
    /** What it holds of a node, itself or another. */
    held(scope: string, node: string): HeldMembers | undefined
    readonly counts: Readonly<Record<string, number>>
  }
  readonly router: {
    call(target: Pid, message: unknown, options: { timeoutMs: number }): Promise<unknown>
    explain(target: Target): Explanation
    readonly counts: Readonly<Record<string, number>>
  }
  readonly runtime: {
    stats(): RuntimeStats
    spawn(server: Server, options: SpawnOptions, index: number): { readonly self: Pid }
  }
  /** Who supervises what. */
  processTree(): ProcessTree
  readonly diversions: ObservedDiversions
  /** What happened to groups and links. */
  readonly journal: Journal
  /** Messages that came on channels that the node does not know. */
  readonly strays: { of(peer: string): number }
  readonly services: ObservedServices | undefined
  /** Whether nodes of other clusters see the members of a group. */
  published?(group: string): boolean
  whatIsLeft(): WhatIsLeft
  drain(options: { deadlineMs: number }): Promise<void>
}

/** What an operator has teed and diverted of what the node sends. */
export interface ObservedDiversions {
  /** @throws NodeError `bad-diversion` */
  add(rule: DiversionRule): DiversionReport
  remove(id: string): boolean
  list(): readonly DiversionReport[]
  readonly counts: Readonly<Record<'teed' | 'diverted' | 'noTarget' | 'refused', number>>
  ofPeer(peer: string): Readonly<PeerDiversions>
}

/** The groups of one scope. */
export interface ObservedScope {
  whichGroups(): readonly string[]
  localMembers(group: string): readonly Pid[]
  members(group: string): readonly Pid[]
}

/** A node's services; each has a snapshot of numbers, some of them grouped. */
export interface ObservedServices {
  readonly mailbox: { readonly stats: object } | undefined
  readonly accounts: { readonly stats: object } | undefined
  readonly connections: { readonly stats: object } | undefined
  readonly sessions: number
}
