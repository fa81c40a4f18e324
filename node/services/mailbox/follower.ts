/**
 * The follower's side of the replication: applies the partner's stream, answers its inventory, acknowledges both.
 *
 * Invariant: an operation is acknowledged only after it was applied, with everything before it.
 */
import type { Pid } from '../../../routing/index.ts'
import type { Sent } from '../../../transport/index.ts'
import type { Contents } from './contents.ts'
import { markOf } from './erased.ts'
import type { Entry } from './mailbox.ts'
import type { StoredMessage } from './messages.ts'
import type {
  Answer,
  Have,
  MessageKey,
  Operation,
  Operations,
  PartnerMessage,
  SessionClaim,
} from './replication.ts'
import type { MailboxStats } from './stats.ts'
import { Incoming } from './stream.ts'

/** Who hears what the partner's stream says. */
export interface FollowerHost {
  cast(to: Pid, message: PartnerMessage): Sent
  /** The partner has this message, which was not held here and now is. */
  arrived(entry: Entry): void
  /** The partner holds this message, too. */
  held(entry: Entry): void
  /** The phone has this message, and the partner knows. */
  erase(key: MessageKey): void
  /** The phone has this message, and the partner does not know. */
  bury(key: MessageKey): void
  /** The partner has this session. */
  attachedElsewhere(claim: SessionClaim): void
  /** That session is over. */
  detached(claim: SessionClaim): void
  receipt(user: string, by: string, number: number): void
  /** The partner began a stream: what was only said in an earlier one is void. */
  began(): void
}

export class Follower {
  readonly #contents: Contents
  readonly #stats: MailboxStats
  readonly #host: FollowerHost
  readonly #incoming = new Incoming()
  #answers: Answer[] = []
  #owesAcknowledgement = false
  #hasAll = false

  constructor(contents: Contents, stats: MailboxStats, host: FollowerHost) {
    this.#contents = contents
    this.#stats = stats
    this.#host = host
  }

  /** True once all that the partner held when its stream began is here. */
  get hasAll(): boolean {
    return this.#hasAll
  }

  /** Follows this process, whom the replica group names, or nobody. */
  follow(source: Pid | undefined): void {
    if (!this.#incoming.follow(source)) return
    this.#answers = []
    this.#owesAcknowledgement = false
    this.#hasAll = false
  }

  /** Takes the next batch of the stream, or asks for another stream. */
  receive(batch: Operations, from: Pid): void {
    const verdict = this.#incoming.accept(from, batch)
    if (verdict === 'stale') return
    // A stranger's stream may be the next partner's that the group has yet to name: it begins again when asked.
    if (verdict === 'gap' || verdict === 'stranger') {
      this.#host.cast(from, { op: 'resync', epoch: batch.epoch })
      return
    }
    if (verdict === 'begin') {
      this.#answers = []
      this.#hasAll = false
      this.#host.began()
    }
    this.#owesAcknowledgement = true
    for (const [at, operation] of batch.operations.entries()) this.#apply(operation, batch.first + at)
  }

  /** Acknowledges what the turn has brought. */
  flush(): void {
    if (!this.#owesAcknowledgement || !this.#incoming.from) return
    this.#owesAcknowledgement = false
    const { from, epoch, received: number } = this.#incoming
    const answers = this.#answers
    this.#answers = []
    // Lost or refused, it is made good by the source, which begins another stream.
    this.#host.cast(from, { op: 'acknowledged', epoch, number, answers })
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
        this.#host.detached(operation.claim)
        break
      case 'receipt':
        this.#host.receipt(operation.user, operation.by, operation.number)
        break
      case 'have':
        this.#answer(operation, number)
        break
      case 'end':
        this.#hasAll = true
        break
    }
  }

  #keep(user: string, message: StoredMessage): void {
    const key: MessageKey = [user, message.from, message.number]
    const known = this.#contents.get(key)
    if (known) {
      this.#host.held(known)
    } else if (this.#contents.erased.knows(key, markOf(message.body)) === 'same') {
      // The sender repeated it to the partner, which had not heard yet that the phone has it.
      this.#host.bury(key)
    } else {
      this.#contents.confirmErased(key)
      this.#stats.replicated += 1
      const entry = this.#contents.insert(user, message)
      this.#host.held(entry)
      this.#host.arrived(entry)
    }
  }

  #answer(have: Have, to: number): void {
    for (const key of have.erased) this.#host.erase(key)
    for (const claim of have.sessions) this.#host.attachedElsewhere(claim)
    const [want, erased, late]: [number[], number[], number[]] = [[], [], []]
    for (const [at, key] of have.messages.entries()) {
      const entry = this.#contents.get(key)
      if (entry) this.#host.held(entry)
      else if (this.#contents.erased.knows(key, have.marks?.[at]) === 'same') erased.push(at)
      else want.push(at)
      if (this.#contents.isLate(key)) late.push(at)
    }
    this.#answers.push({ to, want, erased, late })
  }
}
