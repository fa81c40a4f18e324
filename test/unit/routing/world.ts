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
  Router,
  type RoutingOptions,
  routingDefaults,
} from '../../../routing/index.ts'
import { type Clock, type Lane, type Random, Sent, type Timers } from '../../../transport/index.ts'

/** A frame between two nodes. */
export interface Carried {
  readonly from: string
  readonly to: string
  readonly channel: number
  readonly lane: Lane
  readonly body: Uint8Array
}

interface Timer {
  readonly atMs: number
  readonly run: () => void
}

/** Time that only moves when told. */
export class VirtualTime implements Clock, Timers {
  #nowMs = 0
  #timers: Timer[] = []
  #soon: (() => void)[] = []
  /** Timers ever set. */
  timersSet = 0

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): Timer {
    // As Node's timers: beyond this they would fire at once.
    if (!(delayMs >= 0 && delayMs < 2 ** 31)) throw new RangeError(`after: ${delayMs} ms`)
    const timer = { atMs: this.#nowMs + delayMs, run }
    this.#timers.push(timer)
    this.timersSet += 1
    return timer
  }

  cancel(handle: unknown): void {
    this.#timers = this.#timers.filter(timer => timer !== handle)
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  get pendingTimers(): number {
    return this.#timers.length
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

  constructor(world: World, from: Node, to: Node) {
    this.node = to.name
    this.creation = to.creation
    this.#world = world
    this.#from = from
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
  /** What its processes got, by index. */
  readonly envelopes: { readonly index: number; readonly worker: number; readonly envelope: Envelope }[] = []
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
      place: node => world.places.get(node),
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
      services: () => world.services,
    })
  }

  pid(index: number, worker = 0): Pid {
    return new Pid(this.name, this.creation, worker, index)
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
  /** Answers for a send; `ok` carries it. */
  admit: (frame: Carried) => Sent = () => Sent.ok
  readonly #configured: Record<string, Place>
  #underWay: Carried[] = []
  #lastCreation = 0

  constructor(options: WorldOptions = {}) {
    this.limits = options.limits ?? routingDefaults
    this.published = options.published ?? (() => false)
    this.#configured = options.places ?? {}
  }

  /** Starts a node; again under a live one's name, its next start takes over (without a link). */
  start(name: string): Node {
    const before = this.nodes.get(name)
    if (before) {
      for (const peer of [...before.links.keys()]) this.cut(name, peer)
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
  serve(service: string, partitions: number, islands: Record<string, string[]>): PartitionTable {
    const table = buildPartitionTable(service, { partitions, islands })
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

  /** Cuts a link; what is under way on it is lost. */
  cut(one: string, other: string): void {
    this.#underWay = this.#underWay.filter(
      ({ from, to }) => !((from === one && to === other) || (from === other && to === one)),
    )
    for (const [from, to] of this.#pair(one, other)) {
      const link = from.links.get(to.name)
      if (!link) continue
      from.links.delete(to.name)
      from.registry.peerDown(link)
      from.router.peerDown(link)
    }
  }

  linkAll(): void {
    const names = [...this.nodes.keys()]
    for (const [index, one] of names.entries()) {
      for (const other of names.slice(index + 1)) this.link(one, other)
    }
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
    const link = node.links.get(from)!
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
    while (this.time.runNext(untilMs)) this.settle()
  }

  /** Frames of the registry carried so far, as texts like `a>b join`. */
  get registryFrames(): string[] {
    const names = ['', 'discover', 'sync', 'join', 'leave']
    return this.carried
      .filter(({ channel }) => channel === Channel.registry)
      .map(({ from, to, body }) => `${from}>${to} ${names[body[0]!]}`)
  }

  #carry(): boolean {
    const frames = this.#underWay
    this.#underWay = []
    for (const { from, to, channel, body } of frames) {
      if (!this.nodes.get(to)?.links.has(from)) continue
      // Only valid during the call.
      const bytes = Buffer.from(body)
      this.forge(from, to, channel, bytes)
      bytes.fill(0xee)
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

/** Pids as sorted texts, for comparison. */
export function texts(pids: readonly Pid[]): string[] {
  return pids.map(String).sort()
}

/** All groups of a node's view with their sorted members. */
export function viewOf(node: Node): Record<string, string[]> {
  const groups = node.registry.whichGroups().sort()
  return Object.fromEntries(groups.map(group => [group, texts(node.registry.members(group))]))
}
