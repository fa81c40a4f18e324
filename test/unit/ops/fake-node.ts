/**
 * Nodes without sockets or processes, for what ops reads of them: each answers the others' admin queries as a real one
 * would, from figures that a test sets.
 */
import { clusterConfig, Topology } from '../../../cluster-config/index.ts'
import { Diversions } from '../../../node/diversion/diversions.ts'
import {
  type Caller,
  diversionProblem,
  Journal,
  later,
  makeLog,
  type NodeState,
  type ProcessTree,
  RoutingError,
  type Server,
  type WhatIsLeft,
} from '../../../node/index.ts'
import { byFate, type LaneCounts } from '../../../ops/fates.ts'
import type {
  ObservedClosedLink,
  ObservedNode,
  ObservedPeer,
  ObservedServices,
} from '../../../ops/observed-node.ts'
import {
  type DigestRow,
  type Explanation,
  type HeldMembers,
  Pid,
  type Target,
} from '../../../routing/index.ts'
import { type Clock, realClock, realTimers } from '../../../transport/index.ts'

/** A meta-cluster of two datacenters: `a1`, `a2` in dc1, `b1` in dc2, and `far`, to which only `b1`'s cluster talks. */
export function fakeTopology(): Topology {
  return new Topology(
    clusterConfig({
      id: 'demo',
      talk: [
        ['main', 'other'],
        ['other', 'remote'],
      ],
      nodes: {
        a1: { mesh: '127.0.0.2:7411' },
        a2: { mesh: '127.0.0.2:7412', roles: ['mailbox'] },
        b1: { mesh: '127.0.0.3:7411', datacenter: 'dc2', cluster: 'other' },
        far: { mesh: '127.0.0.3:7412', datacenter: 'dc2', cluster: 'remote' },
      },
      services: { mailbox: { partitions: 2, published: false, islands: { one: ['a2'] } } },
    }),
  )
}

/** How a node meets a question that another one asks. */
export type Manners = 'answers' | 'silent' | 'old'

export class FakeNode implements ObservedNode {
  readonly name: string
  readonly creation: number
  readonly version = '1.2.3'
  state: NodeState = 'ready'
  trouble: string | undefined
  startedAtMs: number
  readonly topology: Topology
  readonly ports: { readonly clock: Clock } = { clock: realClock }
  readonly mesh: {
    readonly peers: Map<string, FakePeer>
    readonly closedLinks: ObservedClosedLink[]
    readonly closedCounts: Map<string, number>
    alarms: number
    /** Links that were up, by peer. */
    readonly lastLinks: Map<string, ObservedClosedLink>
    lastLinkTo(peer: string): ObservedClosedLink | undefined
  } = {
    peers: new Map(),
    closedLinks: [],
    closedCounts: new Map(),
    alarms: 0,
    lastLinks: new Map(),
    lastLinkTo(peer) {
      return this.lastLinks.get(peer)
    },
  }
  readonly diversions: Diversions
  readonly journal: Journal
  /** What it tells of itself and holds of others. */
  digests: readonly DigestRow[] = []
  /** What it holds, by scope and node. */
  readonly held = new Map<string, HeldMembers>()
  /** What its router says of a target. */
  explain: (target: Target) => Explanation = () => {
    throw new Error('not told what to explain')
  }
  /** Messages on unknown channels, by peer. */
  readonly straysOf: Record<string, number> = {}
  readonly strays = { of: (peer: string) => this.straysOf[peer] ?? 0 }
  /** Own members by scope and group. */
  readonly groups: Record<string, Record<string, readonly Pid[]>> = { main: {} }
  /** Groups that only other nodes are in. */
  readonly othersGroups: string[] = []
  manners: Manners = 'answers'
  left: WhatIsLeft = { sessions: 0, calls: 0, unconfirmed: 0, queueBytes: 0 }
  services: ObservedServices | undefined
  /** What the last drain was asked. */
  drainDeadlineMs: number | undefined
  /** What a drain does. */
  onDrain: () => Promise<void> = async () => {}
  readonly #cluster: FakeCluster
  #admin: Server | undefined

  constructor(cluster: FakeCluster, name: string, creation: number) {
    this.#cluster = cluster
    this.name = name
    this.creation = creation
    this.topology = cluster.topology
    this.journal = new Journal(name, realClock)
    this.diversions = new Diversions({
      node: name,
      problem: rule => diversionProblem(rule, this.topology),
      clock: realClock,
      timers: realTimers,
      log: makeLog(name, 'silent'),
    })
    this.startedAtMs = realClock.nowMs() - 61_000
  }

  readonly registry = {
    counts: { sent: 3, received: 4 },
    whichScopes: () => Object.keys(this.groups),
    scope: (name: string) => ({
      whichGroups: () => [...Object.keys(this.groups[name] ?? {}), ...this.othersGroups],
      localMembers: (group: string) => this.groups[name]?.[group] ?? [],
      members: (group: string) => this.groups[name]?.[group] ?? [],
    }),
    digests: () => this.digests,
    held: (scope: string, node: string) => this.held.get(`${scope} ${node}`),
  }

