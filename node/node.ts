/**
 * A node: one OS process with a name, its links to the others, and the processes that it runs.
 *
 * Life: starting -> catching-up -> ready -> draining -> stopped, or failed when its
 * supervisor gives up. A changed configuration is taken on while it runs.
 * Invariant: nothing is torn down before what depends on it.
 */
import {
  type ClusterConfig,
  type ClusterConfigInput,
  type ConfigSource,
  clusterConfig,
  fixedSource,
  Topology,
  tlsFilesOf,
} from '../cluster-config/index.ts'
import type { Gathered, PartitionTable, Pid, Registry, Router, Target } from '../routing/index.ts'
import {
  type CloseReason,
  type Mesh,
  newCreation,
  type Ports,
  realPorts,
  type Sent,
} from '../transport/index.ts'
import { Certificates } from './certificates.ts'
import { carrierOf, meshOptionsOf, misfitOf, peersOf, tablesOf } from './configured.ts'
import type { Diversions } from './diversion/diversions.ts'
import type { Diverter } from './diversion/diverter.ts'
import { diversionProblem } from './diversion/rule.ts'
import type { Journal } from './journal/journal.ts'
import { type Log, makeLog } from './log.ts'
import { NodeError, type NodeOptions, secretsOf } from './options.ts'
import { Refusals } from './refusals.ts'
import type { ProcessTree } from './runtime/process-tree.ts'
import type { Runtime, SpawnOptions } from './runtime/runtime.ts'
import type { Server } from './runtime/server.ts'
import { Supervisor } from './runtime/supervisor.ts'
import { type RunningServices, startServices } from './services/services.ts'
import type { Strays } from './strays.ts'
import { version as ownVersion } from './version.ts'
import { wire } from './wiring.ts'

/** Where a node is in its life. */
export type NodeState = 'starting' | 'catching-up' | 'ready' | 'draining' | 'stopped' | 'failed'

/** What still holds up a drain; all zero when it is done. */
export interface WhatIsLeft {
  /** Phones still connected. */
  readonly sessions: number
  /** Calls still waiting for an answer. */
  readonly calls: number
  /** Changes that the island's other node has not confirmed. */
  readonly unconfirmed: number
  /** Bytes that still wait in peers' queues. */
  readonly queueBytes: number
}

/** How long `drain` may take unless it is told. */
const DRAIN_DEADLINE_MS = 30_000
/** How long a new node waits for all its peers before it serves without them. */
const LINKS_WAIT_MS = 2_000
/** After so many dials in vain a peer is not there, and not waited for. */
const VAIN_DIALS = 3
/** How often what is awaited is looked at again. */
const LOOK_MS = 25

/**
 * Starts a node and resolves when it is ready: listening, linked as far as its peers are there, and caught up with its
 * islands' other nodes.
 *
 * @throws ConfigError, NodeError or TransportError; what had been started is stopped again
 */
export async function startNode(options: NodeOptions): Promise<Node> {
  const source = isSource(options.config)
    ? options.config
    : fixedSource(clusterConfig(options.config as ClusterConfigInput))
  let node: Node | undefined
  try {
    node = new Node(options, source, await source.start())
    await node.start()
    return node
  } catch (error) {
    await node?.stop()
    await source.stop()
    throw error
  }
}

export class Node implements AsyncDisposable {
  readonly name: string
  readonly creation: number
  readonly version: string
  readonly ports: Ports
  readonly log: Log
  readonly mesh: Mesh
  readonly registry: Registry
  readonly router: Router
  readonly runtime: Runtime
  /** What an operator has teed and diverted of what this node sends. */
  readonly diversions: Diversions
  /** Messages on channels that this version does not know. */
  readonly strays: Strays
  /** What happened to groups and links, for as long as it remembers. */
  readonly journal: Journal
  readonly supervisor: Supervisor
  readonly source: ConfigSource
  /** Monotonic time of the start. */
  readonly startedAtMs: number
  readonly #options: NodeOptions
  readonly #diverter: Diverter
  /** Where nodes link over TLS. */
  readonly #certificates: Certificates | undefined
  readonly #listeners = new Set<(state: NodeState) => void>()
  #topology: Topology
  #tables: ReadonlyMap<string, PartitionTable>
  #state: NodeState = 'starting'
  #services: RunningServices | undefined
  #starting: Promise<void> | undefined
  #draining: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  readonly #refusals = new Refusals()
  /** What ended the node against its will. */
  #failure: NodeError | undefined
  /** Why the node failed, or why a peer refused it; for operators. */
  #trouble: string | undefined

