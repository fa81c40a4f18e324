/**
 * A partition's other half: the stream to it, the stream from it, and when to give one up and begin another.
 *
 * The partner is whoever of the partner's node is a member of the replica group. Our stream to it stands or falls by
 * itself; so does its stream to us. What the streams carry is applied by the partition (`ReplicaHost`).
 * Invariants: an operation goes to the follower that the stream was opened to, or to nobody; a message counts as held
 * by the partner only within the stream in which that was proved.
 */
import type { Pid } from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { CatchUp } from './catch-up.ts'
import type { Contents } from './contents.ts'
import type { Entry } from './mailbox.ts'
import type { StoredMessage } from './messages.ts'
import type { MailboxOptions } from './options.ts'
import type {
  Acknowledged,
  Answer,
  Have,
  MessageKey,
  Operation,
  Operations,
  PartnerMessage,
  SessionClaim,
} from './replication.ts'
import type { MailboxStats } from './stats.ts'
import { Incoming, isYounger, Outgoing } from './stream.ts'

const operationBytes = 80

/** The partition, as its replica sees it. */
export interface ReplicaHost {
  /** Name of this node. */
  readonly node: string
  nowMs(): number
  cast(to: Pid, message: PartnerMessage): Sent
  /** The partner has this message, which was not held here and now is. */
  arrived(entry: Entry): void
  /** The partner holds this message, too. */
  held(entry: Entry): void
  /** The phone has this message, and the partner knows. */
  erase(key: MessageKey): void
  /** The partner has this session. */
  attachedElsewhere(claim: SessionClaim): void
  detached(user: string, session: string): void
  receipt(user: string, by: string, number: number): void
  /** Our stream is gone: until the next one nothing that is done here reaches the partner. */
  broke(reason: string): void
  /** The partner's sessions are unknown from here on. */
  partnerForgotten(): void
}

export class Replica {
  readonly #partnerNode: string | undefined
  readonly #contents: Contents
  readonly #options: MailboxOptions
  readonly #stats: MailboxStats
  readonly #host: ReplicaHost
  readonly #outgoing: Outgoing
  readonly #incoming = new Incoming()
  #partner: Pid | undefined
  #catchUp: CatchUp | undefined
  #answers: Answer[] = []
  #owesAcknowledgement = false
  #sentAll = false
  #receivedAll = false
  #reopenAtMs = Number.POSITIVE_INFINITY
  #reopenMs: number

  constructor(
    partnerNode: string | undefined,
    contents: Contents,
    options: MailboxOptions,
    stats: MailboxStats,
    host: ReplicaHost,
  ) {
    this.#partnerNode = partnerNode
    this.#contents = contents
    this.#options = options
    this.#stats = stats
    this.#host = host
    this.#outgoing = new Outgoing(options.batchBytesMax)
    this.#reopenMs = options.resyncMsMin
  }

  /** True while the replica group has the partner. */
  get isPresent(): boolean {
    return this.#partner !== undefined
  }
  /** True while operations go to the partner. */
  get isOpen(): boolean {
    return this.#outgoing.isOpen
  }
  /** True when each half holds all that the other one held. */
  get isCaughtUp(): boolean {
    return this.isOpen && this.#sentAll && this.#receivedAll
  }
  /** True when the partner holds everything, to the last operation. */
  get isSettled(): boolean {
    return this.isOpen && this.#sentAll && this.#outgoing.unacknowledgedOps === 0
  }
  /** True while {@link tick} has something to watch. */
  get needsTick(): boolean {
    return this.#outgoing.unacknowledgedOps > 0 || this.#reopenAtMs < Number.POSITIVE_INFINITY
  }

