/**
 * A small world for two halves of an island: virtual time, nodes that can be killed, and links between them that delay,
 * cut and lose. Everything that happens follows from the seed.
 *
 * A node here is a real `Runtime` under a routing of its own: groups as each node sees them, casts and calls as CBOR
 * over links that keep order and lose what is under way when they are cut.
 */
import { Decoder, Encoder } from 'cbor-x'
import { pino } from 'pino'
import type { Routing } from '../../../node/runtime/process.ts'
import { Runtime } from '../../../node/runtime/runtime.ts'
import { type Envelope, Pid, type Target } from '../../../routing/index.ts'
import { type Clock, Sent, type TimerHandle, type Timers } from '../../../transport/index.ts'

const encoder = new Encoder({ useRecords: false })
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true })
const silent = pino({ level: 'silent' })

interface Event {
  readonly atMs: number
  readonly order: number
  run: (() => void) | undefined
}

/** Time, chance and the links. */
export class World {
  nowMs = 0
  readonly nodes = new Map<string, WorldNode>()
  readonly #events: Event[] = []
  readonly #links = new Map<string, { up: boolean; generation: number; lastMs: number }>()
  #order = 0
  #random: number
  /** How long a frame is under way between two nodes. */
  delayMs: (source: string, target: string) => number = () => this.random() * 2
  /** Looks on as a message leaves a process, and as one reaches a process. */
  onSend: ((node: WorldNode, message: unknown) => void) | undefined
  onReceive: ((node: WorldNode, message: unknown) => void) | undefined
  /** What share of frames the link between two nodes loses without being cut, in [0, 1). */
  loss: (source: string, target: string) => number = () => 0

  constructor(seed = 1) {
    this.#random = Math.imul(seed, 0x9e3779b1) | 0
  }

  readonly clock: Clock = { nowMs: () => this.nowMs, wallMs: () => 1_700_000_000_000 + this.nowMs }

  /** True when nothing is under way and no timer is set. */
  get isIdle(): boolean {
    return this.#events.every(event => event.run === undefined)
  }

  /** In [0, 1); mulberry32. */
  random(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0
    let t = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!
  }

  at(delayMs: number, run: () => void): Event {
    const event: Event = { atMs: this.nowMs + delayMs, order: this.#order++, run }
    let low = 0
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#events[middle]!
      if (other.atMs < event.atMs || (other.atMs === event.atMs && other.order < event.order))
        low = middle + 1
      else high = middle
    }
    this.#events.splice(low, 0, event)
    return event
  }