  /** Use {@link startNode}. */
  constructor(options: NodeOptions, source: ConfigSource, config: ClusterConfig) {
    const ports = options.ports ?? realPorts
    this.#options = options
    this.#topology = new Topology(config)
    this.#tables = tablesOf(this.#topology)
    this.name = options.name
    this.ports = ports
    this.source = source
    this.version = options.version ?? ownVersion
    this.creation = newCreation(ports.clock)
    this.startedAtMs = ports.clock.nowMs()
    this.log = makeLog(this.name, options.logLevel ?? 'info')
    if (this.#topology.node(this.name) === undefined) {
      throw new NodeError('unknown-node', `start node: not in the configuration: "${this.name}"`)
    }
    const files = tlsFilesOf(config, this.name)
    this.#certificates = files && new Certificates(files, this.name, ports.timers, this.log)
    const wires = wire(
      {
        identity: { clusterId: config.id, node: this.name, creation: this.creation, version: this.version },
        ports,
        carrier: this.#certificates?.carrier ?? carrierOf(config, options.ports?.carrier),
        log: this.log,
        journal: options.journal,
        place: node => this.#topology.place(node),
        published: group => this.published(group),
        tables: () => this.#tables,
        linked: peer => this.#linkedTo(peer.node),
        refused: (node, reason, detail) => this.#refusedBy(node, reason, detail),
        diversionProblem: rule => diversionProblem(rule, this.#topology),
      },
      {
        ...meshOptionsOf(config),
        listen: this.#topology.addressOf(this.name, 'mesh')!,
        secrets: secretsOf(options, config),
      },
    )
    this.mesh = wires.mesh
    this.registry = wires.registry
    this.router = wires.router
    this.runtime = wires.runtime
    this.diversions = wires.diversions
    this.strays = wires.strays
    this.journal = wires.journal
    this.#diverter = wires.diverter
    this.supervisor = new Supervisor(this.runtime, {
      restartsMax: 5,
      periodMs: 10_000,
      onFailing: (name, reason) => {
        this.#trouble = `${name} keeps failing: ${reason}`
        this.log.error({ process: name, reason }, 'process keeps failing')
      },
    })
    // From here on, so that what comes while we start is not missed.
    source.onChange(config => this.#reconfigure(config))
    source.onProblem(problem => this.log.warn({ problem }, 'configuration source'))
  }

  get state(): NodeState {
    return this.#state
  }
  get topology(): Topology {
    return this.#topology
  }
  /** The services of the product that this node runs, by its roles and islands. */
  get services(): RunningServices | undefined {
    return this.#services
  }
  /** The last trouble worth an operator's look, `undefined` when there was none. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Calls `listener` with each new state. Returns how to stop. */
  onState(listener: (state: NodeState) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Part of {@link startNode}. */
  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  /**
   * Starts a process; it lives until it ends by itself, fails, or the node stops.
   * @returns its address, at once
   */
  spawn(server: Server, options: SpawnOptions = {}): Pid {
    return this.runtime.spawn(server, options).self
  }

  /** Who supervises what on this node, as it is now; processes that nobody supervises, such as connections, are not in it. */
  processTree(): ProcessTree {
    return this.supervisor.tree('node')
  }

  /** Sends, and says at once what became of it so far: `Sent.ok`, `nosuspend`, `noconnect` or `tooBig`. */
  cast(target: Target, message: unknown): Sent {
    return this.#diverter.cast(target, message)
  }

  /**
   * Sends, and waits for the answer.
   * @throws RoutingError with `code` timeout, noconnect, nosuspend, no-member, noprocess, overload, failed or tooBig
   */
  call(
    target: Target,
    message: unknown,
    options?: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<unknown> {
    return this.#diverter.call(target, message, options)
  }

  /**
   * Asks every member of a group, or whomever each of the targets leads to, and resolves with the answers that have come
   * after `timeoutMs` at the latest, and with who is missing and why.
   * @throws RoutingError `failed` for a message that cannot be encoded
   */
  gather(
    whom: string | readonly Target[],
    message: unknown,
    options?: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<Gathered> {
    return this.router.gather(whom, message, options)
  }

  /** Sends to every member of a group; returns how many were addressed. */
  castAll(group: string, message: unknown): number {
    return this.router.castAll(group, message)
  }

  /** The members of a group as seen from here, nearest first. A ready-made list: do not change it. */
  members(group: string): readonly Pid[] {
    return this.registry.members(group)
  }

  /**
   * Resolves when some member of the group is known here.
   * @throws NodeError `no-member` when none has come after `timeoutMs`
   */
  async awaitMember(group: string, { timeoutMs = 5_000 } = {}): Promise<void> {
    if (!(await this.#until(() => this.members(group).length > 0, timeoutMs))) {
      throw new NodeError('no-member', `await member: none of group "${group}" after ${timeoutMs} ms`)
    }
  }

  /** Whether clusters that this one talks with see the members of a group. */
  published(group: string): boolean {
    const service = this.#topology.services.find(name => group.startsWith(`${name}/`))
    if (service !== undefined) return this.#topology.service(service)!.published
    return this.#options.published?.(group) ?? true
  }

  /**
   * Reads the certificates again; the node also does so by itself when the files change.
   * @returns false when they cannot be used; the log says why, and those before stay in use
   */
  reloadCertificates(): boolean {
    return this.#certificates?.reload() ?? true
  }

  /** What a drain still waits for. */
  whatIsLeft(): WhatIsLeft {
    let queueBytes = 0
    for (const peer of this.mesh.peers.values()) queueBytes += peer.queueBytes
    return {
      sessions: this.#services?.sessions ?? 0,
      calls: this.router.pendingCalls,
      unconfirmed: this.#services?.unconfirmed ?? 0,
      queueBytes,
    }
  }

  /**
   * Takes the node out of service without loss, then stops it: leaves the groups, hands over, tells phones to go
   * elsewhere, finishes what is under way. What is not done after `deadlineMs` is cut off. Again is no error.
   *
   * @throws StoreError when what is kept here alone could not be written; the node stays, and can be drained again
   */
  drain({ deadlineMs = DRAIN_DEADLINE_MS } = {}): Promise<void> {
    this.#draining ??= this.#drain(deadlineMs)
    return this.#draining
  }

  /** Stops at once: what is queued is said goodbye to, stores are closed. Again is no error. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Stops short, and leaves the rest to `#stop`, as soon as that was asked for. */
  async #start(): Promise<void> {
    await this.mesh.start()
    await this.#certificates?.watch()
    this.mesh.configure(peersOf(this.#topology, this.name))
    if (this.#stopping === undefined) {
      this.#services = await startServices(this, this.#options.dataDirectory)
      if (this.#state === 'starting') this.#become('catching-up')
      await this.#until(() => this.#isLinked(), LINKS_WAIT_MS)
      await this.#until(() => this.#services!.caughtUp)
    }
    if (this.#failure) throw this.#failure
    if (this.#stopping || this.#state !== 'catching-up') return
    await this.#services!.open()
    if (!this.#stopping && this.#state === 'catching-up') this.#become('ready')
  }

  async #drain(deadlineMs: number): Promise<void> {
    // What is not ready yet serves nobody, and has nothing to hand over.
    if (this.#stopping || this.#state === 'starting' || this.#state === 'catching-up') return this.stop()
    const endMs = this.ports.clock.nowMs() + deadlineMs
    this.#become('draining')
    let failure: unknown
    let isHandedOver = this.#services === undefined
    const done = () => {
      isHandedOver = true
    }
    this.#services?.drain(deadlineMs).then(done, error => {
      failure = error
      done()
    })
    const isDone = () => isHandedOver && Object.values(this.whatIsLeft()).every(count => count === 0)
    await this.#until(() => failure !== undefined || isDone(), endMs - this.ports.clock.nowMs())
    if (failure !== undefined) {
      // What is kept in memory alone would be lost with us: stay, and let the operator see to the disk.
      this.#trouble = `drain: ${failure instanceof Error ? failure.message : failure}`
      this.#draining = undefined
      throw failure
    }
    await this.stop()
  }

  async #stop(): Promise<void> {
    // A start under way ends soon, now that we stop; what it has opened is ours to close. Why it failed it says itself.
    await this.#starting?.catch(() => {})
    await this.#services?.stop()
    await this.supervisor.stop('stop')
    this.diversions.stop()
    await this.runtime.stop('stop')
    await this.#services?.close()
    this.router.stop()
    this.registry.stop()
    await this.mesh.stop()
    this.#certificates?.stop()
    await this.source.stop()
    if (this.#state !== 'failed') this.#become('stopped')
  }

  #fail(failure: NodeError): void {
    this.#failure = failure
    this.#trouble = failure.message
    this.log.fatal({ reason: failure.message }, 'node failed')
    this.#become('failed')
    void this.stop()
  }

  #linkedTo(node: string): void {
    const over = this.#refusals.over(node)
    if (this.#trouble !== undefined && over.includes(this.#trouble)) this.#trouble = undefined
  }

  /** A peer turned our dial away. That our name is taken is proven; while we start, that means us. */
  #refusedBy(node: string, reason: CloseReason, detail: string): void {
    const refusal = this.#refusals.heard(node, reason, detail)
    if (refusal.isNew) this.log.warn({ peer: node, reason, detail }, 'refused by peer')
    this.#trouble = refusal.text
    if (reason === 'duplicate-name' && (this.#state === 'starting' || this.#state === 'catching-up')) {
      this.#fail(new NodeError('duplicate-name', `start node: name is taken: ${detail}, says ${node}`))
    }
  }

  #become(state: NodeState): void {
    if (this.#state === state) return
    this.#state = state
    this.log.info({ state }, 'node state')
    for (const listener of this.#listeners) listener(state)
  }

  #reconfigure(config: ClusterConfig): void {
    const later = new Topology(config)
    const misfit = misfitOf(this.#topology, later, this.name)
    if (misfit !== undefined) {
      this.#trouble = `configuration not taken on: ${misfit}`
      this.log.error({ misfit }, 'configuration not taken on')
      return
    }
    const difference = this.#topology.diff(later)
    this.#topology = later
    this.#tables = tablesOf(later)
    this.registry.reconfigured()
    this.mesh.configure(peersOf(later, this.name))
    this.#services?.connections?.recheckOwners()
    this.log.info(difference, 'configuration changed')
    if (difference.services.length > 0 || difference.changed.includes(this.name)) {
      this.log.warn('own services or addresses changed: in force after a restart of this node')
    }
  }

  /** Whether every peer is linked, or evidently not there. */
  #isLinked(): boolean {
    for (const peer of this.mesh.peers.values()) if (!peer.linked && peer.vainDials < VAIN_DIALS) return false
    return true
  }

  /** Looks again and again until `done`; false when `timeoutMs` passed before. */
  async #until(done: () => boolean, timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    const endMs = this.ports.clock.nowMs() + timeoutMs
    while (!done()) {
      if (this.ports.clock.nowMs() >= endMs || this.#stopping) return false
      await new Promise<void>(resolve => void this.ports.timers.after(LOOK_MS, resolve))
    }
    return true
  }
}

function isSource(config: ClusterConfigInput | ConfigSource): config is ConfigSource {
  return 'start' in config && typeof config.start === 'function'
}
