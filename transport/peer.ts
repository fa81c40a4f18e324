/**
 * Another node seen from here: its bounded queue, its account, and the link that it hangs on, if any. Hot path: `send`.
 *
 * A send copies into the queue and marks the peer dirty; at the end of the turn the mesh flushes dirty peers, each with one write
 * (more only past `writeBytesMax`). When the stream is full the rest stays queued until it drains.
 * Invariant, asserted in tests after every step: accepted = delivered + expired + shed + lost + inFlightFrames.
 */
import type { Budget, BudgetHolder } from './budget.ts'
import { TransportError } from './errors.ts'
import { wholeFrameBytesLimit } from './fragments.ts'
import { Ledger } from './ledger.ts'
import type { Link } from './link.ts'
import type { MeshOptions } from './options.ts'
import type { Clock } from './ports.ts'
import { Queue } from './queue.ts'
import { type Channel, Lane, laneCount, Sent } from './sent.ts'
import { ready, Waiters } from './waiters.ts'
import { headerBytes } from './wire.ts'

/** Room that a waiting sender is given when it is woken, bytes: enough for all but long messages. */
const wakeRoomBytes = 64 * 1024

/** What a peer asks of its mesh. */
export interface PeerHost {
  readonly budget: Budget
  readonly clock: Clock
  /** Calls {@link Peer.flush} at the end of this turn. */
  flushSoon(peer: Peer): void
  /** The queue had refused, and is now at its low watermark. */
  drained(peer: Peer): void
}

export class Peer implements BudgetHolder {
  readonly node: string
  readonly ledger = new Ledger()
  /** Whether messages are taken. */
  linked = false
  /** Which start of the node the link leads to; 0 while not linked. */
  creation = 0
  /** The node's software version, as it said when it last linked. */
  version = ''
  /** When the link came up, by the monotonic clock; 0 while not linked. */
  linkedSinceMs = 0
  /** How often the ledgers of the two ends could not both be right. */
  alarms = 0
  /** Dials of ours in a row that came to nothing; 0 again with the next link. */
  vainDials = 0
  readonly #queue: Queue
  readonly #host: PeerHost
  readonly #writeBytesMax: number
  readonly #fragmentBytesMax: number
  #frameBytesMax = 0
  /** Control goes whole or not at all: what must pass data does not stand in its way. */
  #controlFrameBytesMax = 0
  #link: Link | undefined
  /** Links whose messages may still be confirmed: the current one, and those that are saying goodbye. */
  readonly #links = new Set<Link>()
  #dirty = false
  #hasRefused = false
  /** Whoever waits, waits in vain. */
  #isRetired = false
  readonly #waiters = new Waiters()
  readonly #chunks: Uint8Array[] = []
  readonly #framesByLane = [0, 0, 0]

