/**
 * Peers to whom not everything could be said, and when that goes on.
 *
 * A peer that refused a frame is left alone until a common retry; one whose sync pauses is not, only looked at again soon. Invariant: one
 * timer of each kind at most, however many peers wait.
 */
import type { Random, TimerHandle, Timers } from '../transport/index.ts'

export interface BacklogOptions {
  readonly timers: Timers
  readonly random: Random
  /** How long peers that refused are left alone, drawn between half of it and all of it. */
  readonly retryMs: number
  /** How long a sync pauses. */
  readonly syncPauseMs: number
  /** Goes on with all peers that are not blocked. */
  readonly goOn: () => void
}

export class Backlog<Peer> {
  readonly #options: BacklogOptions
  readonly #blocked = new Set<Peer>()
  #retry: TimerHandle
  #pause: TimerHandle

  constructor(options: BacklogOptions) {
    this.#options = options
  }

  /** Nothing is sent to the peer until the retry. */
  isBlocked(peer: Peer): boolean {
    return this.#blocked.has(peer)
  }

  /** The peer refused a frame. */
  block(peer: Peer): void {
    const { timers, random, retryMs, goOn } = this.#options
    this.#blocked.add(peer)
    this.#retry ??= timers.after(retryMs * (0.5 + random.next() / 2), () => {
      this.#retry = undefined
      this.#blocked.clear()
      goOn()
    })
  }

  /** A sync waits for what is on its way. */
  pause(): void {
    const { timers, syncPauseMs, goOn } = this.#options
    this.#pause ??= timers.after(syncPauseMs, () => {
      this.#pause = undefined
      goOn()
    })
  }

  forget(peer: Peer): void {
    this.#blocked.delete(peer)
  }

  stop(): void {
    this.#options.timers.cancel(this.#retry)
    this.#options.timers.cancel(this.#pause)
  }
}
