/**
 * What is said with one linked peer: questions and answers, changes, and states to compare with.
 *
 * What the peer tells of its own members goes on to `hearing.ts`. Invariants: what no honest peer does ends the link, and after that
 * nothing is heard; a peer gets no more answers than a bounded rate allows.
 */
import { Allowance } from './allowance.ts'
import {
  type AudienceKind,
  type DiscoverFrame,
  decodeFrame,
  encodeFrame,
  type Frame,
  FrameKind,
  isKnownKind,
  type Standing,
  type StateFrame,
} from './exchange.ts'
import { Hearing } from './hearing.ts'
import type { Link } from './link.ts'
import type { OpenScope } from './open-scope.ts'
import type { RoutingOptions } from './options.ts'
import { type Flushed, Outbox, type Way } from './outbox.ts'
import type { CutOffReason, RegistryCounts, RegistryEvents } from './registry-events.ts'

/** Bytes that a frame counts for beyond its own, in what a peer may send. */
const frameCostBytes = 64

/** What a conversation needs of its registry. */
export interface ConversationHost {
  readonly limits: RoutingOptions
  readonly counts: RegistryCounts
  readonly events: RegistryEvents
  readonly scopes: ReadonlyMap<string, OpenScope>
  nowMs(): number
  /** Sends one frame of the registry; false when it was refused. */
  send(link: Link, kind: FrameKind, payload: Uint8Array): boolean
  /** Whether a sync may add to what waits for the peer. */
  hasRoom(link: Link): boolean
  /** Something is due: flush at the end of this turn. */
  due(): void
}

export class Conversation {
  readonly link: Link
  readonly creation: number
  #audience: AudienceKind
  readonly #host: ConversationHost
  /** Scopes to ask about, and whether the peer shall ask back. */
  readonly #asks = new Map<string, boolean>()
  readonly #outboxes = new Map<string, Outbox>()
  #isStateDue = false
  #isCutOff = false
  readonly #questions: Allowance
  readonly #hearing: Hearing
  readonly #way: Way
  readonly #bytes: Allowance
  readonly #members: Allowance