  /** Takes the members of the replica group. */
  membersChanged(members: readonly Pid[]): void {
    let partner: Pid | undefined
    for (const pid of members) {
      if (pid.node === this.#partnerNode && (!partner || isYounger(pid, partner))) partner = pid
    }
    if (partner === this.#partner || (partner && this.#partner?.equals(partner))) return
    this.#partner = partner
    this.#break('the partner left the group')
    this.#reopenAtMs = Number.POSITIVE_INFINITY
    if (partner) this.#open(partner)
    else this.#host.partnerForgotten()
  }

  /** Sends a message to keep. */
  append(entry: Entry): void {
    entry.shared = true
    entry.sentIn = this.#outgoing.epoch
    this.#push({ kind: 'append', user: entry.mailbox.user, message: entry.message }, entry.bytes)
  }

  /** Sends any other operation; without a stream it goes nowhere, and the next inventory makes up for it. */
  tell(operation: Exclude<Operation, { kind: 'append' | 'have' | 'end' }>): void {
    if (this.isOpen) this.#push(operation, operationBytes)
  }

  /** True when the partner holds this message now. */
  isHeld(entry: Entry): boolean {
    return this.isOpen && entry.heldIn === this.#outgoing.epoch
  }

  /** True when the stream carries this message already, acknowledged or not. */
  isSent(entry: Entry): boolean {
    return this.isOpen && entry.sentIn === this.#outgoing.epoch
  }

  receive(message: PartnerMessage, from: Pid): void {
    if (from.node !== this.#partnerNode) return
    switch (message.op) {
      case 'operations':
        this.#follow(message, from)
        break
      case 'acknowledged':
        if (this.#isOurs(message.epoch, from)) this.#acknowledged(message)
        break
      case 'resync':
        if (this.#isOurs(message.epoch, from)) this.#break('the partner misses operations')
        break
    }
  }

  /** Sends what the turn has gathered. */
  flush(): void {
    const nowMs = this.#host.nowMs()
    this.#catchUp?.pump(nowMs)
    const { to } = this.#outgoing
    for (const batch of to ? this.#outgoing.take() : []) {
      if (this.#host.cast(to!, batch) === Sent.ok) continue
      this.#break('a send to the partner was refused')
      break
    }
    this.#stats.unacknowledgedOps = this.#outgoing.unacknowledgedOps
    if (!this.#owesAcknowledgement || !this.#incoming.from) return
    this.#owesAcknowledgement = false
    const { from, epoch, received: number } = this.#incoming
    const answers = this.#answers
    this.#answers = []
    // Lost or refused, it is made good by the source, which hears nothing and begins another stream.
    this.#host.cast(from, { op: 'acknowledged', epoch, number, answers })
  }

  /** Looks at the deadlines. */
  tick(): void {
    const nowMs = this.#host.nowMs()
    const silentMs = nowMs - this.#outgoing.progressAtMs
    if (this.#outgoing.unacknowledgedOps > 0 && silentMs > this.#options.partnerSilentMs) {
      this.#break('the partner is silent')
    }
    if (this.#partner && nowMs >= this.#reopenAtMs) this.#open(this.#partner)
  }

  #push(operation: Operation, bytes: number): void {
    this.#outgoing.push(operation, bytes, this.#host.nowMs())
    if (this.#outgoing.unacknowledgedBytes > this.#options.unacknowledgedBytesMax) {
      this.#break('the partner cannot follow')
    }
  }

  #open(partner: Pid): void {
    this.#reopenAtMs = Number.POSITIVE_INFINITY
    this.#sentAll = false
    this.#outgoing.open(partner, this.#host.nowMs())
    if (this.#outgoing.epoch > 1) this.#stats.resyncs += 1
    this.#catchUp = new CatchUp(this.#host.node, this.#contents, this.#outgoing, this.#options, {
      append: entry => this.append(entry),
      held: entry => this.#held(entry),
      erase: key => this.#host.erase(key),
    })
  }

  #break(reason: string): void {
    if (!this.isOpen) return
    this.#outgoing.close()
    this.#catchUp = undefined
    this.#sentAll = false
    this.#reopenAtMs = this.#host.nowMs() + this.#reopenMs
    this.#reopenMs = Math.min(this.#reopenMs * 2, this.#options.resyncMsMax)
    this.#host.broke(reason)
  }

  #isOurs(epoch: number, from: Pid): boolean {
    return epoch === this.#outgoing.epoch && (this.#outgoing.to?.equals(from) ?? false)
  }

  #acknowledged({ number, answers }: Acknowledged): void {
    for (const operation of this.#outgoing.acknowledge(number, this.#host.nowMs())) {
      if (operation.kind === 'append') {
        const { from, number } = operation.message
        const entry = this.#contents.get([operation.user, from, number])
        if (entry) this.#held(entry)
      } else if (operation.kind === 'erase') {
        this.#contents.confirmErased(operation.key)
      } else if (operation.kind === 'end') {
        this.#sentAll = true
        this.#reopenMs = this.#options.resyncMsMin
      }
    }
    for (const answer of answers) this.#catchUp?.answered(answer)
    if (this.#catchUp?.misses(number)) this.#break('an answer of the partner got lost')
  }

  #held(entry: Entry): void {
    entry.shared = true
    if (this.isOpen) entry.heldIn = this.#outgoing.epoch
    this.#host.held(entry)
  }

  #follow(batch: Operations, from: Pid): void {
    const verdict = this.#incoming.accept(from, batch)
    if (verdict === 'stale') return
    if (verdict === 'gap') {
      this.#host.cast(from, { op: 'resync', epoch: batch.epoch })
      return
    }
    if (verdict === 'begin') {
      this.#answers = []
      this.#receivedAll = false
      this.#host.partnerForgotten()
    }
    this.#owesAcknowledgement = true
    for (const [at, operation] of batch.operations.entries()) this.#apply(operation, batch.first + at)
  }

  #apply(operation: Operation, number: number): void {
    switch (operation.kind) {
      case 'append':
        this.#keep(operation.user, operation.message)
        break
      case 'erase':
        this.#host.erase(operation.key)
        break
      case 'attached':
        this.#host.attachedElsewhere(operation.claim)
        break
      case 'detached':
        this.#host.detached(operation.user, operation.session)
        break
      case 'receipt':
        this.#host.receipt(operation.user, operation.by, operation.number)
        break
      case 'have':
        this.#answer(operation, number)
        break
      case 'end':
        this.#receivedAll = true
        break
    }
  }

  #keep(user: string, message: StoredMessage): void {
    const key: MessageKey = [user, message.from, message.number]
    const known = this.#contents.get(key)
    if (known) {
      this.#held(known)
    } else if (this.#contents.erased.has(key)) {
      // The sender repeated it to the partner, which had not heard yet that the phone has it.
      this.#contents.bury(key, !this.isOpen)
      this.tell({ kind: 'erase', key })
    } else {
      this.#stats.replicated += 1
      const { entry } = this.#contents.insert(user, message)
      this.#held(entry)
      this.#host.arrived(entry)
    }
  }

  #answer(have: Have, to: number): void {
    for (const key of have.erased) this.#host.erase(key)
    for (const claim of have.sessions) this.#host.attachedElsewhere(claim)
    const [want, erased, late]: [number[], number[], number[]] = [[], [], []]
    for (const [at, key] of have.messages.entries()) {
      const entry = this.#contents.get(key)
      if (entry) this.#held(entry)
      else if (this.#contents.erased.has(key)) erased.push(at)
      else want.push(at)
      if (this.#contents.isLate(key)) late.push(at)
    }
    this.#answers.push({ to, want, erased, late })
  }
}
