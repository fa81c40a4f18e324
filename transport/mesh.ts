/**
 * The mesh of one node: listens, keeps one link to each configured peer, and tells what comes and goes.
 *
 *   send ─▶ Peer ─▶ Queue ──(end of turn)──▶ Link ─▶ Stream
 *   Stream ─▶ Link ─▶ Rendezvous ─▶ MeshEvents.message
 *
 * It owns the only two timers of the transport: `soon` for dirty peers, and one sweep for heartbeats, deadlines and redials.
 * Invariants: events are never called from inside `send`; per peer `up` and `down` alternate; after `stop` nothing is left open.
 */

import { ArrivalBudget } from './arrival-budget.ts'
import { Budget } from './budget.ts'
import type { CloseReason } from './close-reason.ts'
import { type ClosedLink, ClosedLinks } from './closed-links.ts'
import { blocksFeature, featureMask, featuresKnown, featuresRequired } from './features.ts'
import { nonceBytes } from './greeting.ts'
import { checkIdentity, type HandshakeSelf, type Identity, protocolMax, protocolMin } from './handshake.ts'
import { sweepIntervalMs } from './heartbeat.ts'
import { Link } from './link.ts'
import type { LinkOwner } from './link-owner.ts'
import { checkOptions, type MeshOptions } from './options.ts'
import type { Peer } from './peer.ts'
import type { Listener, Ports, Stream, TimerHandle } from './ports.ts'
import { Reception, type ReceptionHost } from './reception.ts'
import { Rendezvous, type RendezvousHost } from './rendezvous.ts'

/** What a mesh tells: from the event loop, never from inside `send`. `configure` and `stop` may call `down` before they return. */
export interface MeshEvents {
  /** A link to the peer is up; sends are taken from now on. */
  up(peer: Peer): void
  /** The link to that start of the peer is gone; what it had not confirmed is lost. */
  down(peer: Peer, reason: CloseReason, creation: number): void
  /**
   * One message. `body` is the sender's header and payload, valid only during the call; unless `isOwn`: then it lies in memory of its own (long
   * messages do) and may be kept as it is.
   */
  message(peer: Peer, channel: number, body: Uint8Array, isOwn: boolean): void
  /** The peer's queue had answered nosuspend and is half empty again. */
  drained?(peer: Peer): void
  /** The ledgers of the two ends cannot both be right, `detail` says how: messages vanished on a live link, or were made up. */
  alarm?(peer: Peer, detail: string): void
  /**
   * The node turned our dial away and said why. `duplicate-name` is proven by the shared secret: another live node has our name, and ours
   * should stop. The others may come from anybody at that address; the mesh goes on trying.
   */
  refused?(node: string, reason: CloseReason, detail: string): void
}

/** A peer as the configuration names it. */
export interface PeerAddress {
  readonly node: string
  /** `host:port` or `[v6]:port` */
  readonly address: string
}

export class Mesh {
  readonly identity: Identity
  readonly #options: MeshOptions
  readonly #ports: Ports
  readonly #events: MeshEvents
  readonly #host: RendezvousHost & ReceptionHost
  readonly #reception: Reception
  readonly #rendezvous = new Map<string, Rendezvous>()
  readonly #peers = new Map<string, Peer>()
  readonly #links = new Set<Link>()
  readonly #closedLinks: ClosedLinks
  readonly #sweepIntervalMs: number
  readonly #arrivals: ArrivalBudget
  #alarms = 0
  #dirtyPeers: Peer[] = []
  #listener: Listener | undefined
  #sweepTimer: TimerHandle | undefined
  #sweepDueMs = 0
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'
  #stopDeadlineMs = Number.POSITIVE_INFINITY
  #stopped = Promise.withResolvers<void>()

  /** @throws TransportError `bad-identity` or `bad-options` */
  constructor(identity: Identity, options: MeshOptions, ports: Ports, events: MeshEvents) {
    checkIdentity(identity)
    checkOptions(options)
    this.identity = identity
    this.#options = options
    this.#ports = ports
    this.#events = events
    this.#closedLinks = new ClosedLinks(options.closedLinksMax)
    this.#arrivals = new ArrivalBudget(options.arrivalBytesTotalMax)
    this.#sweepIntervalMs = sweepIntervalMs(options.heartbeatTimeoutMs)
    this.#host = this.#makeHost()
    this.#reception = new Reception(this.#host)
  }

