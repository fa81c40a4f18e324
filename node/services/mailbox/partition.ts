/**
 * A mailbox partition: one process on each node of the island. Whoever of the two receives an operation applies it, and
 * tells the other one.
 *
 * This file is the wiring. Requests come in and change the `contents`; what follows from a turn's requests (operations
 * for the partner, acknowledgements, an fsync, hand-overs to sessions) is gathered and leaves at the end of the turn.
 * Invariant: a sender is answered only by `acknowledgements.ts`, and a message leaves the contents only when a phone
 * has it or its sender was told that it is not kept. Source: C15, C16, C33, C35.
 */
import { Buffer } from 'node:buffer'
import { Pid } from '../../../routing/index.ts'
import type { TimerHandle } from '../../../transport/index.ts'
import { type Caller, later, Server } from '../../runtime/server.ts'
import { userPattern } from '../accounts/messages.ts'
import type { ServiceEnvironment } from '../environment.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { type Budget, Contents } from './contents.ts'
import { Deliveries } from './deliveries.ts'
import type { Entry } from './mailbox.ts'
import type {
  AckMessage,
  AttachReply,
  AttachRequest,
  MailboxCall,
  MailboxCast,
  SendReply,
  SendRequest,
} from './messages.ts'
import type { MailboxOptions } from './options.ts'
import { Records } from './records.ts'
import { Replica } from './replica.ts'
import type { MessageKey, PartnerMessage, SessionClaim } from './replication.ts'
import { type MailboxStats, newMailboxStats } from './stats.ts'

/** What a partition tells itself. */
type Info =
  | { readonly kind: 'flush' }
  | { readonly kind: 'tick' }
  | { readonly kind: 'members'; readonly members: readonly Pid[] }
  | { readonly kind: 'synced'; readonly error: unknown }

/** What the partitions of a node have in common. */
export interface Common {
  readonly environment: ServiceEnvironment
  readonly options: MailboxOptions
  readonly budget: Budget
  /** True once the node hands over: no partition joins its group any more. */
  draining: boolean
}

export class MailboxPartition extends Server<MailboxCall, MailboxCast | PartnerMessage, Info> {
  readonly partition: number
  readonly stats: MailboxStats = newMailboxStats()
  readonly #common: Common
  readonly #options: MailboxOptions
  readonly #records: Records
  readonly #contents: Contents
  readonly #acknowledgements: Acknowledgements
  readonly #deliveries: Deliveries
  readonly #replica: Replica
  #flushAsked = false
  #ticking: TimerHandle | undefined
  #stopListening: (() => void) | undefined
  #startedAtMs = 0
  #caughtUp = false
  #drained: (() => void)[] = []
  #ended = false

