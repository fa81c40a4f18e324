/**
 * Waiting until something is kept: at the partner, or on this disk where the partner cannot be reached.
 *
 * A waiter is resolved when the partner holds what it asks for. When the partner goes, or does not answer, whoever
 * still waits is sent to the disk instead, so nobody waits longer than one push takes.
 */
import { type Store, syncDurably } from '../../storage/store.ts'

interface Waiter {
  readonly held: () => boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Keeping {
  readonly #store: Store
  #waiters: Waiter[] = []

  constructor(store: Store) {
    this.#store = store
  }

  /** Resolves once all that has been put so far is fsynced on a disk. Rejects with a `StoreError`. */
  onDisk(): Promise<void> {
    return syncDurably(this.#store)
  }

  /** Resolves when `held` has become true, or else as {@link onDisk} does, if it comes to that. */
  atPartner(held: () => boolean): Promise<void> {
    if (held()) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ held, resolve, reject }))
  }

  /** The partner has confirmed something. */
  partnerConfirmed(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) {
      if (waiter.held()) waiter.resolve()
      else this.#waiters.push(waiter)
    }
  }

  /** The partner is out of reach, or did not answer. */
  partnerFailed(): void {
    for (const { resolve, reject } of this.#waiters.splice(0)) this.onDisk().then(resolve, reject)
  }
}
