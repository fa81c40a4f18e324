/**
 * A mailbox partition: one process on each node of the island. Whoever of the two receives an operation applies it, and
 * tells the other one.
 *
 * This file is the wiring. Requests come in and change the `contents`; what follows from a turn's requests (operations
 * for the partner, acknowledgements, an fsync, hand-overs to sessions) is gathered and leaves at the end of the turn.
 * Invariant: handlers do not wait, so that all that a request changes is changed before the next one is looked at.
 * Source: C15, one process per key; C16, C33.
 */
import { Pid } from '../../../routing/index.ts'
import type { TimerHandle } from '../../../transport/index.ts'
import { type Caller, later, Server } from '../../runtime/server.ts'
import type { StoreError } from '../../storage/store.ts'
import { userPattern } from '../accounts/messages.ts'
import type { ServiceEnvironment } from '../environment.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { type Budget, Contents } from './contents.ts'
import { Deliveries } from './deliveries.ts'
import { Duty } from './duty.ts'
import { Intake } from './intake.ts'
import type { AttachReply, AttachRequest, MailboxCall, MailboxCast, SendReply } from './messages.ts'
import type { MailboxOptions } from './options.ts'
import { Records } from './records.ts'
import { Replica } from './replica.ts'
import type { PartnerMessage, SessionClaim } from './replication.ts'
import { type MailboxStats, newMailboxStats } from './stats.ts'

/** What a partition tells itself. */
type Info =
  | { readonly kind: 'flush' }
  | { readonly kind: 'tick' }
  | { readonly kind: 'members'; readonly members: readonly Pid[] }
  | { readonly kind: 'synced'; readonly error: unknown }

/** So many messages at most wait for what they have caused to be sent. */
const MESSAGES_PER_FLUSH_MAX = 256

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
  readonly #intake: Intake
  readonly #duty: Duty
  #flushAsked = false
  #messagesSinceFlush = 0
  #ticking: TimerHandle | undefined
  #stopListening: (() => void) | undefined

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
      failed: entry => this.#intake.takeBack(entry),
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
      erase: key => this.#intake.erase(key),
      attachedElsewhere: claim => this.#attachedElsewhere(claim),
      detached: claim => this.#deliveries.detached(claim),
      receipt: (user, by, number) => this.#deliveries.receipt(user, by, number),
      broke: reason => this.#broke(reason),
      partnerForgotten: () => this.#deliveries.forgetElsewhere(),
    })
    this.#intake = new Intake({
      options,
      stats: this.stats,
      contents: this.#contents,
      acknowledgements: this.#acknowledgements,
      deliveries: this.#deliveries,
      replica: this.#replica,
      castReceipt: receipt => void this.cast({ service: 'mailbox', key: receipt.user }, receipt),
    })
    this.#duty = new Duty(environment, options, this.#replica, {
      partition,
      isDraining: () => common.draining,
      join: () => this.context.join(this.group),
      leave: () => this.context.leave(this.group),
    })
  }

  /** True once this half holds all that the partner held, or has waited for it in vain. */
  get caughtUp(): boolean {
    return this.#duty.caughtUp
  }

  /** True while the partner is there and holds everything. */
  get isSettled(): boolean {
    return this.#replica.isPresent && this.#replica.isSettled
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
    this.#duty.begin()
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
        return this.#intake.send(message, caller)
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
        this.#intake.acknowledge(message)
        break
      case 'detach': {
        const claim = this.#deliveries.detach(message.user, message.session)
        if (claim) this.#replica.tell({ kind: 'detached', claim })
        break
      }
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
        this.#flushAsked = false
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
        // That the store is in memory only is known, and whoever waits for the disk is told.
        if (info.error !== undefined && (info.error as StoreError).code !== 'not-durable') {
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
    this.#stopListening?.()
    this.#acknowledgements.close(reason)
    this.#contents.close()
    this.#duty.end()
  }

  /** Leaves the group of those that serve; resolves when the partner holds everything, is away, or this process ends. */
  drain(): Promise<void> {
    const drained = this.#duty.drain()
    this.#askFlush()
    return drained
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

  #broke(reason: string): void {
    const { log } = this.#common.environment
    log.info({ partition: this.partition, reason }, 'mailbox stream to the partner ended')
    this.#contents.persistTombstones()
    this.#acknowledgements.fallBack()
    // What both held in memory is now on one node only: the disk is to have it without delay.
    this.#acknowledgements.syncSoon()
  }

  #sync(): void {
    const tell = (error: unknown) => this.context.tell({ kind: 'synced', error } satisfies Info)
    this.#records.sync().then(() => tell(undefined), tell)
  }

  /** Flushes when the queue is empty, or now and then if it never is. */
  #askFlush(): void {
    this.#messagesSinceFlush += 1
    if (this.#messagesSinceFlush > MESSAGES_PER_FLUSH_MAX) this.#flush()
    if (this.#flushAsked) return
    this.#flushAsked = true
    this.context.tell({ kind: 'flush' } satisfies Info)
  }

  #flush(): void {
    this.#messagesSinceFlush = 0
    this.#replica.flush()
    this.#deliveries.flush()
    this.#acknowledgements.flush()
    this.#duty.check()
    const needsTick =
      this.#replica.needsTick ||
      this.#deliveries.needsTick ||
      this.#records.refused > 0 ||
      !this.#duty.caughtUp
    if (needsTick) this.#ticking ??= this.context.after(this.#options.tickMs, { kind: 'tick' } satisfies Info)
  }
}