  constructor(node: string, options: MeshOptions, host: PeerHost) {
    this.node = node
    this.#host = host
    this.#queue = new Queue(
      options.queueBytesMax,
      options.controlReserveBytes,
      host.clock,
      this.ledger,
      host.budget,
    )
    host.budget.join(this)
    this.#writeBytesMax = options.writeBytesMax
    this.#fragmentBytesMax = options.fragmentBytesMax
  }

  /**
   * Queues one message; never throws, never waits, calls nobody.
   * @param header copied; may be reused at once
   * @param payload above 4 KiB it is kept by reference until written: do not change it
   * @param deadlineMs by the monotonic clock: from then on the message is worth nothing, and leaves the queue unwritten. None if left out
   */
  send(
    channel: Channel,
    lane: Lane,
    header: Uint8Array,
    payload: Uint8Array | undefined,
    deadlineMs?: number,
  ): Sent {
    const account = this.ledger.lanes[lane]
    if (!this.linked) {
      account.refusedNoconnect++
      return Sent.noconnect
    }
    const frameBytes = headerBytes + header.length + (payload === undefined ? 0 : payload.length)
    if (frameBytes > (lane === Lane.control ? this.#controlFrameBytesMax : this.#frameBytesMax)) {
      account.refusedTooBig++
      return Sent.tooBig
    }
    if (deadlineMs !== undefined && deadlineMs <= this.#host.clock.nowMs()) {
      account.refusedExpired++
      return Sent.expired
    }
    if (!this.#queue.push(channel, lane, header, payload, deadlineMs)) {
      account.refusedNosuspend++
      this.#hasRefused = true
      this.#flushSoon()
      return Sent.nosuspend
    }
    account.accepted++
    if (!this.#dirty) this.#flushSoon()
    return Sent.ok
  }

  /**
   * For senders that may wait (suspend): resolves when the peer is linked and its queue at its low watermark or below, so that a message
   * fits; the one promise for all if that is now. Those who wait are woken in order, as many a turn as find room for a message of 64 KiB.
   * Rejects with `signal.reason`, or with a TransportError `peer-gone` when no link is to come.
   */
  ready({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#isRetired) return Promise.reject(this.#gone())
    if (this.#isReady && this.#waiters.size === 0) return ready
    return this.#waiters.add(signal)
  }

  /** Whether a sender that waits may come. */
  get #isReady(): boolean {
    // Right after a refusal not before the turn's end, or a sender that tries until it succeeds would never let the loop turn.
    return this.linked && !this.#hasRefused && this.#queue.roomy
  }

  #gone(): TransportError {
    return new TransportError(
      'peer-gone',
      `waiting for ${this.node}: it is not configured, or this node stops`,
    )
  }

  /** Ends the link as `misbehaved`: for the rooms above, about what an honest node would not say. It may dial again, as after any failure. */
  cutOff(detail: string): void {
    this.#link?.close('misbehaved', detail)
  }

  /** Bytes queued, headers included, and those that the stream still holds. */
  get queueBytes(): number {
    return this.#queue.bytes
  }

  /** Bytes queued in one lane, headers included; what the stream holds is not in it. */
  queueBytesOf(lane: Lane): number {
    return this.#queue.bytesOf(lane)
  }

  /** The most that {@link queueBytes} was since this peer is configured. */
  get queueBytesHighest(): number {
    return this.#queue.bytesHighest
  }

  /** What {@link queueBytes} exceeds only while a message longer than a frame is in it. */
  get queueBytesMax(): number {
    return this.#queue.bytesMax
  }

  /** Messages queued and not handed to the stream. */
  get queueFrames(): number {
    return this.#queue.frames
  }

  /** Messages accepted whose fate is open: queued, or written and neither confirmed nor lost. */
  get inFlightFrames(): number {
    let count = this.#queue.frames
    for (const link of this.#links) count += link.totals.unconfirmed
    return count
  }

  /** {@link inFlightFrames} of one lane. */
  inFlightFramesOf(lane: Lane): number {
    let count = this.#queue.framesOf(lane)
    for (const { totals } of this.#links) count += totals.written[lane] - totals.confirmed[lane]
    return count
  }

  /** Last measured round trip, ms; NaN while there is none. */
  get roundTripMs(): number {
    return this.#link?.roundTripMs ?? Number.NaN
  }

  /** Hangs the peer on a link that has just come up. For the mesh. */
  attach(link: Link, nowMs: number): void {
    this.#link = link
    this.#links.add(link)
    this.#frameBytesMax = link.frameBytesMax
    this.#controlFrameBytesMax = Math.min(link.frameBytesMax, wholeFrameBytesLimit)
    this.#queue.cutAt(this.#fragmentBytesMax, link.takesFragments, link.takesBlocks)
    this.creation = link.remote!.creation
    this.version = link.remote!.version
    this.linkedSinceMs = nowMs
    this.vainDials = 0
    this.linked = true
    this.#flushSoon()
  }

  /** Takes no more messages; what is queued may still leave. For the mesh. */
  refuseSends(): void {
    this.linked = false
  }

  /** No link is to come: nobody may wait any more. For the mesh. */
  retire(): void {
    this.#isRetired = true
    this.#host.budget.leave(this)
    if (this.#waiters.size > 0) this.#waiters.dismiss(this.#gone())
  }

  /** For the budget. */
  shareChanged(): void {
    this.#queue.settle()
  }

  /** For the budget. */
  roomAgain(): void {
    if (this.#hasRefused || this.#waiters.size > 0) this.#flushSoon()
  }

  /** Off its link: what was not written is lost. For the mesh. */
  detach(): void {
    for (let lane = 0; lane < laneCount; lane++)
      this.ledger.lanes[lane as Lane].lost += this.#queue.framesOf(lane as Lane)
    this.#queue.clear()
    this.#link = undefined
    this.linked = false
    this.creation = 0
    this.linkedSinceMs = 0
  }

  /** A link's stream has ended: what it did not confirm is lost. For the mesh. */
  settle(link: Link): void {
    if (!this.#links.delete(link)) return
    for (let lane = 0; lane < laneCount; lane++)
      this.ledger.lanes[lane as Lane].lost += link.totals.written[lane]! - link.totals.confirmed[lane]!
  }

  /** The stream takes bytes again. For the mesh. */
  writable(): void {
    this.#queue.hold(0)
    this.flush()
  }

  /** Writes what is queued, as far as the stream takes it. For the mesh. */
  flush(): void {
    this.#dirty = false
    const link = this.#link
    if (link === undefined) return
    const frames = this.#framesByLane
    while (!link.blocked && !this.#queue.empty) {
      frames.fill(0)
      const bytes = this.#queue.take(this.#writeBytesMax, this.#chunks, frames)
      if (bytes === 0) break
      link.writeMessages(this.#chunks, frames)
      this.#queue.written(link.isWrittenOut)
      this.#chunks.length = 0
      for (let lane = 0; lane < laneCount; lane++) this.ledger.lanes[lane as Lane].written += frames[lane]!
      if (link.blocked) this.#queue.hold(bytes)
    }
    if (this.#hasRefused && this.#queue.roomy) {
      this.#hasRefused = false
      this.#host.drained(this)
    }
    if (this.#waiters.size > 0 && this.#isReady) this.#wake()
  }

  #flushSoon(): void {
    if (this.#dirty) return
    this.#dirty = true
    this.#host.flushSoon(this)
  }

  #wake(): void {
    const room = this.#queue.dataBytesMax - this.#queue.bytes
    this.#waiters.wake(Math.max(1, Math.floor(room / wakeRoomBytes)))
    if (this.#waiters.size > 0) this.#flushSoon()
  }
}
