/**
 * One partition of the accounts service: who a user is, and which phone is theirs.
 *
 * A phone registers, gets a PIN by another way, confirms with it, and from then on logs in with the key that it was
 * given; a new phone's key ends the old one's. Both nodes of the island run this process and serve; records go to the
 * partner by `replication.ts` and both merge them.
 * Invariant: a key is handed out only when its record is on both nodes, or fsynced here with the partner out of reach.
 * Source: C36, and R14 s15 for islands.
 */
import type { Pid } from '../../../routing/index.ts'
import type { TimerHandle } from '../../../transport/index.ts'
import { type Caller, later, Server } from '../../runtime/server.ts'
import { StoreError } from '../../storage/store.ts'
import type { ServiceEnvironment } from '../environment.ts'
import { Keeping } from './keeping.ts'
import type { AccountsError, AccountsRequest, RegisterReply, VerifyReply } from './messages.ts'
import { type AccountsOptions, pushAgainMs, pushTimeoutMs } from './options.ts'
import { PendingPins } from './pins.ts'
import {
  type AccountRecord,
  confirmed,
  decodeRecord,
  encodeRecord,
  keyMatches,
  loggedIn,
  merge,
  type Side,
} from './records.ts'
import {
  asPinCopy,
  asPush,
  type PinCopy,
  type Push,
  type PushReply,
  type PushRequest,
  Replication,
} from './replication.ts'
import { asRequest } from './requests.ts'

/** What the process tells itself. */
type Info =
  | { readonly kind: 'members'; readonly members: readonly Pid[] }
  | { readonly kind: 'pushed'; readonly push: Push; readonly held: boolean }
  | { readonly kind: 'alone' }
  | { readonly kind: 'push' }

/** Group of the processes that serve a partition. */
export const servingGroup = (partition: number) => `accounts/${partition}`
/** Group in which a partition's two processes find each other, serving or not. */
export const replicaGroup = (partition: number) => `accounts/${partition}/replica`

export class Accounts extends Server<unknown, unknown, Info> {
  readonly partition: number
  readonly #environment: ServiceEnvironment
  readonly #options: AccountsOptions
  readonly #side: Side
  readonly #prefix: string
  readonly #records = new Map<string, AccountRecord>()
  readonly #pins = new PendingPins()
  readonly #replication = new Replication(this.#records)
  readonly #keeping: Keeping
  #alone: TimerHandle | undefined
  #stopListening: (() => void) | undefined
  #caughtUp = false
  #draining: boolean

  /** @param draining true when the node is on its way out, and the process must not offer itself */
  constructor(
    partition: number,
    environment: ServiceEnvironment,
    options: AccountsOptions,
    draining: boolean,
  ) {
    super()
    this.partition = partition
    this.#environment = environment
    this.#options = options
    this.#keeping = new Keeping(environment.store)
    this.#side = environment.primaryOf(partition) === environment.node ? 1 : 0
    this.#prefix = `${servingGroup(partition)}/`
    this.#draining = draining
  }

  /** True once it holds all that its partner held, or has waited for it in vain. */
  get caughtUp(): boolean {
    return this.#caughtUp
  }

  get stats(): { users: number; pendingPins: number; unconfirmed: number } {
    return {
      users: this.#records.size,
      pendingPins: this.#pins.size,
      // With the partner out of reach nobody can confirm, and nobody should wait for it.
      unconfirmed: this.#replication.partner ? this.#replication.unconfirmed : 0,
    }
  }

