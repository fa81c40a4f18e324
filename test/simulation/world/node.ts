/**
 * One start of one node: the product's own rooms, wired as a node wires them, on a machine of the world.
 *
 * Beside them stands what is true of it: which processes live and which groups they are in, noted as they are told to join,
 * not as the registry says. Invariant: nothing here changes what the product does, unless a bug is planted.
 */
import type { Log } from '../../../node/log.ts'
import type { Process } from '../../../node/runtime/process.ts'
import { type Wires, wire } from '../../../node/wiring.ts'
import { Channel, Pid } from '../../../routing/index.ts'
import { type MeshOptions, newCreation, type Peer, TEST } from '../../../transport/index.ts'
import { Network } from '../network/network.ts'
import type { Plant } from '../plants/plant.ts'
import { clusterOf, isPublished, type Limits, service } from '../script.ts'
import { Machine } from './machine.ts'
import { Worker } from './worker.ts'
import type { World } from './world.ts'

export class SimNode {
  readonly name: string
  readonly machine: Machine
  readonly creation: number
  readonly wires: Wires
  /** What its limits should be, whatever bug is planted. */
  readonly options: MeshOptions
  readonly limits: Limits
  /** Its processes by slot; one that ended leaves its slot empty. */
  readonly processes: (Process | undefined)[] = []
  /** What is true: by group, how often each process, by index, is in it. */
  readonly truth = new Map<string, Map<number, number>>()
  /** In the world's time. */
  readonly startedAtMs: number
  /** How often its processes joined or left, each time counted. */
  changes = 0
  /** Who has ever left a group, as `group index`. */
  readonly everLeft = new Set<string>()
  /** It is stopping in order: it takes part in nothing any more. */
  isStopping = false
  /** Processes of partitions. */
  readonly #keepers = new Map<number, Process>()
  #crowdIndex = crowdIndexFirst
  readonly #world: World

  constructor(world: World, name: string, start: number, plant: Plant | undefined) {
    this.#world = world
    this.name = name
    this.startedAtMs = world.nowMs
    const { script, network } = world
    this.machine = new Machine(name, start, script.seed, world.loop, () => world.wallOffsetMs(name))
    const { clock, timers, random } = this.machine
    this.creation = newCreation(clock)
    const carrier = network.carrier(this.machine)
    const plain = { clock, timers, random, carrier }
    const ports = plant?.ports?.(plain, this) ?? plain
    const listen = Network.address(name)
    const options = {
      ...(world.preset ?? tinyOptions(script.limits)),
      listen,
      secrets: ['of the simulation'],
    }
    this.options = options
    this.limits = script.limits
    this.wires = wire(
      {
        identity: { clusterId: 'simulated', node: name, creation: this.creation, version: '1.0.0' },
        ports,
        carrier: ports.carrier,
        log: logOf(world, name),
        place: node => ({ cluster: clusterOf(script, node), datacenter: 'one' }),
        published: isPublished,
        tables: () => world.tables,
        linked: () => {},
        refused: () => {},
      },
      plant?.options?.(options, this) ?? options,
    )
    plant?.wires?.(this.wires, this, world)
    this.#observe()
  }

