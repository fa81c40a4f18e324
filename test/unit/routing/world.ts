/**
 * Several nodes' registries and routers on one virtual clock, wired by links in memory that a test can cut and fill up.
 *
 * Nothing moves by itself: `settle` runs what is due at the end of this turn and carries frames until all is quiet,
 * `advance` lets time pass. Frames arrive as copies, at the earliest one step after they were sent.
 */
import {
  buildPartitionTable,
  Channel,
  type Envelope,
  type Link,
  type PartitionTable,
  Pid,
  type Place,
  Registry,
  type RegistryEvents,
  Router,
  type RoutingOptions,
  routingDefaults,
} from '../../../routing/index.ts'
import { type Clock, Lane, type Random, Sent, type Timers } from '../../../transport/index.ts'

/** A frame between two nodes. */
export interface Carried {
  readonly from: string
  readonly to: string
  readonly channel: number
  readonly lane: Lane
  readonly body: Uint8Array
}

interface Timer {
  atMs: number
  readonly run: () => void
  readonly isRegistrys: boolean
}

/** Time that only moves when told. */
export class VirtualTime implements Clock, Timers {
  #nowMs = 0
  #timers: Timer[] = []
  #soon: (() => void)[] = []
  /** Timers ever set, but for the registries'. */
  timersSet = 0
  /** What registries get: they always have a timer while they have peers. */
  readonly forRegistries: Timers = {
    after: (delayMs, run) => this.#add(delayMs, run, true),
    cancel: handle => this.cancel(handle),
    soon: run => this.soon(run),
  }

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#nowMs
  }

  /** Time passes, and nothing runs: the loop stands still. */
  stall(ms: number): void {
    this.#nowMs += ms
  }

  after(delayMs: number, run: () => void): Timer {
    this.timersSet += 1
    return this.#add(delayMs, run, false)
  }

  #add(delayMs: number, run: () => void, isRegistrys: boolean): Timer {
    // As Node's timers: beyond this they would fire at once.
    if (!(delayMs >= 0 && delayMs < 2 ** 31)) throw new RangeError(`after: ${delayMs} ms`)
    const timer = { atMs: this.#nowMs + delayMs, run, isRegistrys }
    this.#timers.push(timer)
    return timer
  }

  cancel(handle: unknown): void {
    this.#timers = this.#timers.filter(timer => timer !== handle)
  }

  /** Puts off the registries' timers to that time. */
  postponeRegistries(atMs: number): void {
    for (const timer of this.#timers) {
      if (timer.isRegistrys) timer.atMs = Math.max(atMs, timer.atMs)
    }
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  /** Timers that have not fired, but for the registries'. */
  get pendingTimers(): number {
    return this.#timers.filter(({ isRegistrys }) => !isRegistrys).length
  }

  /** Timers of registries that have not fired. */
  get pendingRegistryTimers(): number {
    return this.#timers.length - this.pendingTimers
  }

  /** Ends the turn; false when nothing was waiting for that. */
  endTurn(): boolean {
    const due = this.#soon
    this.#soon = []
    for (const run of due) run()
    return due.length > 0
  }

  /** Runs the earliest timer due by `untilMs`; false when there is none. */
  runNext(untilMs: number): boolean {
    const next = this.#timers
      .filter(timer => timer.atMs <= untilMs)
      .reduce<Timer | undefined>(
        (first, timer) => (first && first.atMs <= timer.atMs ? first : timer),
        undefined,
      )
    this.#nowMs = Math.max(this.#nowMs, next ? next.atMs : untilMs)
    if (!next) return false
    this.cancel(next)
    next.run()
    return true
  }
}

class MemoryLink implements Link {
  readonly node: string
  readonly #world: World
  readonly #from: Node
  readonly creation: number
  /** Only where the world lets peers be cut off. */
  readonly cutOff?: (detail: string) => void

  constructor(world: World, from: Node, to: Node) {
    this.node = to.name
    this.creation = to.creation
    this.#world = world
    this.#from = from
    if (!world.cutsOff) return
    this.cutOff = detail => {
      world.cutOffs.push(`${from.name} cut off ${to.name}: ${detail}`)
      world.lose(from.name, to.name)
    }
  }

  get queueBytes(): number {
    return this.#world.queueBytes.get(`${this.#from.name}>${this.node}`) ?? 0
  }

  queueBytesOf(lane: Lane): number {
    return lane === Lane.control ? this.#world.controlBytesOf(this.#from.name, this.node) : 0
  }

  send(channel: number, lane: Lane, header: Uint8Array, payload: Uint8Array | undefined): Sent {
    if (this.#from.links.get(this.node) !== this) return Sent.noconnect
    return this.#world.post(
      this.#from,
      this.node,
      channel,
      lane,
      Buffer.concat([header, payload ?? Buffer.alloc(0)]),
    )
  }
}