  /** Takes no new callers; resolves when the partner holds everything, or the disk does. Rejects with a `StoreError`. */
  drain(): Promise<void> {
    this.#draining = true
    this.context.leave(servingGroup(this.partition))
    if (!this.#replication.partner) return this.#environment.store.sync()
    return this.#keeping.atPartner(() => this.#replication.unconfirmed === 0)
  }

  override async init(): Promise<void> {
    const { store, log, partner, onGroupChange } = this.#environment
    for (const [key, bytes] of await store.load(this.#prefix)) {
      const record = decodeRecord(bytes)
      if (record && this.#prefix + record.user === key) this.#records.set(record.user, record)
      else log.error({ key }, 'account record unreadable')
    }
    if (partner === undefined) this.#serve()
    else {
      this.#stopListening = onGroupChange(replicaGroup(this.partition), members =>
        this.#tell({ kind: 'members', members }),
      )
    }
  }

  override handleCall(message: unknown, caller: Caller): unknown {
    try {
      const push = asPush(message)
      if (push) return this.#take(push, caller)
      const request = asRequest(message)
      return 'error' in request ? request : this.#answer(request, caller)
    } catch (error) {
      // No room even for what is dirty. The partner is told nothing that could pass for a confirmation.
      if (error instanceof StoreError) return { error: 'unavailable' } satisfies { error: AccountsError }
      throw error
    }
  }

  override handleCast(message: unknown, from: Pid | undefined): void {
    const copy = asPinCopy(message)
    if (!copy || from?.node !== this.#environment.partner) return
    const nowMs = this.#nowMs()
    this.#pins.adopt(copy.user, { ...copy, expiresAtMs: nowMs + copy.leftMs }, nowMs)
  }

  override handleInfo(info: Info): void {
    if (info.kind === 'members') this.#membersChanged(info.members)
    else if (info.kind === 'pushed') this.#pushed(info.push, info.held)
    else if (info.kind === 'push') this.#push()
    else if (!this.#replication.partner) this.#serve()
  }

  override terminate(): void {
    this.#stopListening?.()
    // A drain that comes while the supervisor leaves the partition alone must not wait for a word that nobody hears.
    this.#replication.meet(undefined)
    this.#keeping.partnerFailed()
  }

  #answer(request: AccountsRequest, caller: Caller): unknown {
    switch (request.op) {
      case 'register':
        return this.#register(request.user)
      case 'confirm':
        return this.#confirm(request.user, request.pin, caller)
      case 'verify':
        return this.#verify(request.user, request.key)
    }
  }

  #register(user: string): RegisterReply {
    const number = Buffer.from(this.#options.random.bytes(6)).readUIntBE(0, 6) % 1_000_000
    const pin = String(number).padStart(6, '0')
    const issued = this.#pins.issue(user, pin, this.#nowMs())
    if (issued === 'full') return { error: 'unavailable' }
    if (issued === 'too-many-tries') return { error: issued }
    this.#copyPin(user)
    this.#options.onPin(user, pin)
    return this.#options.pin === 'reply' ? { pin } : {}
  }

  #confirm(user: string, pin: string, caller: Caller): unknown {
    const before = this.#records.get(user)
    const outcome = this.#pins.confirm(user, pin, this.#nowMs())
    if (outcome === 'none') return { error: before ? 'wrong-pin' : 'unknown-user' }
    if (outcome === 'wrong') this.#copyPin(user)
    if (outcome !== 'right') return { error: outcome === 'wrong' ? 'wrong-pin' : outcome }
    const key = Buffer.from(this.#options.random.bytes(32)).toString('base64url')
    const record = confirmed(user, key, before, this.#environment.clock.wallMs(), this.#side)
    this.#change(record)
    this.#kept(() => !this.#replication.lacks(user)).then(
      () => caller.reply({ key, device: record.device }),
      error => {
        this.#environment.log.warn({ err: error }, 'account not kept')
        caller.reply({ error: 'unavailable' })
      },
    )
    return later
  }

  #verify(user: string, key: string): VerifyReply {
    const before = this.#records.get(user)
    if (!before) return { error: 'unknown-user' }
    if (!keyMatches(before, key)) return { error: 'wrong-key' }
    const record = loggedIn(before, this.#environment.clock.wallMs(), this.#side)
    this.#change(record)
    return { device: record.device, session: record.session }
  }

  /** Keeps a record that has changed here, and sends it on. Throws a `StoreError` when it cannot even be dirty. */
  #change(record: AccountRecord): void {
    this.#keep(record)
    this.#replication.changed(record.user)
    this.#push()
  }

  #keep(record: AccountRecord): void {
    this.#environment.store.put(this.#prefix + record.user, encodeRecord(record))
    this.#records.set(record.user, record)
  }

  /** Merges what the partner pushed. */
  #take(push: PushRequest, caller: Caller): PushReply | { error: AccountsError } {
    if (caller.node !== this.#environment.partner) return { error: 'unavailable' }
    for (const copy of push.records) {
      const mine = this.#records.get(copy.user)
      const merged = merge(mine, copy)
      if (merged !== mine) this.#keep(merged)
      if (merged.device !== mine?.device) this.#pins.forget(copy.user)
      this.#replication.received(copy, caller.pid)
    }
    if (push.complete) this.#serve()
    this.#keeping.partnerConfirmed()
    this.#push()
    return { held: true }
  }

  #membersChanged(members: readonly Pid[]): void {
    // Of two starts of the partner's node the older one is about to be forgotten.
    const partner = members
      .filter(pid => pid.node === this.#environment.partner)
      .reduce<Pid | undefined>((newest, pid) => (newest && isNewer(newest, pid) ? newest : pid), undefined)
    this.#replication.meet(partner)
    if (partner) {
      this.context.cancel(this.#alone)
      this.#alone = undefined
      this.#push()
    } else {
      this.#keeping.partnerFailed()
      if (!this.#caughtUp) this.#alone ??= this.#tellLater(this.#environment.partnerWaitMs, { kind: 'alone' })
    }
  }

  /** Sends the next push, if there is something to push and nothing under way. Its outcome comes back as info. */
  #push(): void {
    const push = this.#replication.next()
    if (!push) return
    this.context.call(push.to, push.request, { timeoutMs: pushTimeoutMs }).then(
      reply => this.#tell({ kind: 'pushed', push, held: (reply as Partial<PushReply>).held === true }),
      () => this.#tell({ kind: 'pushed', push, held: false }),
    )
  }

  #pushed(push: Push, held: boolean): void {
    if (held) {
      this.#replication.confirmed(push)
      this.#keeping.partnerConfirmed()
      this.#push()
    } else {
      this.#replication.failed()
      this.#keeping.partnerFailed()
      this.#tellLater(pushAgainMs, { kind: 'push' })
    }
  }

  /** Offers this process to callers, once. */
  #serve(): void {
    if (this.#caughtUp) return
    this.#caughtUp = true
    if (!this.#draining) this.context.join(servingGroup(this.partition))
  }

  /** Resolves when the partner has what `held` asks for, or the disk has, where the partner cannot be reached. */
  #kept(held: () => boolean): Promise<void> {
    return this.#replication.partner ? this.#keeping.atPartner(held) : this.#keeping.onDisk()
  }

  #copyPin(user: string): void {
    const nowMs = this.#nowMs()
    const pending = this.#pins.of(user, nowMs)
    const { partner } = this.#replication
    if (!pending || !partner) return
    const { pin, triesLeft, expiresAtMs } = pending
    const copy: PinCopy = { op: 'pin', user, pin, triesLeft, leftMs: expiresAtMs - nowMs }
    this.context.cast(partner, copy)
  }

  // The context takes anything; these two take only what `handleInfo` understands.
  #tell(info: Info): void {
    this.context.tell(info)
  }
  #tellLater(delayMs: number, info: Info): TimerHandle {
    return this.context.after(delayMs, info)
  }

  #nowMs(): number {
    return this.#environment.clock.nowMs()
  }
}

function isNewer(one: Pid, other: Pid): boolean {
  return one.creation === other.creation ? one.index > other.index : one.creation > other.creation
}
