/**
 * The registry of a node: its scopes, kept equal to those of its linked peers.
 *
 * A link comes up: each side sends `discover` for its scopes and answers the other's with a `sync` of its own members.
 * From then on each sends its own joins and leaves, batched once per loop turn; what it learned from others it never
 * passes on, so a view is not transitive: who has no link to a node does not see its members. A link goes down: that
 * node's members are gone, at no cost on the wire. Members go to peers of another cluster only if their group is
 * published. Source: OTP `pg.erl` (protocol and promises); R14 s28 (published groups) and s33 (the storm of 2014).
 */
import { Lane, type Ports, Sent, type TimerHandle } from '../transport/index.ts'
import type { Pid } from './address.ts'
import type { Batch } from './batch.ts'
import {
  type ChangeFrame,
  creationOf,
  decodeFrame,
  encodeFrame,
  encodeHead,
  type Frame,
  FrameKind,
  isName,
  type SyncFrame,
} from './exchange.ts'
import { type Groups, OpenScope } from './groups.ts'
import { Inbox } from './inbox.ts'
import { Channel, type Link, type Place } from './link.ts'
import type { GroupListener } from './listeners.ts'
import { type RoutingOptions, routingDefaults } from './options.ts'
import { type Changes, changeFrames, Outbox, type SendFrame } from './outbox.ts'
import { Distance, type View } from './view.ts'

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
  readonly ports: Pick<Ports, 'timers' | 'random'>
  readonly limits?: RoutingOptions
}

interface PeerState {
  readonly link: Link
  readonly creation: number
  readonly outboxes: Map<string, Outbox>
  readonly inboxes: Map<string, Inbox>
  readonly send: SendFrame
  isSameCluster: boolean
  /** A frame was refused; nothing more is sent until the retry. */
  isBlocked: boolean
}

