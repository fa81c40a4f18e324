/**
 * One byte stream to another node, from its first byte to its last: handshake, messages in and out, heartbeat, goodbye.
 *
 *   greeting ──▶ deciding ──▶ up ──▶ closing ──▶ gone
 *      └────────────┴──────────┴───────▲──────────▲
 *
 * Reading and writing never touch. A link knows no peers and keeps no timer: its owner sweeps it, and hears of each change.
 * Invariants: `closed` comes exactly once, when the link leaves service; `gone` exactly once, when its stream has ended;
 * between them the link only says its goodbye and hears the other's last totals.
 */

import type { ArrivalBudget } from './arrival-budget.ts'
import { blockOf, type FrameSink } from './block.ts'
import type { CloseReason } from './close-reason.ts'
import { blocksFeature, featureMask, fragmentsFeature } from './features.ts'
import { wholeFrameBytesLimit } from './fragments.ts'
import type { Greeting } from './greeting.ts'
import { handshakeFrameBytesMax } from './greeting.ts'
import { Handshake, type HandshakeSelf, type HandshakeStep, type Refusal } from './handshake.ts'
import { Heartbeat } from './heartbeat.ts'
import type { LaneTotals } from './ledger.ts'
import type { LinkOwner } from './link-owner.ts'
import { LinkTotals } from './link-totals.ts'
import type { MeshOptions } from './options.ts'
import type { Clock, Stream, StreamHandler } from './ports.ts'
import { overflowed, Reassembly } from './reassembly.ts'
import { type Lane, laneCount } from './sent.ts'
import { Splitter } from './splitter.ts'
import { decodeBeat, decodeGoodbye, encodeBeat, encodeGoodbye, FrameKind, type Goodbye } from './wire.ts'

const fragmentsMask = featureMask([fragmentsFeature])
/** Blocks are bounded by what fragments bound. */
const blocksMask = featureMask([fragmentsFeature, blocksFeature])

export type LinkState = 'greeting' | 'deciding' | 'up' | 'closing' | 'gone'

export class Link implements StreamHandler, FrameSink {
  /** Whom we dialled; `undefined` for an accepted stream. */
  readonly target: string | undefined
  readonly remoteAddress: string
  state: LinkState = 'greeting'
  /** Whether it ever was up. */
  wasUp = false
  /** A dialled stream has connected; accepted ones are born so. */
  connected: boolean
  /** The stream is full: nothing may be written until `writable`. */
  blocked = false
  /** What passed on it, as both ends count. */
  readonly totals = new LinkTotals()
  /** Who hears of it; an accepted stream changes hands once it has said who it is. */
  owner: LinkOwner
  readonly #clock: Clock
  readonly #options: MeshOptions
  readonly #stream: Stream
  readonly #handshake: Handshake
  readonly #splitter: Splitter
  readonly #reassembly: Reassembly
  readonly #heartbeat: Heartbeat
  #pingedMs = Number.NaN
  /** What both ends can do, once the other has said so. */
  readonly #ownFeatures: number
  /** What both ends take: fragments, and everything in blocks. */
  #inFragments = false
  #inBlocks = false
  /** By when the handshake, or later the goodbye, must be done. */
  #deadlineMs: number
  #pingDue = false
  /** A probe waits for the stream to take its ping. */
  #probeDue = false
  /** The read under way has completed a frame. */
  #framed = false
  /** The time in a ping that waits for our pong; NaN for none. Only the last one counts. */
  #pongDueMs = Number.NaN