  /** Where this node listens, with the real port; '' before `start` and for a node that only dials. */
  get address(): string {
    return this.#listener?.address ?? ''
  }

  /** Configured peers, linked or not. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers
  }

  /** The last links that ended or never came to be, oldest first. */
  get closedLinks(): readonly ClosedLink[] {
    return this.#closedLinks.last
  }

  /** The last link to a peer that was up and has ended, however long ago. */
  lastLinkTo(node: string): ClosedLink | undefined {
    return this.#closedLinks.lastUpTo(node)
  }

  /** How many links ended for each reason. */
  get closedCounts(): ReadonlyMap<CloseReason, number> {
    return this.#closedLinks.counts
  }

  /** How often the ledgers of this node and a peer could not both be right; anything but 0 is a bug or a hostile node. */
  get alarms(): number {
    return this.#alarms
  }

  /** Streams that exist right now, in whatever state. */
  get openLinks(): number {
    return this.#links.size
  }

  peer(node: string): Peer | undefined {
    return this.#peers.get(node)
  }

  /** Listens, and starts to dial. @throws TransportError `address-in-use`, `address-unavailable` or `bad-address` */
  async start(): Promise<void> {
    if (this.#options.listen !== undefined)
      this.#listener = await this.#ports.carrier.listen(this.#options.listen, stream => this.#accept(stream))
    if (this.#state !== 'new') {
      await this.#listener?.close()
      this.#listener = undefined
      return
    }
    this.#state = 'running'
    this.#sweep()
  }

  /** Says exactly whom this node may talk to; called again when that changes. Its own name in the list is skipped. */
  configure(peers: readonly PeerAddress[]): void {
    const wanted = new Map(peers.map(({ node, address }) => [node, address]))
    wanted.delete(this.identity.node)
    for (const [node, rendezvous] of this.#rendezvous) {
      if (wanted.has(node)) continue
      this.#rendezvous.delete(node)
      this.#peers.delete(node)
      rendezvous.close('removed', `${node} is no longer configured`)
      this.#closedLinks.forget(node)
    }
    for (const [node, address] of wanted) {
      const known = this.#rendezvous.get(node)
      if (known === undefined) {
        const rendezvous = new Rendezvous(node, address, this.#host)
        this.#rendezvous.set(node, rendezvous)
        this.#peers.set(node, rendezvous.peer)
      } else if (known.address !== address) known.readdress(address)
    }
    if (this.#state === 'running') this.#sweepPeers(this.#ports.clock.nowMs())
  }

  /**
   * Writes what is queued, says goodbye to everybody and closes; within twice `closeTimeoutMs`. The process can then exit by itself.
   * Called again it returns the same promise.
   */
  stop(): Promise<void> {
    if (this.#state === 'new') {
      this.#state = 'stopped'
      for (const peer of this.#peers.values()) peer.retire()
      this.#stopped.resolve()
    }
    if (this.#state === 'running') {
      this.#state = 'stopping'
      this.#stopDeadlineMs = this.#ports.clock.nowMs() + this.#options.closeTimeoutMs
      for (const rendezvous of this.#rendezvous.values()) rendezvous.stop()
      for (const link of this.#links)
        if (link.owner === this.#reception) link.close('local-stop', `${this.identity.node} stops`)
      void this.#finish()
    }
    return this.#stopped.promise
  }

  async #finish(): Promise<void> {
    await this.#listener?.close()
    this.#listener = undefined
    this.#finishWhenEmpty()
  }

  #finishWhenEmpty(): void {
    if (this.#state !== 'stopping' || this.#links.size > 0 || this.#listener !== undefined) return
    this.#state = 'stopped'
    this.#ports.timers.cancel(this.#sweepTimer)
    this.#stopped.resolve()
  }

  #accept(stream: Stream): void {
    const link = this.#newLink(stream, undefined, this.#reception)
    let strangers = 0
    for (const open of this.#links) if (open.target === undefined && !open.wasUp) strangers++
    if (this.#state === 'stopping' || this.#state === 'stopped')
      link.close('local-stop', `${this.identity.node} stops`)
    else if (strangers > this.#options.handshakesMax)
      link.drop('busy', `more than ${this.#options.handshakesMax} handshakes at once`)
  }

  #newLink(stream: Stream, target: string | undefined, owner: LinkOwner): Link {
    const { clusterId, node, creation, version } = this.identity
    const { frameBytesMax, secrets } = this.#options
    const self: HandshakeSelf = {
      greeting: {
        protocolMin,
        protocolMax,
        features: this.#features(stream),
        featuresRequired,
        frameBytesMax: Math.min(frameBytesMax, 0xffff_ffff),
        creation,
        nonce: this.#ports.random.bytes(nonceBytes),
        clusterId,
        node,
        version,
      },
      secrets,
    }
    const link = new Link(stream, target, self, this.#options, this.#ports.clock, this.#arrivals, owner)
    this.#links.add(link)
    return link
  }

  /** Blocks are for streams that would pass damage on. */
  #features(stream: Stream): number {
    const needsBlocks = this.#options.checksBlocks && stream.isChecked !== true
    return needsBlocks ? featuresKnown : featuresKnown & ~featureMask([blocksFeature])
  }

  #sweep(): void {
    const nowMs = this.#ports.clock.nowMs()
    const lateMs = nowMs - this.#sweepDueMs
    const stalled = this.#sweepDueMs > 0 && lateMs > this.#sweepIntervalMs
    for (const link of this.#links) {
      // Our own loop stood still: what the others sent meanwhile waits unread behind this timer.
      if (stalled) link.excuse(lateMs, nowMs)
      link.sweep(nowMs)
    }
    if (this.#state === 'running') this.#sweepPeers(nowMs)
    else if (nowMs >= this.#stopDeadlineMs)
      for (const rendezvous of this.#rendezvous.values()) rendezvous.close('local-stop', 'this node stops')
    if (this.#state === 'stopped') return
    this.#sweepDueMs = nowMs + this.#sweepIntervalMs
    this.#sweepTimer = this.#ports.timers.after(this.#sweepIntervalMs, () => this.#sweep())
  }

  #sweepPeers(nowMs: number): void {
    const wanting = [...this.#rendezvous.values()].filter(rendezvous => rendezvous.wantsDial(nowMs))
    let room = this.#options.dialsMax
    if (wanting.length > 0)
      for (const link of this.#links) if (link.target !== undefined && link.state === 'greeting') room--
    // In random order, or all nodes of a meta-cluster that starts would call on the same few first.
    for (; room > 0 && wanting.length > 0; room--) {
      const at = Math.floor(this.#ports.random.next() * wanting.length)
      const [next] = wanting.splice(at, 1)
      next!.dial()
    }
  }

  #flushSoon(peer: Peer): void {
    if (this.#dirtyPeers.push(peer) === 1) this.#ports.timers.soon(this.#flushDirty)
  }

  readonly #flushDirty = (): void => {
    const dirty = this.#dirtyPeers
    this.#dirtyPeers = []
    for (const peer of dirty) peer.flush()
  }

  #makeHost(): RendezvousHost & ReceptionHost {
    const { clock, random, carrier } = this.#ports
    return {
      budget: new Budget(this.#options.queueBytesTotalMax),
      identity: this.identity,
      node: this.identity.node,
      options: this.#options,
      clock,
      random,
      events: this.#events,
      flushSoon: peer => this.#flushSoon(peer),
      drained: peer => this.#events.drained?.(peer),
      alarm: (peer, detail) => {
        this.#alarms++
        this.#events.alarm?.(peer, detail)
      },
      dial: (address, target, owner) => this.#newLink(carrier.dial(address), target, owner),
      rendezvousOf: node => this.#rendezvous.get(node),
      linkClosed: (link, node, reason, detail) => {
        const closed = { node, address: link.remoteAddress, reason, detail, at: this.#ports.clock.wallMs() }
        this.#closedLinks.add(closed, link.wasUp ? 'link' : link.target === undefined ? 'stranger' : 'dial')
      },
      linkGone: link => {
        this.#links.delete(link)
        this.#finishWhenEmpty()
      },
    }
  }
}