export class Registry implements Groups {
  /** What happened to registry frames, since the start. */
  readonly counts = {
    sent: 0,
    refused: 0,
    received: 0,
    /** Neither a frame, nor one that this version knows. */
    bad: 0,
    /** From a node without a link, or of another start of it. */
    stale: 0,
    unknownScope: 0,
    /** Joins and leaves of a node that has not synced. */
    beforeSync: 0,
    /** Parts of a sync that did not follow. */
    outOfOrder: 0,
    /** Beyond `nodeMembersMax`. */
    overLimit: 0,
    syncs: 0,
  }
  readonly #options: RegistryOptions
  readonly #limits: RoutingOptions
  readonly #main: OpenScope
  readonly #scopes = new Map<string, OpenScope>()
  readonly #peers = new Map<string, PeerState>()
  #isFlushDue = false
  #isStopped = false
  #retry: TimerHandle

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#limits = options.limits ?? routingDefaults
    this.#main = this.#open(mainScope)
  }

  join(group: string, pid: Pid): void {
    this.#main.join(group, pid)
  }

  leave(group: string, pid: Pid): boolean {
    return this.#main.leave(group, pid)
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

  whichGroups(): string[] {
    return this.#main.whichGroups()
  }

  monitor(group: string | undefined, listener: GroupListener): () => void {
    return this.#main.monitor(group, listener)
  }

  /** The scope of that name, opened when it is new; peers that have it too are asked for its members. */
  scope(name: string): Groups {
    return this.#scopes.get(name) ?? this.#open(name)
  }

  /** The names of the open scopes, `main` first. */
  whichScopes(): string[] {
    return [...this.#scopes.keys()]
  }

  /** The router's way to the members of a group of the main scope. */
  view(group: string): View | undefined {
    return this.#main.view(group)
  }

  /** A peer is linked: both sides will ask each other. */
  peerUp(link: Link): void {
    if (link.node === this.#options.node || this.#isStopped) return
    this.peerDown(link)
    const peer: PeerState = {
      link,
      creation: link.creation,
      outboxes: new Map(),
      inboxes: new Map(),
      send: (frame, payload) => this.#send(link, frame, payload),
      isSameCluster: this.#isSameCluster(link.node),
      isBlocked: false,
    }
    for (const { name, scope } of this.#scopes.values()) {
      peer.outboxes.set(name, new Outbox(name, scope, this.#limits, false))
    }
    this.#peers.set(link.node, peer)
    this.#flushSoon()
  }

  /** A peer's link is gone, and with it all its members. */
  peerDown(link: Pick<Link, 'node'>): void {
    if (!this.#peers.delete(link.node)) return
    for (const open of this.#scopes.values()) open.tell(open.scope.remove(link.node))
  }

  /** Takes a frame of channel `Channel.registry`; `body` is not kept. Whatever is wrong with it is counted and ignored. */
  receive(link: Link, body: Uint8Array): void {
    this.counts.received += 1
    const peer = this.#peers.get(link.node)
    const creation = creationOf(body)
    if (creation === undefined) {
      this.counts.bad += 1
      return
    }
    if (!peer || peer.creation !== link.creation || peer.creation !== creation) {
      this.counts.stale += 1
      return
    }
    const frame = decodeFrame(body, link.node, creation)
    const open = frame && this.#scopes.get(frame.scope)
    if (!frame) this.counts.bad += 1
    else if (!open) this.counts.unknownScope += 1
    else if (frame.kind === FrameKind.discover) {
      peer.outboxes.get(open.name)!.discovered(frame.wantsDiscover)
      this.#flushSoon()
    } else if (frame.kind === FrameKind.sync) this.#receiveSync(peer, open, frame)
    else this.#receiveChange(peer, open, frame)
  }

  /** `place` or `published` may answer differently now: lists are put in order again, and peers told what they may see. */
  reconfigured(): void {
    for (const open of this.#scopes.values()) open.scope.placesChanged()
    for (const peer of this.#peers.values()) {
      peer.isSameCluster = this.#isSameCluster(peer.link.node)
      for (const outbox of peer.outboxes.values()) outbox.audienceChanged()
    }
    this.#flushSoon()
  }

  /** Sends what is due now instead of at the end of this turn: before the mesh stops, for one. */
  flush(): void {
    this.#isFlushDue = false
    for (const open of this.#scopes.values()) {
      const batch = open.takeBatch()
      const toCluster = this.#changes(open.name, batch, everyGroup)
      const isPublished = (group: string) => this.#options.published(open.name, group)
      const toFar = this.#changes(open.name, batch, isPublished)
      for (const peer of this.#peers.values()) {
        const outbox = peer.outboxes.get(open.name)!
        const allowed = peer.isSameCluster ? everyGroup : isPublished
        const changes = peer.isSameCluster ? toCluster : toFar
        if (peer.isBlocked) outbox.hold(batch)
        else if (!outbox.flush(changes, allowed, peer.send)) this.#block(peer)
      }
    }
  }

  /** Ends all timers and forgets the peers; the groups can still be read. */
  stop(): void {
    this.#isStopped = true
    this.#options.ports.timers.cancel(this.#retry)
    for (const { link } of [...this.#peers.values()]) this.peerDown(link)
  }

  #open(name: string): OpenScope {
    if (!isName(name)) throw new TypeError(`open a scope: its name must have 1 to 255 characters: ${name}`)
    const { node, creation, ports } = this.#options
    const open = new OpenScope(name, {
      node,
      creation,
      distance: other => this.#distance(other),
      random: () => ports.random.next(),
      soon: run => ports.timers.soon(run),
      changed: () => this.#flushSoon(),
    })
    this.#scopes.set(name, open)
    for (const peer of this.#peers.values()) {
      peer.outboxes.set(name, new Outbox(name, open.scope, this.#limits, true))
    }
    if (this.#peers.size > 0) this.#flushSoon()
    return open
  }

  #receiveSync(peer: PeerState, open: OpenScope, frame: SyncFrame): void {
    let inbox = peer.inboxes.get(open.name)
    if (!inbox) {
      inbox = new Inbox(peer.link.node, this.#limits.nodeMembersMax)
      peer.inboxes.set(open.name, inbox)
    }
    const gathered = inbox.gather(frame)
    if (gathered === 'out-of-order') this.counts.outOfOrder += 1
    else if (gathered === 'too-many') this.counts.overLimit += 1
    else if (gathered !== 'more') {
      this.counts.syncs += 1
      open.tell(open.scope.replace(gathered))
    }
  }

  #receiveChange(peer: PeerState, open: OpenScope, { kind, entries }: ChangeFrame): void {
    const roster = open.scope.roster(peer.link.node)
    if (!roster) this.counts.beforeSync += 1
    else if (kind === FrameKind.leave) open.tell(open.scope.leaveRemote(roster, entries))
    else if (roster.size + countOf(entries) > this.#limits.nodeMembersMax) this.counts.overLimit += 1
    else open.tell(open.scope.joinRemote(roster, entries))
  }

  #send(link: Link, frame: Frame, payload = encodeFrame(frame)): boolean {
    const head = encodeHead(frame.kind, this.#options.creation)
    const isSent = link.send(Channel.registry, Lane.control, head, payload) === Sent.ok
    if (isSent) this.counts.sent += 1
    else this.counts.refused += 1
    return isSent
  }

  #changes(scope: string, batch: Batch, allowed: (group: string) => boolean): Changes {
    let frames: { frame: Frame; payload: Uint8Array }[] | undefined
    return {
      batch,
      frames: () =>
        (frames ??= Array.from(changeFrames(scope, batch, allowed, this.#limits), ({ frame }) => ({
          frame,
          payload: encodeFrame(frame),
        }))),
    }
  }

  #flushSoon(): void {
    if (this.#isFlushDue || this.#isStopped) return
    this.#isFlushDue = true
    this.#options.ports.timers.soon(() => {
      if (this.#isFlushDue && !this.#isStopped) this.flush()
    })
  }

  #block(peer: PeerState): void {
    peer.isBlocked = true
    if (this.#retry !== undefined || this.#isStopped) return
    const { timers, random } = this.#options.ports
    this.#retry = timers.after(this.#limits.retryMs * (0.5 + random.next() / 2), () => {
      this.#retry = undefined
      for (const blocked of this.#peers.values()) blocked.isBlocked = false
      this.flush()
    })
  }

  #isSameCluster(node: string): boolean {
    const place = this.#options.place(node)
    return place !== undefined && place.cluster === this.#options.place(this.#options.node)?.cluster
  }

  #distance(node: string): Distance {
    if (node === this.#options.node) return Distance.self
    if (this.#isSameCluster(node)) return Distance.cluster
    const place = this.#options.place(node)
    const isNear = place && place.datacenter === this.#options.place(this.#options.node)?.datacenter
    return isNear ? Distance.datacenter : Distance.far
  }
}

const everyGroup = () => true

function countOf(entries: ChangeFrame['entries']): number {
  return entries.reduce((sum, { pids }) => sum + pids.length, 0)
}
