/**
 * PINs that wait to be confirmed, of one partition. Pure: the caller brings the time and the PIN.
 *
 * A PIN lives 10 minutes and bears 5 tries. Registering again gives a new PIN, not new tries, so that nobody can guess
 * on by registering on. Each change can be copied to the partner, where a user may turn when this node goes.
 * Invariant: at most `pendingMax` users wait, in the order in which they expire.
 */

export const pinLifetimeMs = 10 * 60_000
export const pinTriesMax = 5
export const pendingMax = 10_000

/** A PIN that waits. Times are of the caller's monotonic clock. */
export interface PendingPin {
  readonly pin: string
  readonly triesLeft: number
  readonly expiresAtMs: number
}

export class PendingPins {
  readonly #pending = new Map<string, PendingPin>()

  /** How many users wait, those included whose time has run out unnoticed. */
  get size(): number {
    return this.#pending.size
  }

  /** What waits for a user now. */
  of(user: string, nowMs: number): PendingPin | undefined {
    this.#expire(nowMs)
    return this.#pending.get(user)
  }

  /** Lets `pin` wait for a user, in place of an earlier one. `full` when too many wait already. */
  issue(user: string, pin: string, nowMs: number): 'issued' | 'too-many-tries' | 'full' {
    const before = this.of(user, nowMs)
    if (before?.triesLeft === 0) return 'too-many-tries'
    if (!before && this.#pending.size >= pendingMax) return 'full'
    this.#set(user, { pin, triesLeft: before?.triesLeft ?? pinTriesMax, expiresAtMs: nowMs + pinLifetimeMs })
    return 'issued'
  }

  /** Tries a PIN: `right` uses it up, `wrong` costs a try, `none` waits for this user. */
  confirm(user: string, pin: string, nowMs: number): 'right' | 'wrong' | 'too-many-tries' | 'none' {
    const pending = this.of(user, nowMs)
    if (!pending) return 'none'
    if (pending.triesLeft === 0) return 'too-many-tries'
    if (pending.pin === pin) {
      this.#pending.delete(user)
      return 'right'
    }
    // In place: expiry, and so the order, stays.
    this.#pending.set(user, { ...pending, triesLeft: pending.triesLeft - 1 })
    return 'wrong'
  }

  /** Takes over what waits at the partner, as far as there is room. */
  adopt(user: string, pending: PendingPin, nowMs: number): void {
    this.#expire(nowMs)
    if (this.#pending.has(user) || this.#pending.size < pendingMax) this.#set(user, pending)
  }

  /** The user has confirmed elsewhere. */
  forget(user: string): void {
    this.#pending.delete(user)
  }

  #set(user: string, pending: PendingPin): void {
    this.#pending.delete(user)
    this.#pending.set(user, pending)
  }

  #expire(nowMs: number): void {
    for (const [user, { expiresAtMs }] of this.#pending) {
      if (expiresAtMs > nowMs) return
      this.#pending.delete(user)
    }
  }
}
