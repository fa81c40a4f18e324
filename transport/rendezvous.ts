/**
 * How one configured peer gets its link and keeps it: dial, accept, settle which one stays, dial again.
 *
 * At any moment a peer has at most one link up (`live`), one dial of ours under way, and one newcomer that waits for the live
 * link to answer a probe (`contender`). Invariant: `up` and `down` alternate, whatever order dials and accepts come in.
 * admission.ts holds the rule; this file carries it out.
 */
import { judge } from './admission.ts'
import { backoffMs } from './backoff.ts'
import type { CloseReason } from './close-reason.ts'
import type { Refusal } from './handshake.ts'
import type { Link } from './link.ts'
import type { LinkOwner } from './link-owner.ts'
import type { MeshEvents } from './mesh.ts'
import type { MeshOptions } from './options.ts'
import { Peer, type PeerHost } from './peer.ts'
import type { Clock, Random } from './ports.ts'
import type { Lane } from './sent.ts'

/** What a rendezvous asks of its mesh. */
export interface RendezvousHost extends PeerHost {
  readonly node: string
  readonly options: MeshOptions
  readonly clock: Clock
  readonly random: Random
  readonly events: MeshEvents
  /** A new link to `target` at `address`. */
  dial(address: string, target: string, owner: LinkOwner): Link
  /** For the operator: see {@link MeshEvents.alarm}. */
  alarm(peer: Peer, detail: string): void
  /** For the ring of closed links. */
  linkClosed(link: Link, node: string, reason: CloseReason, detail: string): void
  linkGone(link: Link): void
}

export class Rendezvous implements LinkOwner {
  readonly peer: Peer
  readonly #host: RendezvousHost
  #address: string
  #live: Link | undefined
  #dial: Link | undefined
  #contender: { readonly link: Link; readonly refusal: Refusal } | undefined
  /** Dials and short-lived links in a row that failed. */
  #failures = 0
  #dialAtMs = 0
  /** Nobody is dialled or taken any more; `stopping` lets the queue run empty first. */
  #state: 'open' | 'stopping' | 'closed' = 'open'

  constructor(node: string, address: string, host: RendezvousHost) {
    this.#host = host
    this.#address = address
    this.peer = new Peer(node, host.options, host)
  }

  get address(): string {
    return this.#address
  }

  /** Whether it is time to dial. */
  wantsDial(nowMs: number): boolean {
    return (
      this.#state === 'open' &&
      this.#live === undefined &&
      this.#dial === undefined &&
      nowMs >= this.#dialAtMs
    )
  }

  /** Dials; only when it wants to. */
  dial(): void {
    this.#dial = this.#host.dial(this.#address, this.peer.node, this)
  }

  /** The configuration gives the node another address: whatever leads to the old one ends. */
  readdress(address: string): void {
    this.#address = address
    this.#failures = 0
    this.#endLinks('readdressed', `now at ${address}`)
    this.#dialAtMs = 0
  }

  /** Ends everything at once; what is queued is lost. */
  close(reason: CloseReason, detail: string): void {
    this.#state = 'closed'
    this.peer.retire()
    this.#endLinks(reason, detail)
  }