  /** Lets `ms` pass. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms
    for (;;) {
      await drained()
      const next = this.#events[0]
      if (!next || next.atMs > endMs) break
      this.nowMs = next.atMs
      while (this.#events[0] && this.#events[0].atMs <= this.nowMs) this.#events.shift()!.run?.()
    }
    this.nowMs = endMs
  }

  /** Lets time pass until `done`; throws after `deadlineMs` of it. */
  async until(done: () => boolean, what = 'condition', deadlineMs = 60_000): Promise<void> {
    const endMs = this.nowMs + deadlineMs
    while (!done()) {
      if (this.nowMs >= endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`)
      await this.pass(5)
    }
  }

  cut(one: string, other: string): void {
    const link = this.#link(one, other)
    if (!link.up) return
    link.up = false
    link.generation += 1
    this.nodes.get(one)?.lost(other)
    this.nodes.get(other)?.lost(one)
  }

  heal(one: string, other: string): void {
    const link = this.#link(one, other)
    const [a, b] = [this.nodes.get(one), this.nodes.get(other)]
    if (link.up || !a || !b) return
    link.up = true
    a.announceTo(other)
    b.announceTo(one)
  }

  isUp(one: string, other: string): boolean {
    return this.#link(one, other).up
  }

  /** Carries a frame, unless it gets lost; false when there is no link. */
  carry(source: string, target: string, receive: (node: WorldNode) => void, mayBeLost = true): boolean {
    if (source === target) {
      const node = this.nodes.get(source)
      this.at(0, () => this.nodes.get(source) === node && node && receive(node))
      return true
    }
    const link = this.#link(source, target)
    if (!link.up) return false
    if (mayBeLost && this.random() < this.loss(source, target)) return true
    const { generation } = link
    link.lastMs = Math.max(link.lastMs, this.nowMs + this.delayMs(source, target))
    this.at(link.lastMs - this.nowMs, () => {
      const node = this.nodes.get(target)
      if (node && link.generation === generation) receive(node)
    })
    return true
  }

  /** One object per pair; the order of both directions together is more than a real link promises, and does no harm. */
  #link(one: string, other: string) {
    const key = [one, other].sort().join('|')
    let link = this.#links.get(key)
    if (!link) {
      link = { up: false, generation: 0, lastMs: 0 }
      this.#links.set(key, link)
    }
    return link
  }
}

/** One start of a node. */
export class WorldNode {
  readonly name: string
  readonly creation: number
  readonly runtime: Runtime
  readonly timers: Timers
  readonly #world: World
  readonly #groups = new Map<string, Pid[]>()
  readonly #remote = new Map<string, Map<string, Pid[]>>()
  readonly #listeners = new Map<string, Set<(members: readonly Pid[]) => void>>()
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  /** Processes that are plain functions: phones' connections. */
  readonly #doors = new Map<number, (message: unknown) => void>()
  #callLast = 0
  #alive = true

  constructor(world: World, name: string, creation: number) {
    this.#world = world
    this.name = name
    this.creation = creation
    const ifAlive = (run: () => void) => () => void (this.#alive && run())
    this.timers = {
      after: (delayMs, run) => world.at(delayMs, ifAlive(run)),
      soon: run => void world.at(0, ifAlive(run)),
      cancel: (handle: TimerHandle | undefined) => {
        if (handle) (handle as Event).run = undefined
      },
    }
    const routing: Routing = {
      cast: (target, message, options) => this.cast(target, message, options?.from),
      call: (target, message, options) => this.call(target, message, options?.timeoutMs),
      castAll: () => 0,
      update: () => {},
      join: (group, pid) => this.#change(group, list => [...list, pid]),
      leave: (group, pid) => this.#change(group, list => list.filter(other => !other.equals(pid))),
      leaveAll: pid => {
        for (const group of [...this.#groups.keys()]) routing.leave(group, pid)
      },
      members: group => this.members(group),
    }
    const { clock } = world
    this.runtime = new Runtime({ node: name, creation, clock, timers: this.timers, routing, log: silent })
    world.nodes.set(name, this)
  }

  /** Ends it without a word, as kill -9 does. */
  kill(): void {
    this.#alive = false
    for (const other of this.#world.nodes.keys()) if (other !== this.name) this.#world.cut(this.name, other)
    this.#world.nodes.delete(this.name)
  }

  /** A pid of this node, behind which stands a function. */
  door(receive: (message: unknown) => void): Pid {
    const index = 1_000_000 + this.#doors.size
    this.#doors.set(index, receive)
    return new Pid(this.name, this.creation, 0, index)
  }

  members(group: string): readonly Pid[] {
    const remote = [...this.#remote.values()].flatMap(groups => groups.get(group) ?? [])
    return [...(this.#groups.get(group) ?? []), ...remote]
  }

  onGroupChange(group: string, listener: (members: readonly Pid[]) => void): () => void {
    const listeners = this.#listeners.get(group) ?? new Set()
    this.#listeners.set(group, listeners.add(listener))
    listener(this.members(group))
    return () => void listeners.delete(listener)
  }

  cast(target: Target, message: unknown, from?: Pid): Sent {
    const pid = this.choose(target)
    if (!pid) return Sent.noconnect
    return this.#send(pid, message, from, undefined) ? Sent.ok : Sent.noconnect
  }

  call(target: Target, message: unknown, timeoutMs = 400): Promise<unknown> {
    const pid = this.choose(target)
    return new Promise((resolve, reject) => {
      const id = ++this.#callLast
      const timer = this.timers.after(timeoutMs, () => settle(() => reject(new Error('timeout'))))
      const settle = (finish: () => void) => {
        if (!this.#calls.delete(id)) return
        this.timers.cancel(timer)
        finish()
      }
      this.#calls.set(id, {
        resolve: value => settle(() => resolve(value)),
        reject: error => settle(() => reject(error)),
      })
      const sent =
        pid && this.#send(pid, message, undefined, { id, deadlineMs: this.#world.nowMs + timeoutMs })
      if (!sent) this.#calls.get(id)!.reject(new Error('noconnect'))
    })
  }

  /** All services here have one partition, 0, whose first member is the one that sorts first by node. */
  choose(target: Target): Pid | undefined {
    if (target instanceof Pid) return target
    const group = 'service' in target ? `${target.service}/0` : target.group
    return [...this.members(group)].sort((a, b) => (a.node < b.node ? -1 : 1))[0]
  }

  lost(other: string): void {
    const groups = this.#remote.get(other)
    this.#remote.delete(other)
    for (const group of groups?.keys() ?? []) this.#tell(group)
  }

  announceTo(other: string): void {
    for (const [group, pids] of this.#groups) this.#announce(other, group, pids)
  }

  #change(group: string, change: (list: Pid[]) => Pid[]): void {
    if (!this.#alive) return
    const pids = change(this.#groups.get(group) ?? [])
    this.#groups.set(group, pids)
    this.#tell(group)
    for (const other of this.#world.nodes.keys()) if (other !== this.name) this.#announce(other, group, pids)
  }

  #announce(other: string, group: string, pids: Pid[]): void {
    const receive = (node: WorldNode) => {
      const groups = node.#remote.get(this.name) ?? new Map<string, Pid[]>()
      node.#remote.set(this.name, groups.set(group, pids))
      node.#tell(group)
    }
    this.#world.carry(this.name, other, receive, false)
  }

  #tell(group: string): void {
    for (const listener of this.#listeners.get(group) ?? []) listener(this.members(group))
  }

  #send(
    to: Pid,
    message: unknown,
    from: Pid | undefined,
    call: { id: number; deadlineMs: number } | undefined,
  ): boolean {
    this.#world.onSend?.(this, message)
    const bytes = encoder.encode(message)
    const { name } = this
    return this.#world.carry(name, to.node, node => {
      if (node.creation !== to.creation) return
      const decoded: unknown = decoder.decode(bytes)
      this.#world.onReceive?.(node, decoded)
      const door = node.#doors.get(to.index)
      if (door) door(decoded)
      else node.runtime.deliver(to.index, node.#envelope(decoded, from, name, call))
    })
  }

  #envelope(
    message: unknown,
    from: Pid | undefined,
    fromNode: string,
    call: { id: number; deadlineMs: number } | undefined,
  ): Envelope {
    const back = (settle: (asked: { resolve(value: unknown): void; reject(error: Error): void }) => void) => {
      if (!call || !this.#alive) return
      this.#world.carry(this.name, fromNode, node => {
        const asked = node.#calls.get(call.id)
        if (asked) settle(asked)
      })
    }
    return {
      isCall: call !== undefined,
      message,
      from,
      fromNode,
      deadlineMs: call?.deadlineMs ?? Number.POSITIVE_INFINITY,
      reply: value => back(asked => asked.resolve(value)),
      refuse: (refusal, detail) => back(asked => asked.reject(new Error(detail ?? refusal))),
    }
  }
}

/** Resolves when no promise has anything left to do. */
function drained(): Promise<void> {
  return new Promise(resolve => void setImmediate(resolve))
}