/** One node of a world. */
export class Node {
  readonly name: string
  readonly creation: number
  readonly registry: Registry
  readonly router: Router
  readonly links = new Map<string, Link>()
  /** What its registry told of peers, as texts. */
  readonly events: string[] = []
  /** What its processes got, by index. */
  readonly envelopes: { readonly index: number; readonly worker: number; readonly envelope: Envelope }[] = []
  /** Messages that wait for its processes, by index. */
  readonly queued = new Map<number, number>()
  /** What a process does with an envelope; by default it takes it. */
  accept: (index: number, envelope: Envelope) => boolean = () => true

  constructor(world: World, name: string, creation: number) {
    this.name = name
    this.creation = creation
    const { time, random } = world
    const options = {
      node: name,
      creation,
      ports: { clock: time, timers: time, random },
      limits: world.limits,
    }
    this.registry = new Registry({
      ...options,
      ports: { ...options.ports, timers: time.forRegistries },
      place: node => world.places.get(node),
      events: eventsTo(this.events),
      published: (scope, group) => world.published(scope, group),
    })
    this.router = new Router({
      ...options,
      registry: this.registry,
      linkTo: node => this.links.get(node),
      deliver: (index, worker, envelope) => {
        const isTaken = this.accept(index, envelope)
        if (isTaken) this.envelopes.push({ index, worker, envelope })
        return isTaken
      },
      queueLength: index => this.queued.get(index) ?? 0,
      services: () => world.services,
    })
  }

  pid(index: number, worker = 0): Pid {
    return new Pid(this.name, this.creation, worker, index)
  }

  /** A process leaves its partition's group on purpose. */
  handOver(group: string, pid: Pid): void {
    this.registry.leave(group, pid)
    this.router.handedOver(group, pid)
  }

  /** The messages that its processes got. */
  get messages(): unknown[] {
    return this.envelopes.map(({ envelope }) => envelope.message)
  }
}

export interface WorldOptions {
  readonly limits?: RoutingOptions
  readonly places?: Record<string, Place>
  readonly published?: (scope: string, group: string) => boolean
}

const dayMs = 24 * 3_600_000
const here: Place = { cluster: 'main', datacenter: 'dc1' }

export class World {
  readonly time = new VirtualTime()
  /** What the next random number is. */
  luck = 0.5
  readonly random: Random = { next: () => this.luck, bytes: count => new Uint8Array(count) }
  readonly limits: RoutingOptions
  readonly places = new Map<string, Place>()
  readonly services = new Map<string, PartitionTable>()
  readonly nodes = new Map<string, Node>()
  published: (scope: string, group: string) => boolean
  /** Everything that was ever carried, oldest first. */
  readonly carried: Carried[] = []
  /** Bytes that wait on a node for another, by `from>to`. */
  readonly queueBytes = new Map<string, number>()
  /** Bytes that wait in the control lane of a node for another. */
  controlBytesOf: (from: string, to: string) => number = () => 0
  /** Answers for a send; `ok` carries it. */
  admit: (frame: Carried) => Sent = () => Sent.ok
  /** What comes out of a frame on its way: itself, nothing, or itself twice. */
  carries: (frame: Carried) => readonly Uint8Array[] = ({ body }) => [body]
  /** Links can be cut off for what a peer does; and who was. */
  cutsOff = false
  readonly cutOffs: string[] = []
  readonly #configured: Record<string, Place>
  #underWay: Carried[] = []
  #lastCreation = 0

  constructor(options: WorldOptions = {}) {
    this.limits = options.limits ?? routingDefaults
    this.published = options.published ?? (() => false)
    this.#configured = options.places ?? {}
  }

  /** Starts a node; again under a live one's name, its next start takes over (without a link): after a goodbye, or a crash. */
  start(name: string, isCrash = false): Node {
    const before = this.nodes.get(name)
    if (before) {
      for (const peer of [...before.links.keys()]) this.#end(name, peer, !isCrash)
      before.registry.stop()
      before.router.stop()
    }
    this.places.set(name, this.#configured[name] ?? here)
    this.#lastCreation += 1
    const node = new Node(this, name, this.#lastCreation)
    this.nodes.set(name, node)
    return node
  }

  /** A service with one island, or more. */
  serve(
    service: string,
    partitions: number,
    islands: Record<string, string[]>,
    overrides: Record<string, string> = {},
  ): PartitionTable {
    const table = buildPartitionTable(service, { partitions, islands, overrides })
    this.services.set(service, table)
    return table
  }

  /** Links two nodes. */
  link(one: string, other: string): void {
    for (const [from, to] of this.#pair(one, other)) {
      const link = new MemoryLink(this, from, to)
      from.links.set(to.name, link)
      from.registry.peerUp(link)
    }
  }

  /** Ends a link in order, so that members go at once; what is under way on it is lost. */
  cut(one: string, other: string): void {
    this.#end(one, other, true)
  }

  /** Loses a link without a goodbye, so that members stay for the grace. */
  lose(one: string, other: string): void {
    this.#end(one, other, false)
  }

  #end(one: string, other: string, isOrderly: boolean): void {
    this.#underWay = this.#underWay.filter(
      ({ from, to }) => !((from === one && to === other) || (from === other && to === one)),
    )
    for (const [from, to] of this.#pair(one, other)) {
      const link = from.links.get(to.name)
      if (!link) continue
      from.links.delete(to.name)
      from.registry.peerDown(link, { isOrderly })
      from.router.peerDown(link)
    }
  }