  readonly router = {
    counts: { ok: 10, noconnect: 1 },
    explain: (target: Target) => this.explain(target),
    call: (target: Pid, message: unknown, { timeoutMs }: { timeoutMs: number }) =>
      this.#cluster.ask(target, structuredClone(message), timeoutMs),
  }

  readonly runtime = {
    stats: () => ({
      processes: 7,
      handled: 1_000,
      refused: 2,
      queueLength: 5,
      queueLengthMax: 4,
      queuesNotEmpty: 2,
    }),
    spawn: (server: Server, _options: object, index: number) => {
      this.#admin = server
      return { self: new Pid(this.name, this.creation, 0, index) }
    },
  }

  processTree(): ProcessTree {
    return { kind: 'supervisor', name: 'node', strategy: 'one-for-one', children: [], more: 0 }
  }

  published(group: string): boolean {
    return !group.startsWith('private')
  }

  whatIsLeft(): WhatIsLeft {
    return this.left
  }

  drain({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.drainDeadlineMs ??= deadlineMs
    this.state = 'draining'
    return this.onDrain()
  }

  /** A call that has come over the mesh. */
  async receive(index: number, message: unknown, timeoutMs: number): Promise<unknown> {
    const query = this.manners === 'old' ? { op: 'of-another-version' } : message
    return new Promise((resolve, reject) => {
      setTimeout(() => reject(new RoutingError('timeout', `call ${this.name}`)), timeoutMs).unref()
      if (this.manners === 'silent') return
      if (index !== 1 || this.#admin === undefined)
        return reject(new RoutingError('noprocess', `call ${this.name}`))
      const caller: Caller = {
        pid: undefined,
        node: 'caller',
        deadlineMs: 0,
        signal: new AbortController().signal,
        reply: resolve,
        fail: detail => reject(new RoutingError('failed', `call ${this.name}`, detail)),
      }
      const answer = this.#admin.handleCall?.(query, caller)
      if (answer !== later) resolve(structuredClone(answer))
    })
  }
}

export interface FakePeer extends ObservedPeer {
  linked: boolean
  creation: number
  queueBytes: number
  queueBytesHighest: number
  /** By lane: control, ordinary, bulk. */
  queueBytesByLane: number[]
  queueFrames: number
  inFlight: number[]
  roundTripMs: number
  alarms: number
  ledger: { control: LaneCounts; ordinary: LaneCounts; bulk: LaneCounts }
}

/** Counters of a lane, those given set. */
export function laneCounts(counts: Partial<LaneCounts> = {}): LaneCounts {
  return byFate(fate => counts[fate] ?? 0)
}

/** A peer that is linked, and to which nothing was ever sent. */
function fakePeer(name: string, creation: number): FakePeer {
  return {
    node: name,
    creation,
    linked: true,
    version: '1.2.3',
    queueBytes: 0,
    queueBytesHighest: 0,
    queueBytesMax: 1_000_000,
    queueBytesByLane: [0, 0, 0],
    queueBytesOf(lane) {
      return this.queueBytesByLane[lane]!
    },
    queueFrames: 0,
    inFlight: [0, 0, 0],
    inFlightFramesOf(lane) {
      return this.inFlight[lane]!
    },
    ledger: { control: laneCounts(), ordinary: laneCounts(), bulk: laneCounts() },
    roundTripMs: Number.NaN,
    alarms: 0,
    linkedSinceMs: realClock.nowMs() - 60_000,
  }
}

export class FakeCluster {
  readonly topology: Topology
  readonly nodes = new Map<string, FakeNode>()

  constructor(topology = fakeTopology()) {
    this.topology = topology
    for (const [at, { name }] of topology.nodes.entries()) {
      this.nodes.set(name, new FakeNode(this, name, 1_000 + at))
    }
    for (const node of this.nodes.values()) {
      for (const { name } of topology.peersOf(node.name)) {
        node.mesh.peers.set(name, fakePeer(name, this.node(name).creation))
      }
    }
  }

  node(name: string): FakeNode {
    const node = this.nodes.get(name)
    if (node === undefined) throw new Error(`no such fake: ${name}`)
    return node
  }

  /** Cuts all links to and from a node, with the reason that the others see. */
  cut(name: string, reason: string): void {
    for (const node of this.nodes.values()) {
      const peer = node.mesh.peers.get(name)
      if (peer === undefined) continue
      peer.linked = false
      peer.creation = 0
      node.mesh.closedLinks.push({
        node: name,
        address: '127.0.0.3:7411',
        reason,
        detail: '',
        at: 0,
        times: 1,
      })
      node.mesh.closedCounts.set(reason, 1)
    }
  }

  ask(target: Pid, message: unknown, timeoutMs: number): Promise<unknown> {
    const node = this.node(target.node)
    if (node.creation !== target.creation) throw new RoutingError('noprocess', `call ${target}`)
    return node.receive(target.index, message, timeoutMs)
  }
}
