/**
 * The registry of a node: its scopes, kept equal to those of its linked peers.
 *
 * Each owner numbers the changes of its own members and tells them once per loop turn; what it learned from others it never
 * passes on, so a view is not transitive: who has no link to a node does not see its members. When a link comes up each side
 * says what it holds of the other and gets the difference; while it is lost the members stay for a while, as suspects. Digests
 * are compared all the time. Source: OTP `pg.erl` (promises); R14 s28 (published groups) and s33 (the storm of 2014).
 */
import { Lane, type Ports, Sent, type TimerHandle } from '../transport/index.ts'
import { Absences } from './absences.ts'
import type { Pid } from './address.ts'
import { Backlog } from './backlog.ts'
import { Conversation, type ConversationHost } from './conversation.ts'
import { creationOf, encodeHead, type FrameKind, isName } from './exchange.ts'
import type { Groups, Snapshot } from './groups.ts'
import { Channel, type Link, type Place } from './link.ts'
import type { GroupListener } from './listeners.ts'
import type { MemberMeta } from './meta.ts'
import { Nearness } from './nearness.ts'
import { OpenScope } from './open-scope.ts'
import { type RoutingOptions, routingDefaults } from './options.ts'
import {
  type DigestRow,
  type HeldMembers,
  newRegistryCounts,
  type RegistryCounts,
  type RegistryEvents,
} from './registry-events.ts'
import type { View } from './view.ts'

/** The scope that routing uses. */
export const mainScope = 'main'

export interface RegistryOptions {
  /** This node's name and creation. */
  readonly node: string
  readonly creation: number
  /** Where a node stands; `undefined` for one that is not configured: it counts as far, and of another cluster. */
  readonly place: (node: string) => Place | undefined
  /** Whether nodes of other clusters may see the group's members. */
  readonly published: (scope: string, group: string) => boolean
  readonly ports: Pick<Ports, 'clock' | 'timers' | 'random'>
  readonly limits?: RoutingOptions
  readonly events?: RegistryEvents
}

/** How a link ended. */
export interface LinkEnd {
  /** The node said goodbye, or was taken out of the configuration: its members go at once. */
  readonly isOrderly: boolean
}

