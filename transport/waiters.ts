/**
 * Senders that wait for a peer: each has a promise, and they are woken in the order in which they came.
 *
 * Nothing here is per message: who need not wait gets {@link ready}, one promise for everybody. Only so many are woken a turn as find room
 * (peer.ts), so that those behind do not run to a door that closes before them.
 * Invariant: a waiter leaves exactly once: woken, aborted or dismissed; then nothing of it hangs on its signal.
 */

/** What `ready` of a peer that is ready returns. */
export const ready: Promise<void> = Promise.resolve()

interface Waiter {
  wake(): void
  dismiss(reason: unknown): void
}

export class Waiters {
  readonly #waiters = new Set<Waiter>()

  get size(): number {
    return this.#waiters.size
  }

  /** Waits behind all others; rejects with `signal.reason` if that comes first. */
  add(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = () => {
      this.#waiters.delete(waiter)
      signal?.removeEventListener('abort', abort)
    }
    const waiter: Waiter = {
      wake: () => {
        leave()
        resolve()
      },
      dismiss: reason => {
        leave()
        reject(reason)
      },
    }
    const abort = () => waiter.dismiss(signal!.reason)
    signal?.addEventListener('abort', abort)
    this.#waiters.add(waiter)
    return promise
  }

  /** Wakes the first `countMax`. */
  wake(countMax: number): void {
    let count = 0
    for (const waiter of this.#waiters) {
      if (count++ >= countMax) return
      waiter.wake()
    }
  }

  /** Sends everybody away with `reason`. */
  dismiss(reason: unknown): void {
    for (const waiter of this.#waiters) waiter.dismiss(reason)
  }
}