  constructor(partition: number, common: Common) {
    super()
    const { environment, options, budget } = common
    this.partition = partition
    this.#common = common
    this.#options = options
    this.#records = new Records(environment.store, partition)
    this.#contents = new Contents(options, this.#records, budget, this.stats)
    this.#acknowledgements = new Acknowledgements(options.acknowledge, this.stats, {
      isHeld: entry => this.#replica.isHeld(entry),
      isSent: entry => this.#replica.isSent(entry),
      sync: () => this.#sync(),
      failed: entry => this.#takeBack(entry),
    })
    this.#deliveries = new Deliveries(this.#contents, options, this.stats, {
      node: environment.node,
      nowMs: () => environment.clock.nowMs(),
      cast: (session, message) => this.cast(session, message),
    })
    this.#replica = new Replica(environment.partner, this.#contents, options, this.stats, {
      node: environment.node,
      nowMs: () => environment.clock.nowMs(),
      cast: (to, message) => this.cast(to, message),
      arrived: entry => this.#deliveries.mark(entry.mailbox),
      held: entry => this.#acknowledgements.held(entry),
      erase: key => void this.#erase(key),
      attachedElsewhere: claim => this.#attachedElsewhere(claim),
      detached: (user, session) => void this.#deliveries.detach(user, session),
      receipt: (user, by, number) => this.#deliveries.receipt(user, by, number),
      broke: reason => this.#broke(reason),
      partnerForgotten: () => this.#deliveries.forgetElsewhere(),
    })
  }

  /** True once this half holds all that the partner held, or has waited for it in vain. */
  get caughtUp(): boolean {
    return this.#caughtUp
  }

  /** The group of both halves, from their start. */
  get replicaGroup(): string {
    return `mailbox/${this.partition}/replica`
  }

  /** The group of the halves that serve. */
  get group(): string {
    return `mailbox/${this.partition}`
  }

  override async init(): Promise<void> {
    const { environment } = this.#common
    const loaded = await this.#records.load()
    this.#contents.fill(loaded)
    if (loaded.unreadable.length > 0) {
      environment.log.error(
        { partition: this.partition, keys: loaded.unreadable },
        'mailbox records cannot be read',
      )
    }
    this.#startedAtMs = environment.clock.nowMs()
    this.context.join(this.replicaGroup)
    this.#stopListening = environment.onGroupChange(this.replicaGroup, members =>
      this.context.tell({ kind: 'members', members } satisfies Info),
    )
    this.#askFlush()
  }

  override handleCall(message: MailboxCall, caller: Caller): SendReply | AttachReply | typeof later {
    this.#askFlush()
    switch (message.op) {
      case 'send':
        return this.#send(message, caller)
      case 'attach':
        return this.#attach(message, caller)
      default:
        caller.fail('mailbox: unknown request')
        return later
    }
  }

  override handleCast(message: MailboxCast | PartnerMessage, from: Pid | undefined): void {
    this.#askFlush()
    switch (message.op) {
      case 'ack':
        this.#acknowledge(message)
        break
      case 'detach':
        this.#deliveries.detach(message.user, message.session)
        this.#replica.tell({ kind: 'detached', user: message.user, session: message.session })
        break
      case 'receipt': {
        const { user, by, number } = message
        if (this.#replica.isOpen && this.#deliveries.isElsewhere(user)) {
          this.#replica.tell({ kind: 'receipt', user, by, number })
        } else this.#deliveries.receipt(user, by, number)
        break
      }
      case 'operations':
      case 'acknowledged':
      case 'resync':
        if (from) this.#replica.receive(message, from)
        break
    }
  }

  override handleInfo(info: Info): void {
    switch (info.kind) {
      case 'flush':
        this.#flush()
        break
      case 'tick':
        this.#ticking = undefined
        this.#replica.tick()
        this.#deliveries.tick()
        this.#records.retry()
        this.#askFlush()
        break
      case 'members':
        this.#replica.membersChanged(info.members)
        this.#askFlush()
        break
      case 'synced':
        if (info.error !== undefined) {
          this.#common.environment.log.warn(
            { partition: this.partition, err: info.error },
            'mailbox sync failed',
          )
        }
        this.#acknowledgements.synced(info.error === undefined)
        this.#askFlush()
        break
    }
  }

  override terminate(reason: string): void {
    this.#ended = true
    this.#stopListening?.()
    this.#acknowledgements.close(reason)
    this.#contents.close()
    for (const resolve of this.#drained) resolve()
  }

  /** Leaves the group of those that serve; resolves when the partner holds everything, is away, or this process ends. */
  drain(): Promise<void> {
    if (this.#ended) return Promise.resolve()
    this.context.leave(this.group)
    return new Promise(resolve => {
      this.#drained.push(resolve)
      this.#askFlush()
    })
  }

  #send({ to, from, number, body, sentAtMs }: SendRequest, caller: Caller): SendReply | typeof later {
    const bytes = Buffer.byteLength(body)
    if (!userPattern.test(to) || !userPattern.test(from) || !Number.isSafeInteger(number) || number < 0) {
      caller.fail('send: not a message')
      return later
    }
    if (bytes > this.#options.bodyBytesMax) {
      caller.fail(`send: body has ${bytes} bytes, of ${this.#options.bodyBytesMax}`)
      return later
    }
    const key: MessageKey = [to, from, number]
    const known = this.#contents.get(key)
    if (known) {
      this.stats.duplicates += 1
      this.#keep(known, caller)
      return later
    }
    if (this.#contents.erased.has(key)) {
      this.stats.duplicates += 1
      this.stats.acknowledgedReplicated += 1
      return { level: 'replicated' }
    }
    const refusal = this.#refusal(to, bytes)
    if (refusal) {
      this.stats.refused += 1
      return refusal
    }
    this.stats.appended += 1
    const { entry } = this.#contents.insert(to, { from, number, body, sentAtMs, late: false })
    this.#keep(entry, caller)
    this.#deliveries.mark(entry.mailbox)
    return later
  }

  #refusal(to: string, bytes: number): SendReply | undefined {
    const length = this.#contents.mailbox(to)?.length ?? 0
    if (length >= this.#options.mailboxMessagesMax) return { error: 'mailbox-full' }
    return this.#contents.isFull(bytes) ? { error: 'overload' } : undefined
  }

  #keep(entry: Entry, caller: Caller): void {
    const { isOpen } = this.#replica
    if (isOpen && !this.#replica.isHeld(entry) && !this.#replica.isSent(entry)) this.#replica.append(entry)
    this.#acknowledgements.wait(entry, caller)
  }

  #attach(request: AttachRequest, caller: Caller): AttachReply | typeof later {
    const { user, session, sessionNumber, attachment } = request
    const pid = Pid.parse(session)
    if (!pid || !userPattern.test(user)) {
      caller.fail('attach: not a session')
      return later
    }
    const claim: SessionClaim = { user, session, sessionNumber, attachment }
    if (this.#deliveries.attach(claim, pid) === 'replaced') return { error: 'replaced' }
    this.#replica.tell({ kind: 'attached', claim })
    return { attached: true }
  }

  #attachedElsewhere(claim: SessionClaim): void {
    const ours = this.#deliveries.attachedElsewhere(claim, this.#common.environment.partner!)
    if (ours) this.#replica.tell({ kind: 'attached', claim: ours })
  }

  #acknowledge({ user, items }: AckMessage): void {
    for (const [from, number] of items) {
      const key: MessageKey = [user, from, number]
      const known = this.#contents.get(key)
      if (!known && this.#contents.erased.has(key)) continue
      this.#erase(key)
      // Without a stream, only what the partner may hold is worth a tombstone that lasts.
      if (this.#replica.isOpen || known?.shared) {
        this.#contents.bury(key, !this.#replica.isOpen)
        this.#replica.tell({ kind: 'erase', key })
      }
      if (!known) continue
      this.stats.erased += 1
      this.cast({ service: 'mailbox', key: from }, {
        op: 'receipt',
        user: from,
        by: user,
        number,
      } satisfies MailboxCast)
    }
  }

  #erase(key: MessageKey): void {
    const entry = this.#contents.erase(key)
    if (!entry) return
    this.#acknowledgements.delivered(entry)
    this.#deliveries.acknowledged(entry)
  }

  /** The sender was told that the message is not kept. Where the phone or the partner may have it, it stays. */
  #takeBack(entry: Entry): void {
    if (!entry.shared && !entry.mailbox.session?.flights.has(entry)) this.#contents.takeBack(entry)
  }

  #broke(reason: string): void {
    const { log } = this.#common.environment
    log.warn({ partition: this.partition, reason }, 'mailbox replication broke')
    this.#contents.persistTombstones()
    this.#acknowledgements.fallBack()
    // What both held in memory is now on one node only: the disk is to have it without delay.
    this.#acknowledgements.syncSoon()
  }

  #sync(): void {
    const tell = (error: unknown) => this.context.tell({ kind: 'synced', error } satisfies Info)
    this.#records.sync().then(() => tell(undefined), tell)
  }

  #askFlush(): void {
    if (this.#flushAsked) return
    this.#flushAsked = true
    this.context.tell({ kind: 'flush' } satisfies Info)
  }

  #flush(): void {
    this.#flushAsked = false
    this.#replica.flush()
    this.#deliveries.flush()
    this.#acknowledgements.flush()
    this.#serveIfReady()
    this.#settleDrain()
    const needsTick =
      this.#replica.needsTick || this.#deliveries.needsTick || this.#records.refused > 0 || !this.#caughtUp
    if (needsTick) this.#ticking ??= this.context.after(this.#options.tickMs, { kind: 'tick' } satisfies Info)
  }

  /** Joins the group of those that serve, once. */
  #serveIfReady(): void {
    if (this.#caughtUp) return
    const { environment, draining } = this.#common
    const waitedMs = environment.clock.nowMs() - this.#startedAtMs
    const waitMs = this.#replica.isPresent ? this.#options.catchUpMsMax : environment.partnerWaitMs
    const alone = environment.partner === undefined || waitedMs >= waitMs
    if (!this.#replica.isCaughtUp && !alone) return
    if (this.#replica.isPresent && !this.#replica.isCaughtUp) {
      environment.log.warn({ partition: this.partition, waitedMs }, 'mailbox serves before it has caught up')
    }
    this.#caughtUp = true
    if (!draining) this.context.join(this.group)
  }

  #settleDrain(): void {
    if (this.#drained.length === 0 || (this.#replica.isPresent && !this.#replica.isSettled)) return
    for (const resolve of this.#drained) resolve()
    this.#drained = []
  }
}