  constructor(
    stream: Stream,
    target: string | undefined,
    self: HandshakeSelf,
    options: MeshOptions,
    clock: Clock,
    arrivals: ArrivalBudget,
    owner: LinkOwner,
  ) {
    this.target = target
    this.remoteAddress = stream.remoteAddress
    this.connected = target === undefined
    this.#stream = stream
    this.#options = options
    this.#clock = clock
    this.owner = owner
    this.#ownFeatures = self.greeting.features
    this.#handshake = new Handshake(
      self,
      target,
      remote => this.owner.screen(this, remote),
      () => stream.peerNames,
    )
    this.#splitter = new Splitter(this, handshakeFrameBytesMax)
    this.#reassembly = new Reassembly(options.frameBytesMax, arrivals)
    const nowMs = clock.nowMs()
    this.#heartbeat = new Heartbeat(options, nowMs)
    this.#deadlineMs = nowMs + options.handshakeTimeoutMs
    stream.attach(this)
  }

  /** The other end's greeting; proven from `deciding` on. */
  get remote(): Greeting | undefined {
    return this.#handshake.remote
  }

  /** Whether the other end takes fragments. */
  get takesFragments(): boolean {
    return this.#bothCan(fragmentsMask)
  }

  /** Whether everything travels in blocks. */
  get takesBlocks(): boolean {
    return this.#bothCan(blocksMask)
  }

  /** Longest message that both ends take, as a frame. */
  get frameBytesMax(): number {
    return Math.min(this.#options.frameBytesMax, this.remote?.frameBytesMax ?? 0)
  }

  /** Last measured round trip of a ping, ms; NaN before the first. */
  get roundTripMs(): number {
    return this.#heartbeat.roundTripMs
  }

  /** Takes a proven dialler: the link is up. */
  admit(): void {
    this.#write(this.#handshake.verdict(undefined))
    this.#open()
  }

  /** Turns a proven dialler away, with a reason that it can believe. */
  refuse(refusal: Refusal): void {
    this.#write(this.#handshake.verdict(refusal))
    this.#leave(refusal.reason, refusal.detail, false)
    this.#stream.end()
  }

  /** Writes whole message frames; counts them in `written`. Only while `up` or flushing, and not while `blocked`. */
  writeMessages(chunks: readonly Uint8Array[], framesByLane: readonly number[]): void {
    for (let lane = 0; lane < laneCount; lane++) this.totals.written[lane]! += framesByLane[lane]!
    if (!this.#stream.write(chunks)) this.blocked = true
  }

  /** Whether the memory of all that was written may be used again. */
  get isWrittenOut(): boolean {
    return this.#stream.isWrittenOut === true
  }

  /** Leaves service and tells the other end why; the stream ends when it has answered, or at the deadline. */
  close(reason: CloseReason, detail: string): void {
    if (this.state === 'closing' || this.state === 'gone') return
    const awaitsTotals = this.state === 'up'
    this.#sayGoodbye(reason === 'local-stop' ? 'goodbye' : reason, detail)
    this.#leave(reason, detail, false)
    if (!this.connected) this.destroy()
    else if (!awaitsTotals) this.#stream.end()
  }

  /** Ends a link that is beyond words: silent, or never connected. */
  drop(reason: CloseReason, detail: string): void {
    this.#leave(reason, detail, false)
    this.#stream.destroy()
  }

  /** Ends the stream at once, whatever is still on it. */
  destroy(): void {
    this.#stream.destroy()
  }

  /** Asks the other end for a sign of life within `probeTimeoutMs`: `answered`, or the link is dropped. */
  probe(): void {
    this.#probeDue = true
    this.#ping(this.#clock.nowMs())
  }

  /** Our own loop stood still for `ms`: nothing of that counts against the other end. */
  excuse(ms: number, nowMs: number): void {
    this.#heartbeat.excuse(ms, nowMs)
    this.#deadlineMs += ms
  }

  /** Called often (see `sweepIntervalMs`): pings, and ends what has been silent or slow for too long. */
  sweep(nowMs: number): void {
    if (this.state === 'up') this.#sweepUp(nowMs)
    else if (nowMs < this.#deadlineMs) return
    else if (this.state === 'closing') this.destroy()
    else if (this.connected)
      this.close('handshake-timeout', `not done in ${this.#options.handshakeTimeoutMs} ms`)
    else this.drop('refused', `no connection in ${this.#options.handshakeTimeoutMs} ms`)
  }

  onOpen(): void {
    this.connected = true
    if (this.state === 'greeting') this.#write(this.#handshake.hello())
  }

  onData(bytes: Uint8Array): void {
    const nowMs = this.#clock.nowMs()
    this.#heartbeat.heard(nowMs)
    this.#framed = false
    const wrong = this.#splitter.push(bytes)
    if (wrong !== undefined) this.#badFrame(wrong)
    else if (this.#framed) this.#heartbeat.framed(nowMs)
  }

  room(): Uint8Array | undefined {
    return this.#splitter.room()
  }

  onDrain(): void {
    this.blocked = false
    if (this.state !== 'up') return
    if (this.#pingDue) this.#ping(this.#clock.nowMs())
    if (!Number.isNaN(this.#pongDueMs)) this.#pong(this.#pongDueMs)
    this.owner.writable(this)
  }

  onUnproven(why: string): void {
    if (this.connected) this.close('wrong-certificate', why)
    else this.drop('wrong-certificate', why)
  }

  onClose(error: string | undefined): void {
    this.#leave(this.connected ? 'stream-closed' : 'refused', error ?? 'ended by the other end', false)
    this.state = 'gone'
    this.#splitter.stop()
    this.#reassembly.clear()
    this.owner.gone(this)
  }

  frame(kind: number, lane: number, channel: number, body: Uint8Array, isOwn: boolean): void {
    this.#framed = true
    if (
      kind === FrameKind.message &&
      this.state === 'up' &&
      lane < laneCount &&
      !this.#reassembly.busy(lane)
    ) {
      this.totals.received[lane]!++
      this.owner.message(this, channel, lane as Lane, body, isOwn)
    } else if (kind === FrameKind.fragment && this.state === 'up' && this.#inFragments)
      this.#fragment(lane, channel, body)
    else if (this.state === 'up') this.#upFrame(kind, body)
    else if (this.state === 'greeting') this.#step(this.#handshake.receive(kind, body))
    // A dialler may think better of it while we make up our mind.
    else if (this.state === 'deciding' && kind === FrameKind.goodbye) this.earlyGoodbye(body)
    else if (this.state === 'closing') this.#closingFrame(kind, body)
    else this.#badFrame(`frame kind ${kind} before the welcome`)
  }

  #bothCan(mask: number): boolean {
    return (this.#ownFeatures & (this.remote?.features ?? 0) & mask) === mask
  }

  #step(step: HandshakeStep): void {
    switch (step.do) {
      case 'send':
        this.#write(step.frame)
        break
      case 'decide':
        this.state = 'deciding'
        this.owner.proven(this)
        break
      case 'open':
        this.#open()
        this.owner.opened(this)
        break
      case 'refuse':
        this.close(step.reason, step.detail)
        break
      case 'refused':
        this.#leave(step.reason, step.detail, true)
        this.#stream.end()
        break
    }
  }

  #open(): void {
    this.state = 'up'
    this.wasUp = true
    const { frameBytesMax } = this.#options
    this.#inFragments = this.takesFragments
    this.#inBlocks = this.takesBlocks
    if (this.#inBlocks) this.#splitter.expectBlocks()
    else
      this.#splitter.frameBytesMax = this.#inFragments
        ? Math.min(frameBytesMax, wholeFrameBytesLimit)
        : frameBytesMax
    this.#deadlineMs = Number.POSITIVE_INFINITY
  }

  #sweepUp(nowMs: number): void {
    switch (this.#heartbeat.duty(nowMs, this.totals.untold)) {
      case 'ping':
        this.#ping(nowMs)
        break
      case 'silent':
        this.drop('heartbeat-timeout', `nothing heard for ${Math.round(this.#heartbeat.silentMs(nowMs))} ms`)
        break
      case 'unanswered':
        this.drop(
          'heartbeat-timeout',
          `a probe stayed without an answer for ${this.#options.probeTimeoutMs} ms`,
        )
        break
      case 'unframed':
        this.drop('heartbeat-timeout', 'bytes came, and never a whole frame')
        break
    }
  }

  #fragment(lane: number, channel: number, fragment: Uint8Array): void {
    const body = this.#reassembly.take(lane, channel, fragment)
    if (body === undefined) return
    if (body !== overflowed && 'wrong' in body) {
      this.#badFrame(body.wrong)
      return
    }
    this.totals.received[lane]!++
    if (body === overflowed) this.owner.overflowed(this, lane as Lane)
    else this.owner.message(this, channel, lane as Lane, body, true)
  }

  #upFrame(kind: number, body: Uint8Array): void {
    const isPing = kind === FrameKind.ping
    if (kind === FrameKind.goodbye) this.#receiveGoodbye(body)
    else if (isPing || kind === FrameKind.pong) {
      const beat = decodeBeat(body)
      if (beat === undefined || !this.#confirm(beat.received)) this.#badFrame('a heartbeat that cannot be')
      else if (isPing) this.#pong(beat.timeMs)
      else this.#ponged(beat.timeMs)
    } else this.#badFrame(`frame kind ${kind} on a live link`)
  }

  earlyGoodbye(body: Uint8Array): void {
    const goodbye = decodeGoodbye(body)
    if (goodbye === undefined) this.#badFrame('a goodbye that cannot be')
    else if (this.state === 'closing') this.#stream.end()
    else this.#heedGoodbye(goodbye)
  }

  #receiveGoodbye(body: Uint8Array): void {
    const goodbye = decodeGoodbye(body)
    if (goodbye === undefined || !this.#confirm(goodbye.received)) this.#badFrame('a goodbye that cannot be')
    else this.#heedGoodbye(goodbye)
  }

  #heedGoodbye(goodbye: Goodbye): void {
    this.#sayGoodbye('goodbye', '')
    this.#leave(goodbye.reason, goodbye.detail, true)
    this.#stream.end()
  }

  /** We have left; all that still matters is the other's goodbye with its last totals. What else comes is lost, and not counted as received. */
  #closingFrame(kind: number, body: Uint8Array): void {
    if (kind !== FrameKind.goodbye) return
    const goodbye = decodeGoodbye(body)
    // Of a link that never was up nobody has counted anything, and nothing vouches for what its totals say.
    if (goodbye !== undefined && this.wasUp) this.#confirm(goodbye.received)
    this.#stream.end()
  }

  /** Takes the other end's totals; false if they cannot be. */
  #confirm(received: LaneTotals): boolean {
    const { confirmed } = this.totals
    const doubt = this.totals.doubt(received)
    if (doubt !== undefined) {
      this.owner.alarm(this, doubt)
      return false
    }
    for (let lane = 0; lane < laneCount; lane++) {
      const count = received[lane]! - confirmed[lane]!
      confirmed[lane] = received[lane]!
      if (count > 0) this.owner.confirmed(this, lane as Lane, count)
    }
    return true
  }

  #ping(nowMs: number): void {
    this.#pingDue = this.blocked
    if (this.blocked) return
    // Its time begins as its ping leaves: who cannot be asked has not failed to answer.
    if (this.#probeDue) this.#heartbeat.probe(nowMs)
    this.#probeDue = false
    this.#heartbeat.pinged(nowMs)
    this.#pingedMs = nowMs
    this.totals.pinged()
    this.#writeBeat(FrameKind.ping, nowMs)
  }

  #ponged(timeMs: number): void {
    if (this.#heartbeat.ponged(timeMs, this.#clock.nowMs())) this.owner.answered(this)
    if (timeMs !== this.#pingedMs) return
    for (const gap of this.totals.gaps()) this.owner.alarm(this, gap)
  }

  #pong(timeMs: number): void {
    this.#pongDueMs = this.blocked ? timeMs : Number.NaN
    if (!this.blocked) this.#writeBeat(FrameKind.pong, timeMs)
  }

  #writeBeat(kind: typeof FrameKind.ping | typeof FrameKind.pong, timeMs: number): void {
    this.totals.told()
    this.#write(encodeBeat(kind, { timeMs, received: this.totals.received }))
  }

  #sayGoodbye(reason: CloseReason, detail: string): void {
    if (this.connected) this.#write(encodeGoodbye({ received: this.totals.received, reason, detail }))
  }

  #badFrame(detail: string): void {
    this.close('bad-frame', detail)
    this.#splitter.stop()
    this.#stream.end()
  }

  #write(frame: Uint8Array): void {
    if (!this.#stream.write([this.#inBlocks ? blockOf(frame) : frame])) this.blocked = true
  }

  #leave(reason: CloseReason, detail: string, told: boolean): void {
    if (this.state === 'closing' || this.state === 'gone') return
    this.state = 'closing'
    this.#deadlineMs = this.#clock.nowMs() + this.#options.closeTimeoutMs
    this.owner.closed(this, reason, detail, told)
  }
}