  linkAll(): void {
    const names = [...this.nodes.keys()]
    for (const [index, one] of names.entries()) {
      for (const other of names.slice(index + 1)) this.link(one, other)
    }
  }

  /** Routers tell each other which kinds of messages they take, as a node's do when a link comes up. */
  greet(): void {
    for (const { links, router } of this.nodes.values())
      for (const link of links.values()) router.peerUp(link)
    this.settle()
  }

  post(from: Node, to: string, channel: number, lane: Lane, body: Uint8Array): Sent {
    const frame = { from: from.name, to, channel, lane, body }
    const sent = this.admit(frame)
    if (sent === Sent.ok) {
      this.#underWay.push(frame)
      this.carried.push(frame)
    }
    return sent
  }

  /** Hands a node a frame as if `from` had sent it. */
  forge(from: string, to: string, channel: number, body: Uint8Array): void {
    const node = this.nodes.get(to)!
    const link = node.links.get(from)
    if (!link) return
    if (channel === Channel.registry) node.registry.receive(link, body)
    else node.router.receive(link, body)
  }

  /** Ends turns and carries frames until nothing is left to do at this time. */
  settle(): void {
    for (let round = 0; this.time.endTurn() || this.#carry(); round++) {
      if (round > 10_000) throw new Error('settle: still busy after 10,000 turns')
    }
  }

  /** Lets time pass, with everything that falls due in it. */
  advance(ms: number): void {
    const untilMs = this.time.nowMs() + ms
    this.settle()
    // What registries repeat every few seconds is not worth a leap of days.
    if (ms > dayMs) this.time.postponeRegistries(untilMs)
    while (this.time.runNext(untilMs)) this.settle()
  }

  /** Frames of the registry carried so far, as texts like `a>b change`. */
  get registryFrames(): string[] {
    const names = ['', '', '', '', '', 'discover', 'state', 'sync', 'change']
    return this.carried
      .filter(({ channel }) => channel === Channel.registry)
      .map(({ from, to, body }) => `${from}>${to} ${names[body[0]!]}`)
  }

  #carry(): boolean {
    const frames = this.#underWay
    this.#underWay = []
    for (const frame of frames) {
      for (const body of this.carries(frame)) {
        if (!this.nodes.get(frame.to)?.links.has(frame.from)) continue
        // Only valid during the call.
        const bytes = Buffer.from(body)
        this.forge(frame.from, frame.to, frame.channel, bytes)
        bytes.fill(0xee)
      }
    }
    return frames.length > 0
  }

  #pair(one: string, other: string): [Node, Node][] {
    const [a, b] = [this.nodes.get(one)!, this.nodes.get(other)!]
    return [
      [a, b],
      [b, a],
    ]
  }
}

/** Tells what a registry says of peers as texts like `suspected b: 3 members`. */
function eventsTo(list: string[]): RegistryEvents {
  return {
    linked: ({ node, members }) => list.push(`linked ${node}: ${members} members`),
    suspected: ({ node, members }) => list.push(`suspected ${node}: ${members} members`),
    gone: ({ node, members, why }) => list.push(`gone ${node}: ${members} members, ${why}`),
    differed: ({ node, scope, why }) => list.push(`differed ${node} ${scope}: ${why}`),
    repaired: ({ node, scope, why }) => list.push(`repaired ${node} ${scope}: ${why}`),
    cutOff: ({ node, reason }) => list.push(`cut off ${node}: ${reason}`),
  }
}

/** Pids as sorted texts, for comparison. */
export function texts(pids: readonly Pid[]): string[] {
  return pids.map(String).sort()
}

/** All groups of a node's view with their sorted members. */
export function viewOf(node: Node): Record<string, string[]> {
  const groups = node.registry.whichGroups().sort()
  return Object.fromEntries(groups.map(group => [group, texts(node.registry.members(group))]))
}
