/**
 * When a half serves: from the moment it has caught up, until it is drained.
 *
 * A half is on duty while it is a member of the partition's group, for that is where routing looks. It joins when both
 * halves hold the same; or alone, when the partner has stayed away for `partnerWaitMs`, or has taken longer than
 * `catchUpMsMax`: messages that come late are better than none.
 * Invariant: it joins once, and not after a drain has begun.
 */
import type { ServiceEnvironment } from '../environment.ts'
import type { MailboxOptions } from './options.ts'
import type { Replica } from './replica.ts'

/** The partition, as its duty sees it. */
export interface DutyHost {
  readonly partition: number
  /** True once the node hands over. */
  isDraining(): boolean
  join(): void
  leave(): void
}

export class Duty {
  readonly #environment: ServiceEnvironment
  readonly #options: MailboxOptions
  readonly #replica: Replica
  readonly #host: DutyHost
  #startedAtMs = Number.POSITIVE_INFINITY
  #caughtUp = false
  #drains: (() => void)[] = []
  #ended = false

  constructor(environment: ServiceEnvironment, options: MailboxOptions, replica: Replica, host: DutyHost) {
    this.#environment = environment
    this.#options = options
    this.#replica = replica
    this.#host = host
  }

  /** True once this half holds all that the partner held, or has waited for it in vain. */
  get caughtUp(): boolean {
    return this.#caughtUp
  }

  /** The records are read: the wait for the partner begins. */
  begin(): void {
    this.#startedAtMs = this.#environment.clock.nowMs()
  }

  /** Looks whether it is time to join, and whether a drain is done. */
  check(): void {
    if (!this.#caughtUp && this.#isTime()) {
      this.#caughtUp = true
      if (!this.#host.isDraining()) this.#host.join()
    }
    if (!this.#replica.isPresent || this.#replica.isSettled) this.#settleDrains()
  }

  /** Goes off duty; resolves when the partner holds everything, or is away, or the process ends. */
  drain(): Promise<void> {
    if (this.#ended) return Promise.resolve()
    this.#host.leave()
    return new Promise(resolve => void this.#drains.push(resolve))
  }

  /** The process ends. */
  end(): void {
    this.#ended = true
    this.#settleDrains()
  }

  #isTime(): boolean {
    if (this.#replica.isCaughtUp || this.#environment.partner === undefined) return true
    const { isPresent } = this.#replica
    const waitedMs = this.#environment.clock.nowMs() - this.#startedAtMs
    const isLongEnough =
      waitedMs >= (isPresent ? this.#options.catchUpMsMax : this.#environment.partnerWaitMs)
    if (isPresent && isLongEnough) {
      const { partition } = this.#host
      this.#environment.log.warn({ partition, waitedMs }, 'mailbox serves before it has caught up')
    }
    return isLongEnough
  }

  #settleDrains(): void {
    for (const resolve of this.#drains) resolve()
    this.#drains = []
  }
}