export class Registry implements Groups {
  /** What happened to registry frames, since the start. */
  readonly counts: RegistryCounts = newRegistryCounts()
  readonly #options: RegistryOptions
  readonly #limits: RoutingOptions
  readonly #main: OpenScope
  readonly #scopes = new Map<string, OpenScope>()
  readonly #peers = new Map<string, Conversation>()
  readonly #backlog: Backlog<Conversation>
  readonly #absences: Absences
  readonly #nearness: Nearness
  readonly #host: ConversationHost
  /** Numbers that closed scopes have used. */
  #numbersFrom = 0
  #isFlushDue = false
  #isStopped = false
  #tick: TimerHandle

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#limits = options.limits ?? routingDefaults
    this.#nearness = new Nearness(options.node, options.place)
    const { clock, timers, random } = options.ports
    const common = {
      counts: this.counts,
      events: options.events ?? {},
      scopes: this.#scopes,
      nowMs: () => clock.nowMs(),
    }
    this.#absences = new Absences({ ...common, graceMs: this.#limits.graceMs, timers })
    const { retryMs, syncPauseMs } = this.#limits
    this.#backlog = new Backlog({ timers, random, retryMs, syncPauseMs, goOn: () => this.flush() })
    this.#host = {
      ...common,
      limits: this.#limits,
      send: (link, kind, payload) => this.#send(link, kind, payload),
      hasRoom: link => (link.queueBytesOf?.(Lane.control) ?? 0) < this.#limits.syncQueueBytesMax,
      due: () => this.#flushSoon(),
    }
    this.#main = this.#open(mainScope)
  }

  join(group: string, pid: Pid, meta?: MemberMeta): void {
    this.#main.join(group, pid, meta)
  }

  leave(group: string, pid: Pid): boolean {
    return this.#main.leave(group, pid)
  }

  update(group: string, pid: Pid, meta: MemberMeta | undefined): boolean {
    return this.#main.update(group, pid, meta)
  }

  /** Takes a process out of all groups of all scopes. */
  leaveAll(pid: Pid): void {
    for (const scope of this.#scopes.values()) scope.leaveAll(pid)
  }

  members(group: string): readonly Pid[] {
    return this.#main.members(group)
  }

  localMembers(group: string): readonly Pid[] {
    return this.#main.localMembers(group)
  }

  meta(group: string, pid: Pid): MemberMeta | undefined {
    return this.#main.meta(group, pid)
  }

  whichGroups(): string[] {
    return this.#main.whichGroups()
  }

  monitor(
    group: string | undefined,
    listener: GroupListener,
    first?: (snapshot: Snapshot) => void,
  ): () => void {
    return this.#main.monitor(group, listener, first)
  }

  /**
   * The scope of that name, opened when it is new; peers that have it too are asked for its members.
   * @throws TypeError for a name that none may have, RangeError beyond `scopesMax`
   */
  scope(name: string): Groups {
    return this.#scopes.get(name) ?? this.#open(name)
  }

  /**
   * Ends a scope, with all its members here and, as far as peers see it, on this node; false when it is not open. Its monitors
   * hear of every member that leaves, and of nothing more; nobody joins it any more. @throws TypeError for the main scope
   */
  closeScope(name: string): boolean {
    if (name === mainScope) throw new TypeError(`close a scope: routing needs it: ${name}`)
    const open = this.#scopes.get(name)
    if (!open) return false
    open.endTurn()
    for (const { standing } of open.audiences()) {
      this.#numbersFrom = Math.max(this.#numbersFrom, standing.number + 1)
    }
    this.#scopes.delete(name)
    for (const peer of this.#peers.values()) peer.closed(name)
    open.close()
    this.#flushSoon()
    return true
  }

  /** The names of the open scopes, `main` first. */
  whichScopes(): string[] {
    return [...this.#scopes.keys()]
  }

  /** The router's way to the members of a group of the main scope. */
  view(group: string): View | undefined {
    return this.#main.view(group)
  }

  /** What this node tells of itself and holds of others, scope by scope, the own rows first. */
  digests(): DigestRow[] {
    return [...this.#scopes.values()].flatMap(open => open.digests())
  }

  /** What this node holds of a node, itself or another, in a scope; `undefined` when that is nothing. */
  held(scope: string, node: string): HeldMembers | undefined {
    const open = this.#scopes.get(scope)?.scope
    return node === this.#options.node ? open?.own : open?.holding(node)?.roster
  }

  /** A peer is linked: both sides will ask each other for what they do not hold. */
  peerUp(link: Link): void {
    const { node, creation } = link
    if (node === this.#options.node || this.#isStopped) return
    this.#peers.delete(node)
    const members = this.#absences.back(node, creation)
    this.#peers.set(node, new Conversation(link, this.#nearness.audienceOf(node), this.#host))
    this.#options.events?.linked?.({ node, creation, members })
    this.#flushSoon()
    this.#startTicking()
  }

  /** A peer's link is gone, and with it all its members: at once if the end was orderly, else unless it is back within `graceMs`. */
  peerDown(link: Pick<Link, 'node'>, { isOrderly }: LinkEnd = { isOrderly: true }): void {
    const peer = this.#peers.get(link.node)
    if (!peer) return
    this.#peers.delete(link.node)
    this.#backlog.forget(peer)
    if (isOrderly) this.#absences.left(link.node, 'orderly')
    else this.#absences.lost(link.node)
  }

  /** Takes a frame of channel `Channel.registry`; `body` is not kept. Whatever is wrong with it is counted and harms nobody else. */
  receive(link: Link, body: Uint8Array): void {
    this.counts.received += 1
    const peer = this.#peers.get(link.node)
    const creation = creationOf(body)
    const isStale = !peer || peer.creation !== link.creation
    if (isStale || (creation !== undefined && creation !== peer.creation)) this.counts.stale += 1
    else peer.receive(body)
  }

  /** `place` or `published` may answer differently now: lists are put in order again, and peers told what they may see. */
  reconfigured(): void {
    for (const open of this.#scopes.values()) {
      open.scope.placesChanged()
      open.endTurn()
      for (const audience of open.audiences()) audience.reconfigured()
    }
    for (const peer of this.#peers.values()) peer.audience = this.#nearness.audienceOf(peer.link.node)
    this.#flushSoon()
  }

  /** Sends what is due now instead of at the end of this turn: before the mesh stops, for one. */
  flush(): void {
    this.#isFlushDue = false
    for (const open of this.#scopes.values()) open.endTurn()
    for (const peer of this.#peers.values()) {
      if (this.#backlog.isBlocked(peer)) continue
      const flushed = peer.flush()
      if (flushed === 'refused') this.#backlog.block(peer)
      else if (flushed === 'paused') this.#backlog.pause()
    }
  }

  /** Ends all timers and forgets the peers; the groups can still be read. */
  stop(): void {
    this.#isStopped = true
    const { timers } = this.#options.ports
    timers.cancel(this.#tick)
    for (const { link } of [...this.#peers.values()]) this.peerDown(link)
    this.#backlog.stop()
    this.#absences.stop()
  }

  #open(name: string): OpenScope {
    if (!isName(name)) throw new TypeError(`open a scope: its name must have 1 to 255 characters: ${name}`)
    if (this.#scopes.size >= this.#limits.scopesMax)
      throw new RangeError(`open scope ${name}: ${this.#limits.scopesMax} are open already`)
    const { node, creation, ports, published } = this.#options
    const open = new OpenScope(name, {
      node,
      creation,
      limits: this.#limits,
      numbersFrom: this.#numbersFrom,
      distance: other => this.#nearness.distance(other),
      published: group => published(name, group),
      random: () => ports.random.next(),
      nowMs: this.#host.nowMs,
      soon: run => ports.timers.soon(run),
      changed: () => this.#flushSoon(),
      events: this.#options.events ?? {},
    })
    this.#scopes.set(name, open)
    for (const peer of this.#peers.values()) peer.opened(name, true)
    if (this.#peers.size > 0) this.#flushSoon()
    return open
  }

  #send(link: Link, kind: FrameKind, payload: Uint8Array): boolean {
    const head = encodeHead(kind, this.#options.creation)
    const isSent = link.send(Channel.registry, Lane.control, head, payload) === Sent.ok
    if (isSent) this.counts.sent += 1
    else this.counts.refused += 1
    return isSent
  }

  #flushSoon(): void {
    if (this.#isFlushDue || this.#isStopped) return
    this.#isFlushDue = true
    this.#options.ports.timers.soon(() => {
      if (this.#isFlushDue && !this.#isStopped) this.flush()
    })
  }

  /** From time to time peers are told what they should hold. */
  #startTicking(): void {
    if (this.#tick !== undefined) return
    const { timers, random } = this.#options.ports
    this.#tick = timers.after(this.#limits.digestMs * (0.75 + random.next() / 2), () => {
      this.#tick = undefined
      for (const open of this.#scopes.values()) {
        for (const audience of open.audiences()) audience.release()
      }
      if (this.#peers.size === 0) return
      for (const peer of this.#peers.values()) peer.compare()
      this.flush()
      this.#startTicking()
    })
  }
}
