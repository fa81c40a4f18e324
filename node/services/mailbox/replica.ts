/**
 * A partition's other half: the stream to it, and when to give that up and begin another. The stream from it is the
 * `follower`'s.
 *
 * The partner is whoever of the partner's node is a member of the replica group. Our stream to it stands or falls by
 * itself; so does its stream to us.
 * Invariants: an operation goes to the follower that the stream was opened to, or to nobody; a message counts as held
 * by the partner only within the stream in which that was proved.
 */
import type { Pid } from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { CatchUp } from './catch-up.ts'
import type { Contents } from './contents.ts'
import { Follower, type FollowerHost } from './follower.ts'
import type { Entry } from './mailbox.ts'
import type { MailboxOptions } from './options.ts'
import type { Acknowledged, Operation, PartnerMessage } from './replication.ts'
import type { MailboxStats } from './stats.ts'
import { Outgoing } from './stream.ts'

const operationBytes = 80

/** The partition, as its replica sees it: what its follower asks for, and the state of the stream to the partner. */
export interface ReplicaHost extends Omit<FollowerHost, 'bury' | 'began'> {
  /** Name of this node. */
  readonly node: string
  nowMs(): number
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
  readonly #follower: Follower
  #partner: Pid | undefined
  #catchUp: CatchUp | undefined
  #sentAll = false
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
    this.#follower = new Follower(contents, stats, {
      cast: (to, message) => host.cast(to, message),
      arrived: entry => host.arrived(entry),
      held: entry => this.#held(entry),
      erase: key => host.erase(key),
      bury: key => {
        contents.bury(key, !this.isOpen)
        this.tell({ kind: 'erase', key })
      },
      attachedElsewhere: claim => host.attachedElsewhere(claim),
      detached: claim => host.detached(claim),
      receipt: (user, by, number) => host.receipt(user, by, number),
      began: () => host.partnerForgotten(),
    })
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
    return this.isOpen && this.#sentAll && this.#follower.hasAll
  }
  /** True when the partner holds everything, to the last operation. */
  get isSettled(): boolean {
    return this.isOpen && this.#sentAll && this.#outgoing.unacknowledgedOps === 0
  }
  /** True while {@link tick} has something to watch. */
  get needsTick(): boolean {
    return this.#outgoing.unacknowledgedOps > 0 || this.#reopenAtMs < Number.POSITIVE_INFINITY
  }

  /** Takes the members of the replica group: they alone say who the partner is. A clock that went back does not. */
  membersChanged(members: readonly Pid[]): void {
    // Of two processes of the partner's node one is about to leave the group; which one, the next change tells.
    let partner: Pid | undefined
    for (const pid of members) {
      if (pid.node === this.#partnerNode && (!partner || isYounger(pid, partner))) partner = pid
    }
    if (partner === this.#partner || (partner && this.#partner?.equals(partner))) return
    this.#partner = partner
    this.#follower.follow(partner)
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
        this.#follower.receive(message, from)
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
    this.#follower.flush()
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
}

function isYounger(left: Pid, right: Pid): boolean {
  return left.creation === right.creation ? left.index > right.index : left.creation > right.creation
}