  /** Listens, links, and starts its processes. */
  async begin(): Promise<void> {
    const { script } = this.#world
    await this.wires.mesh.start()
    if (this.isGone) return
    this.configure()
    for (let slot = 0; slot < script.processesPerNode; slot++) this.spawn(slot)
    if (script.isServing) for (const partition of this.#ownPartitions) this.keep(partition)
  }

  /** Says whom it may talk to: all nodes of the script but one. */
  configure(without?: string): void {
    const others = this.#world.script.nodes.filter(node => node !== without)
    if (!this.isGone)
      this.wires.mesh.configure(others.map(node => ({ node, address: Network.address(node) })))
  }

  /** Whether it does not live any more, or soon will not. */
  get isGone(): boolean {
    return this.machine.isDead || this.isStopping
  }

  peer(node: string): Peer | undefined {
    return this.wires.mesh.peer(node)
  }

  isLinked(node: string): boolean {
    return this.peer(node)?.linked === true
  }

  /** Starts a process in an empty slot. */
  spawn(slot: number): void {
    if (this.processes[slot] !== undefined) return
    const { queueMessagesMax } = this.#world.script.limits
    const process = this.wires.runtime.spawn(new Worker(this.#world, this), { queueMessagesMax })
    this.processes[slot] = process
  }

  /** Starts the process of one of the node's own partitions, unless it is there. */
  keep(partition: number): void {
    if (this.#keepers.has(partition) || !this.#ownPartitions.includes(partition)) return
    const keeper = this.wires.runtime.spawn(new Worker(this.#world, this))
    this.#keepers.set(partition, keeper)
    this.#join(keeper, `${service}/${partition}`)
  }

  /** Takes a partition's process out of service; it ends a little later. */
  handOver(partition: number, endsMs: number): void {
    const keeper = this.#keepers.get(partition)
    if (keeper === undefined) return
    this.#keepers.delete(partition)
    this.#leave(keeper, `${service}/${partition}`)
    this.machine.timers.after(endsMs, () => keeper.exit('normal'))
  }

  join(slot: number, group: string): void {
    const process = this.processes[slot]
    if (process !== undefined) this.#join(process, group)
  }

  leave(slot: number, group: string): void {
    const process = this.processes[slot]
    if (process !== undefined) this.#leave(process, group)
  }

  /** Makes many members of a group, which stand for processes that nobody sends to; returns what takes them out again. */
  joinCrowd(group: string, count: number): () => void {
    const members = this.truth.get(group) ?? new Map<number, number>()
    this.truth.set(group, members)
    const pids = Array.from({ length: count }, () => new Pid(this.name, this.creation, 0, this.#crowdIndex++))
    this.changes++
    for (const pid of pids) {
      members.set(pid.index, 1)
      this.wires.registry.join(group, pid)
    }
    return () => {
      for (const pid of pids) {
        if (members.delete(pid.index)) this.everLeft.add(`${group} ${pid.index}`)
        this.wires.registry.leave(group, pid)
      }
      this.changes++
    }
  }

  /** Ends the process in a slot. */
  endProcess(slot: number): void {
    const process = this.processes[slot]
    if (process === undefined) return
    this.forgetProcess(process.self.index)
    process.exit('normal')
  }

  /** A process ends, and so leaves all groups. */
  forgetProcess(index: number): void {
    const slot = this.processes.findIndex(process => process?.self.index === index)
    if (slot >= 0) this.processes[slot] = undefined
    for (const [partition, keeper] of this.#keepers)
      if (keeper.self.index === index) this.#keepers.delete(partition)
    for (const [group, members] of this.truth) if (members.delete(index)) this.#noteLeave(group, index)
  }

  /** Stops in order, as a node does. */
  async stop(): Promise<void> {
    const { runtime, router, registry, mesh } = this.wires
    this.isStopping = true
    for (const process of this.processes) if (process !== undefined) this.forgetProcess(process.self.index)
    for (const [group, members] of this.truth)
      for (const index of members.keys()) this.#noteLeave(group, index)
    await runtime.stop('stop')
    router.stop()
    registry.stop()
    await mesh.stop()
  }

  #join(process: Process, group: string): void {
    const members = this.truth.get(group) ?? new Map<number, number>()
    this.truth.set(group, members)
    members.set(process.self.index, (members.get(process.self.index) ?? 0) + 1)
    this.changes++
    process.join(group)
  }

  #leave(process: Process, group: string): void {
    const { index } = process.self
    const members = this.truth.get(group)
    const times = members?.get(index)
    if (times === 1) members!.delete(index)
    else if (times !== undefined) members!.set(index, times - 1)
    if (times !== undefined) this.#noteLeave(group, index)
    process.leave(group)
  }

  get #ownPartitions(): number[] {
    const table = this.#world.tables.get(service)!
    return Array.from({ length: table.partitions }, (_, at) => at).filter(at =>
      table.owners(at).includes(this.name),
    )
  }

  #noteLeave(group: string, index: number): void {
    this.changes++
    this.everLeft.add(`${group} ${index}`)
  }

  /** Tells the world what comes and goes here. */
  #observe(): void {
    const world = this.#world
    const { registry, router } = this.wires
    const peerUp = registry.peerUp.bind(registry)
    registry.peerUp = link => {
      world.hash.add('up', world.nowMs, `${this.name} ${link.node} ${link.creation}`)
      world.tell('up', this, link as Peer)
      peerUp(link)
    }
    const peerDown = registry.peerDown.bind(registry)
    registry.peerDown = (link, end) => {
      // When it stops, the registry says goodbye to its peers itself.
      if (end !== undefined) {
        world.hash.add('down', world.nowMs, `${this.name} ${link.node} ${end.isOrderly}`)
        world.tell('down', this, link as Peer, end.isOrderly)
      }
      peerDown(link, end)
    }
    const receiveRegistry = registry.receive.bind(registry)
    registry.receive = (link, body) => {
      world.tell('received', this, link as Peer, Channel.registry, body)
      receiveRegistry(link, body)
    }
    const receiveMessage = router.receive.bind(router)
    router.receive = (link, body) => {
      world.tell('received', this, link as Peer, Channel.message, body)
      receiveMessage(link, body)
    }
    if (!world.isObserved) return
    registry.monitor(undefined, event => {
      world.hash.add('membership', world.nowMs, `${this.name} ${event.kind} ${event.group} ${event.pids}`)
      world.tell('membership', this, event)
    })
  }
}

/** Far above what processes that really run will have. */
const crowdIndexFirst = 1_000_000

/** Small limits, so that each is met within seconds. */
function tinyOptions(limits: Limits): MeshOptions {
  return {
    ...TEST,
    frameBytesMax: 64 * 1024,
    fragmentBytesMax: 4 * 1024,
    queueBytesMax: limits.queueBytesMax,
    queueBytesTotalMax: 4 * limits.queueBytesMax,
    controlReserveBytes: limits.queueBytesMax / 24,
    writeBytesMax: 16 * 1024,
    heartbeatTimeoutMs: limits.heartbeatTimeoutMs,
    probeTimeoutMs: limits.heartbeatTimeoutMs / 4,
    handshakeTimeoutMs: 1_500,
    handshakesMax: 64,
    dialsMax: 16,
    closeTimeoutMs: 400,
  }
}

/** What processes fail of on purpose. */
export const asAsked = 'as asked'

/** Nothing is written; an error that nobody asked for breaks the run. */
function logOf(world: World, name: string): Log {
  const nothing = () => {}
  const error = ({ err, ...fields }: { err?: Error }, text: string) => {
    // Of alarms the mesh keeps count: see checkers/alarms.ts.
    if (err?.message !== asAsked && text !== 'ledger alarm')
      world.complain(`${name}: ${text}: ${err?.stack ?? JSON.stringify(fields)}`)
  }
  return { info: nothing, warn: nothing, debug: nothing, error, fatal: error } as unknown as Log
}