  /** Takes no more messages, writes what is queued, then says goodbye. */
  stop(): void {
    if (this.#state !== 'open') return
    this.#state = 'stopping'
    this.peer.retire()
    this.peer.refuseSends()
    this.peer.flush()
    if (this.peer.queueFrames === 0) this.close('local-stop', 'this node stops')
    else {
      this.#dial?.close('local-stop', 'this node stops')
      this.#contender?.link.refuse({ reason: 'goodbye', detail: 'this node stops' })
    }
  }

  screen(): Refusal | undefined {
    return this.#state === 'open' ? undefined : { reason: 'goodbye', detail: `${this.#host.node} stops` }
  }

  proven(link: Link): void {
    const { node } = this.peer
    const own = this.#host.node
    if (this.#state !== 'open') {
      link.refuse({ reason: 'goodbye', detail: `${own} stops` })
      return
    }
    const verdict = judge({
      weAreSmaller: own < node,
      creation: link.remote!.creation,
      live: this.#live && { creation: this.peer.creation, dialledByUs: this.#live.target !== undefined },
      dialConnected: this.#dial?.connected === true,
    })
    switch (verdict) {
      case 'take':
        this.#take(link)
        break
      case 'take-over':
        this.#live?.close('superseded', `${node} linked again`)
        this.#take(link)
        break
      case 'duplicate-link':
        link.refuse({ reason: verdict, detail: `${own} dials ${node} itself` })
        break
      case 'contest-link':
        this.#contest(link, { reason: 'duplicate-link', detail: `the link that ${own} dialled is alive` })
        break
      case 'contest-name':
        this.#contest(link, {
          reason: 'duplicate-name',
          detail: `a live node at ${this.#live?.remoteAddress} is called ${node}`,
        })
        break
    }
  }

  opened(link: Link): void {
    this.#dial = undefined
    this.#up(link)
  }

  message(link: Link, channel: number, lane: Lane, body: Uint8Array, isOwn: boolean): void {
    if (link !== this.#live) return
    this.peer.ledger.lanes[lane].received++
    this.#host.events.message(this.peer, channel, body, isOwn)
  }

  overflowed(_link: Link, lane: Lane): void {
    this.peer.ledger.lanes[lane].overflowed++
  }

  confirmed(_link: Link, lane: Lane, count: number): void {
    this.peer.ledger.lanes[lane].delivered += count
  }

  alarm(_link: Link, detail: string): void {
    this.peer.alarms++
    this.#host.alarm(this.peer, detail)
  }

  writable(link: Link): void {
    if (link !== this.#live) return
    this.peer.writable()
    if (this.#state === 'stopping' && this.peer.queueFrames === 0) this.close('local-stop', 'this node stops')
  }

  answered(): void {
    const contender = this.#contender
    if (contender !== undefined) contender.link.refuse(contender.refusal)
  }

  closed(link: Link, reason: CloseReason, detail: string, told: boolean): void {
    this.#host.linkClosed(link, this.peer.node, reason, detail)
    if (link === this.#contender?.link) this.#contender = undefined
    if (link === this.#dial) {
      this.#dial = undefined
      this.peer.vainDials += 1
      this.#dialLater(reason !== 'duplicate-link')
      if (told && reason !== 'duplicate-link') this.#host.events.refused?.(this.peer.node, reason, detail)
    }
    if (link === this.#live) {
      this.#live = undefined
      if (this.#host.clock.nowMs() - this.peer.linkedSinceMs >= this.#host.options.stableMs)
        this.#failures = 0
      this.#dialLater(true)
      const { creation } = this.peer
      this.peer.detach()
      this.#host.events.down(this.peer, reason, creation)
      const contender = this.#contender
      this.#contender = undefined
      if (contender !== undefined && this.#state === 'open') this.#take(contender.link)
    }
  }

  gone(link: Link): void {
    this.peer.settle(link)
    this.#host.linkGone(link)
  }

  /** The live link must answer before the newcomer is turned away; if it does not, it ends and the newcomer is taken. */
  #contest(link: Link, refusal: Refusal): void {
    if (this.#contender !== undefined) link.refuse(refusal)
    else {
      this.#contender = { link, refusal }
      this.#live!.probe()
    }
  }

  #take(link: Link): void {
    this.#dial?.close('duplicate-link', `${this.peer.node} dials ${this.#host.node} itself`)
    link.admit()
    this.#up(link)
  }

  #up(link: Link): void {
    this.#live = link
    this.peer.attach(link, this.#host.clock.nowMs())
    this.#host.events.up(this.peer)
  }

  #endLinks(reason: CloseReason, detail: string): void {
    this.#dial?.close(reason, detail)
    this.#contender?.link.refuse({ reason: reason === 'local-stop' ? 'goodbye' : reason, detail })
    this.#live?.close(reason, detail)
  }

  #dialLater(failed: boolean): void {
    const { backoffMsMin, backoffMsMax } = this.#host.options
    this.#dialAtMs =
      this.#host.clock.nowMs() + backoffMs(this.#host.random, this.#failures, backoffMsMin, backoffMsMax)
    if (failed) this.#failures++
  }
}
