/**
 * Where a phone's texts come from: the process that owns its user's mailbox, and the upkeep of that bond.
 *
 * Each try to attach has a new number, which the owner repeats in its deliveries; so what an earlier owner still sends
 * is told apart. The bond is renewed when the owner leaves, or when another is preferred: after a small random wait,
 * and again and again while it fails.
 * Invariant: at most one try is under way or planned.
 */
import type { Pid } from '../../routing/index.ts'
import type { Random, TimerHandle, Timers } from '../../transport/index.ts'
import type { AttachReply, AttachRequest } from '../services/mailbox/messages.ts'
import { backOffMs } from './back-off.ts'
import type { ConnectionsOptions } from './options.ts'
import type { ConnectionsStats } from './stats.ts'

/** Whose bond it is, and who hears how it goes. */
export interface AttachmentHost {
  readonly user: string
  readonly sessionNumber: number
  readonly self: Pid
  /** A call with the usual timeout. */
  ask(target: Pid, message: unknown): Promise<unknown>
  attached(): void
  attachFailed(): void
  /** A newer login of the user is there. */
  replaced(): void
}

/** What it takes from its surroundings. */
export interface AttachmentEnvironment {
  readonly timers: Timers
  readonly random: Random
  readonly options: ConnectionsOptions
  readonly stats: ConnectionsStats
  /** The process that owns the user's mailbox now, as seen from here. */
  ownerOf(user: string): Pid | undefined
}

export class Attachment {
  /** Number of the present bond, or try; deliveries under any other are stale. */
  number = 0
  /** The process that we are attached to, or are asking. */
  owner: Pid | undefined
  readonly #host: AttachmentHost
  readonly #environment: AttachmentEnvironment
  #isAsking = false
  #isStopped = false
  /** What `recheck` was told while we asked; looked into afterwards. */
  #doubt: { readonly isOwnerGone: boolean } | undefined
  #failures = 0
  #retry: TimerHandle | undefined

  constructor(host: AttachmentHost, environment: AttachmentEnvironment) {
    this.#host = host
    this.#environment = environment
  }

  /** Attaches to the present owner, and stays attached from now on. */
  attach(): void {
    this.#retry = undefined
    const { user, sessionNumber, self } = this.#host
    this.number += 1
    this.owner = this.#environment.ownerOf(user)
    if (this.owner === undefined) {
      this.#failed()
      return
    }
    const request: AttachRequest = {
      op: 'attach',
      user,
      session: self.toString(),
      sessionNumber,
      attachment: this.number,
    }
    this.#isAsking = true
    this.#host.ask(this.owner, request).then(
      reply => this.#answered(reply as AttachReply | undefined),
      () => this.#failed(),
    )
  }

  /**
   * The owners of this user's partition may have changed.
   * @param isOwnerGone the owner left, even if it is back by now: it may have forgotten us
   */
  recheck(isOwnerGone: boolean): void {
    if (this.#isStopped) return
    if (this.#isAsking) {
      this.#doubt = { isOwnerGone: isOwnerGone || this.#doubt?.isOwnerGone === true }
      return
    }
    const owner = this.#environment.ownerOf(this.#host.user)
    if (this.#retry !== undefined) {
      // Planned already; but a long wait for an owner is over when there is one.
      if (owner !== undefined && this.#failures > 0) this.#plan()
      return
    }
    if (!isOwnerGone && owner !== undefined && this.owner !== undefined && owner.equals(this.owner)) return
    this.#environment.stats.reattaches += 1
    this.#plan()
  }

  stop(): void {
    this.#isStopped = true
    this.#environment.timers.cancel(this.#retry)
  }

  #answered(reply: AttachReply | undefined): void {
    if (reply === undefined) {
      this.#failed()
      return
    }
    this.#isAsking = false
    if (this.#isStopped) return
    if ('error' in reply) {
      this.#host.replaced()
      return
    }
    this.#failures = 0
    this.#host.attached()
    const doubt = this.#doubt
    this.#doubt = undefined
    if (doubt !== undefined) this.recheck(doubt.isOwnerGone)
  }

  /** Attaches soon, but not all phones of an owner at once. */
  #plan(): void {
    const { timers, random, options } = this.#environment
    timers.cancel(this.#retry)
    this.#letGo()
    this.#failures = 0
    this.#retry = timers.after(random.next() * options.reattachJitterMs, () => this.attach())
  }

  /** At once, not only when the next try begins: behind a lost link, what still comes may have lost what was before it. */
  #letGo(): void {
    this.owner = undefined
    this.number += 1
  }

  #failed(): void {
    this.#isAsking = false
    this.#doubt = undefined
    if (this.#isStopped) return
    const { timers, random, options } = this.#environment
    this.#letGo()
    const waitMs = backOffMs(random, this.#failures, options.backoffMsMin, options.backoffMsMax)
    this.#failures += 1
    this.#retry = timers.after(waitMs, () => this.attach())
    this.#host.attachFailed()
  }
}