  constructor(link: Link, audience: AudienceKind, host: ConversationHost) {
    this.link = link
    this.creation = link.creation
    this.#audience = audience
    this.#host = host
    const { limits } = host
    const nowMs = host.nowMs()
    this.#questions = new Allowance(limits.asksPerSecond, limits.asksBurst, nowMs)
    this.#bytes = new Allowance(limits.peerBytesPerSecond, limits.peerBytesBurst, nowMs)
    this.#members = new Allowance(limits.peerMembersPerSecond, limits.peerMembersBurst, nowMs)
    this.#way = {
      send: ({ kind, payload }) => host.send(link, kind, payload),
      hasRoom: () => host.hasRoom(link),
    }
    const ask = (scope: string) => this.#ask(scope)
    const cutOff = (reason: CutOffReason, detail: string) => this.#cutOff(reason, detail)
    this.#hearing = new Hearing({ node: link.node, creation: link.creation }, { ...host, ask, cutOff })
    for (const name of host.scopes.keys()) this.opened(name, false)
  }

  /** A scope is open here, and the peer is asked about it; `wantsDiscover` when it may have asked before in vain. */
  opened(name: string, wantsDiscover: boolean): void {
    this.#outboxes.set(name, new Outbox())
    this.#hearing.opened(name)
    this.#asks.set(name, wantsDiscover)
  }

  /** A scope is closed here; the peer will see that it is no longer among ours. */
  closed(name: string): void {
    this.#outboxes.delete(name)
    this.#hearing.closed(name)
    this.#asks.delete(name)
    this.#isStateDue = true
  }

  /** The peer may see other groups than before. */
  set audience(audience: AudienceKind) {
    if (audience === this.#audience) return
    this.#audience = audience
    for (const outbox of this.#outboxes.values()) outbox.audienceChanged()
  }

  /** The peer shall compare what it holds, unless it has had an answer about every scope since the last time. */
  compare(): void {
    for (const outbox of this.#outboxes.values()) {
      if (!outbox.takeFresh()) this.#isStateDue = true
    }
  }

  /** Sends what is due; a question too many counts as refused. */
  flush(): Flushed {
    if (this.#isCutOff) return 'sent'
    if (!this.#sendAsks()) return 'refused'
    let isPaced = false
    let isPaused = false
    for (const [name, outbox] of this.#outboxes) {
      if (!outbox.isWanted) continue
      if (outbox.isAsked && !this.#questions.take(1, this.#host.nowMs())) {
        isPaced = true
        continue
      }
      const audience = this.#host.scopes.get(name)!.audience(this.#audience)
      if (outbox.isAsked) {
        if (outbox.answer(audience)) this.#isStateDue = true
        if (outbox.isResuming) this.#host.counts.resumes += 1
      }
      const flushed = outbox.flush(audience, this.#way)
      if (flushed === 'refused') return 'refused'
      if (flushed === 'paused') isPaused = true
    }
    if (!this.#sendState() || isPaced) return 'refused'
    return isPaused ? 'paused' : 'sent'
  }

  /** Takes a frame; whatever is wrong with it is counted, and harms nobody else. */
  receive(body: Uint8Array): void {
    const { counts } = this.#host
    if (this.#isCutOff) return
    if (!this.#bytes.take(body.length + frameCostBytes, this.#host.nowMs())) {
      this.#cutOff('flood', 'too many bytes')
      return
    }
    if (body.length > 0 && !isKnownKind(body[0])) {
      counts.unknownKind += 1
      return
    }
    const frame = decodeFrame(body)
    if (frame) this.#take(frame)
    else {
      counts.bad += 1
      this.#cutOff('garbage', `no frame: ${body.length} bytes, kind ${body[0] ?? 'none'}`)
    }
  }

  #take(frame: Frame): void {
    if (frame.kind === FrameKind.discover) this.#takeDiscover(frame)
    else if (frame.kind === FrameKind.state) this.#takeState(frame)
    else {
      const open = this.#host.scopes.get(frame.scope)
      if (!open) this.#host.counts.unknownScope += 1
      else if (!this.#members.take(this.#hearing.costOf(open, frame.entries), this.#host.nowMs()))
        this.#cutOff('flood', 'too many members')
      else if (frame.kind === FrameKind.sync) this.#hearing.takeSync(open, frame)
      else this.#hearing.takeChange(open, frame)
    }
  }

  #takeDiscover({ asks }: DiscoverFrame): void {
    for (const { scope, wantsDiscover, held } of asks) {
      const outbox = this.#outboxes.get(scope)
      if (outbox) {
        outbox.asked(held)
        if (wantsDiscover) this.#ask(scope)
      } else {
        this.#host.counts.unknownScope += 1
        // The peer must hear that the scope is closed here.
        if (held) this.#isStateDue = true
      }
    }
    this.#host.due()
  }

  #takeState({ scopes }: StateFrame): void {
    for (const open of this.#host.scopes.values()) {
      const standing = scopes.get(open.name)
      if (standing) this.#hearing.compare(open, standing)
      else if (!scopes.has(open.name)) this.#scopeClosed(open)
      else if (!this.#hearing.isHeard(open.name)) this.#ask(open.name)
      if (this.#isCutOff) return
    }
  }

  /** The peer has no such scope, or no longer. */
  #scopeClosed(open: OpenScope): void {
    this.#outboxes.get(open.name)!.closed()
    if (this.#hearing.holding(open)) open.forget(this.link.node)
  }

  #ask(scope: string): void {
    if (!this.#asks.has(scope)) this.#asks.set(scope, false)
    this.#host.due()
  }

  #cutOff(reason: CutOffReason, detail: string): void {
    if (this.#isCutOff) return
    const { counts, events } = this.#host
    if (reason === 'garbage') counts.cutOffGarbage += 1
    else if (reason === 'numbers') counts.cutOffNumbers += 1
    else if (reason === 'members') counts.cutOffMembers += 1
    else counts.cutOffFlood += 1
    events.cutOff?.({ node: this.link.node, creation: this.creation, reason, detail })
    if (!this.link.cutOff) return
    this.#isCutOff = true
    this.link.cutOff(`${reason}: ${detail}`)
  }

  #sendAsks(): boolean {
    if (this.#asks.size === 0) return true
    const asks = Array.from(this.#asks, ([scope, wantsDiscover]) => {
      return { scope, wantsDiscover, held: this.#hearing.standing(this.#host.scopes.get(scope)!) }
    })
    const frame: Frame = { kind: FrameKind.discover, asks }
    if (!this.#host.send(this.link, frame.kind, encodeFrame(frame))) return false
    this.#asks.clear()
    return true
  }

  #sendState(): boolean {
    if (!this.#isStateDue) return true
    const scopes = new Map<string, Standing | undefined>()
    for (const [name, outbox] of this.#outboxes) {
      const audience = outbox.isWanted && this.#host.scopes.get(name)!.audience(this.#audience)
      scopes.set(name, audience && outbox.hasTold(audience) ? audience.standing : undefined)
    }
    const frame: Frame = { kind: FrameKind.state, scopes }
    if (!this.#host.send(this.link, frame.kind, encodeFrame(frame))) return false
    this.#isStateDue = false
    return true
  }
}
