/**
 * What is said with one linked peer: questions and answers, changes, and the comparison of what both hold.
 *
 * Nothing that comes in is believed beyond the peer's own members, and what no honest peer does ends the link. Invariant: a
 * difference from what the peer says of itself is asked about, at a bounded rate, until there is none.
 */
import { Allowance } from './allowance.ts'
import {
  type AudienceKind,
  type ChangeFrame,
  type DiscoverFrame,
  decodeFrame,
  encodeFrame,
  type Frame,
  FrameKind,
  isKnownKind,
  type Standing,
  type StateFrame,
  type SyncFrame,
  weightOf,
} from './exchange.ts'
import type { OpenScope } from './groups.ts'
import { Inbox } from './inbox.ts'
import type { Link } from './link.ts'
import type { RoutingOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import type { CutOffReason, Difference, RegistryCounts, RegistryEvents } from './registry-events.ts'
import type { Holding } from './scope.ts'

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
  send(link: Link, kind: number, payload: Uint8Array): boolean
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
  readonly #inboxes = new Map<string, Inbox>()
  #isStateDue = false
  #isCutOff = false
  readonly #questions: Allowance
  readonly #differences: Allowance
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
    this.#differences = new Allowance(limits.asksPerSecond, limits.asksBurst, nowMs)
    this.#bytes = new Allowance(limits.peerBytesPerSecond, limits.peerBytesBurst, nowMs)
    this.#members = new Allowance(limits.peerMembersPerSecond, limits.peerMembersBurst, nowMs)
    for (const name of host.scopes.keys()) this.opened(name, false)
  }

  /** A scope is open here, and the peer is asked about it; `wantsDiscover` when it may have asked before in vain. */
  opened(name: string, wantsDiscover: boolean): void {
    this.#outboxes.set(name, new Outbox())
    this.#inboxes.set(name, new Inbox(this.link.node, this.creation, this.#host.limits.nodeMembersMax))
    this.#asks.set(name, wantsDiscover)
  }

  /** A scope is closed here; the peer will see that it is no longer among ours. */
  closed(name: string): void {
    this.#outboxes.delete(name)
    this.#inboxes.delete(name)
    this.#asks.delete(name)
    this.#isStateDue = true
  }

  /** The peer may see other groups than before. */
  set audience(audience: AudienceKind) {
    if (audience === this.#audience) return
    this.#audience = audience
    for (const outbox of this.#outboxes.values()) outbox.audienceChanged()
  }

  /** The peer shall compare what it holds. */
  compare(): void {
    this.#isStateDue = true
  }

  /** Sends what is due; false when something was refused, or must wait. */
  flush(): boolean {
    if (this.#isCutOff) return true
    if (!this.#sendAsks()) return false
    let isPaced = false
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
      const send = ({ kind, payload }: { kind: number; payload: Uint8Array }) =>
        this.#host.send(this.link, kind, payload)
      if (!outbox.flush(audience, send)) return false
    }
    return this.#sendState() && !isPaced
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
      else if (!this.#members.take(weightOf(frame.entries), this.#host.nowMs()))
        this.#cutOff('flood', 'too many members')
      else if (frame.kind === FrameKind.sync) this.#takeSync(open, frame)
      else this.#takeChange(open, frame)
    }
  }

  #takeDiscover({ asks }: DiscoverFrame): void {
    for (const { scope, wantsDiscover, held } of asks) {
      const outbox = this.#outboxes.get(scope)
      if (outbox) {
        outbox.asked(held)
        if (wantsDiscover && !this.#asks.has(scope)) this.#asks.set(scope, false)
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
      if (standing) this.#compare(open, standing)
      else if (!scopes.has(open.name)) this.#scopeClosed(open)
      else if (!this.#inboxes.get(open.name)!.isHeard) this.#ask(open)
      if (this.#isCutOff) return
    }
  }

  /** The peer has no such scope, or no longer. */
  #scopeClosed(open: OpenScope): void {
    this.#outboxes.get(open.name)!.closed()
    if (this.#holding(open)) open.forget(this.link.node)
  }

  #compare(open: OpenScope, { audience, number, digest }: Standing): void {
    const holding = this.#confirmed(open)
    const held = holding?.standing
    if (!holding || !held || held.audience !== audience || held.number < number) {
      this.#differ(open, 'behind', true)
    } else if (held.number > number) {
      const isNew = this.#inboxes.get(open.name)!.wrong === undefined
      this.#differ(open, 'went-back', true)
      if (isNew) this.#cutOff('numbers', `${open.name} went back from ${held.number} to ${number}`)
    } else if (!holding.roster.digest.equals(digest)) this.#differ(open, 'digest', true)
    else {
      this.#host.counts.agreed += 1
      this.#agreed(open, number)
    }
  }

  #takeSync(open: OpenScope, frame: SyncFrame): void {
    const { counts } = this.#host
    this.#confirmed(open)
    const gathered = this.#inboxes.get(open.name)!.gather(frame)
    if (gathered === 'more') return
    if (gathered === 'out-of-order') {
      counts.outOfOrder += 1
      this.#differ(open, 'damaged', false)
    } else if (gathered === 'too-many') this.#tooMany(open)
    else if (gathered === 'damaged') {
      counts.damaged += 1
      this.#differ(open, 'damaged', true)
    } else {
      counts.syncs += 1
      const holding = open.replace(gathered, this.creation, frame.standing)
      holding.sinceMs = this.#host.nowMs()
      this.#agreed(open, frame.standing.number)
    }
  }

  #takeChange(open: OpenScope, frame: ChangeFrame): void {
    const { counts, limits } = this.#host
    const holding = this.#confirmed(open)
    const { audience, from, to, digest, entries } = frame
    if (!holding || holding.standing.audience !== audience || from > holding.standing.number) {
      counts.gaps += 1
      this.#differ(open, 'gap', false)
    } else if (to <= holding.standing.number) counts.duplicates += 1
    else if (open.scope.sizeAfter(holding, entries, limits.nodeMembersMax) > limits.nodeMembersMax)
      this.#tooMany(open)
    else {
      counts.changes += 1
      open.apply(holding, entries)
      holding.standing = { audience, number: to, digest: digest ?? holding.roster.digest }
      holding.sinceMs = this.#host.nowMs()
      if (!digest) return
      if (holding.roster.digest.equals(digest)) this.#agreed(open, to)
      else this.#differ(open, 'digest', false)
    }
  }

  #tooMany(open: OpenScope): void {
    const { counts, limits } = this.#host
    counts.overLimit += 1
    this.#cutOff('members', `more than ${limits.nodeMembersMax} members in ${open.name}`)
  }

  /** What is held of the peer; it has just said something of that scope. */
  #confirmed(open: OpenScope): Holding | undefined {
    this.#inboxes.get(open.name)!.isHeard = true
    const holding = this.#holding(open)
    if (holding) holding.isConfirmed = true
    return holding
  }

  #holding(open: OpenScope): Holding | undefined {
    const holding = open.scope.holding(this.link.node)
    return holding?.creation === this.creation ? holding : undefined
  }

  /** Asks about a difference; `again` also when a question about it is under way already. */
  #differ(open: OpenScope, why: Difference, again: boolean): void {
    const inbox = this.#inboxes.get(open.name)!
    const isNew = inbox.wrong === undefined
    if (!isNew && !again) return
    if (!this.#differences.take(1, this.#host.nowMs())) {
      this.#cutOff('numbers', `${open.name} still differs: ${why}`)
      return
    }
    inbox.wrong ??= why
    this.#host.counts.differences += 1
    if (isNew) this.#host.events.differed?.({ ...this.#self(), scope: open.name, why })
    this.#ask(open)
  }

  #ask(open: OpenScope): void {
    if (!this.#asks.has(open.name)) this.#asks.set(open.name, false)
    this.#host.due()
  }

  #agreed(open: OpenScope, number: number): void {
    const inbox = this.#inboxes.get(open.name)!
    const why = inbox.wrong
    if (why === undefined) return
    inbox.wrong = undefined
    this.#host.counts.repairs += 1
    this.#host.events.repaired?.({ ...this.#self(), scope: open.name, why, number })
  }

  #cutOff(reason: CutOffReason, detail: string): void {
    const { counts, events } = this.#host
    if (reason === 'garbage') counts.cutOffGarbage += 1
    else if (reason === 'numbers') counts.cutOffNumbers += 1
    else if (reason === 'members') counts.cutOffMembers += 1
    else counts.cutOffFlood += 1
    events.cutOff?.({ ...this.#self(), reason, detail })
    if (!this.link.cutOff) return
    this.#isCutOff = true
    this.link.cutOff(`${reason}: ${detail}`)
  }

  #self() {
    return { node: this.link.node, creation: this.creation }
  }

  #sendAsks(): boolean {
    if (this.#asks.size === 0) return true
    const asks = Array.from(this.#asks, ([scope, wantsDiscover]) => {
      const holding = this.#holding(this.#host.scopes.get(scope)!)
      const held = holding && { ...holding.standing, digest: holding.roster.digest }
      return { scope, wantsDiscover, held }
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
