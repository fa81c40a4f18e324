/**
 * One budget of bytes for the queues of all peers, so that a thousand slow ones cannot fill the heap.
 *
 *   bytesTotalMax = [ half: guaranteed, the same share to each peer ][ half: a pool, to whoever comes first ]
 *   share = bytesTotalMax / 2 / configured peers
 *
 * A queue borrows from the pool what it holds above its share. So a peer that hoards takes nothing that another was promised.
 * The control lane's reserve is outside: membership flows when the pool is empty.
 * Invariant: all queues together hold at most `bytesTotalMax` and the control reserves. (When peers are added the shares shrink; what was
 * queued under larger ones counts as borrowed, and nobody borrows more until it has left.)
 */

/** A queue's owner, as the budget knows it. */
export interface BudgetHolder {
  /** The share has changed: borrow what is above it, give back what is below. */
  shareChanged(): void
  /** The pool had been more than half empty, and is no longer. Called from inside sends: only take note. */
  roomAgain(): void
}

export class Budget {
  /** What each peer may hold whatever the others do, bytes. */
  shareBytes: number
  /** What the pool has left, bytes; below 0 after the shares shrank, and by control frames that a stream holds. */
  freeBytes: number
  readonly #halfBytes: number
  readonly #holders = new Set<BudgetHolder>()

  constructor(bytesTotalMax: number) {
    this.#halfBytes = bytesTotalMax / 2
    this.shareBytes = this.#halfBytes
    this.freeBytes = this.#halfBytes
  }

  /** Whether at least half of the pool is free. */
  get roomy(): boolean {
    return this.freeBytes >= this.#halfBytes / 2
  }

  /** Shares among one more. */
  join(holder: BudgetHolder): void {
    this.#holders.add(holder)
    this.#divide()
  }

  /** Shares among one less; what it holds still counts until it has left. */
  leave(holder: BudgetHolder): void {
    if (this.#holders.delete(holder)) this.#divide()
  }

  /** Lends `bytes` more, or takes -`bytes` back. The caller has looked at `freeBytes`. */
  lend(bytes: number): void {
    const wasRoomy = this.roomy
    this.freeBytes -= bytes
    if (!wasRoomy && this.roomy) for (const holder of this.#holders) holder.roomAgain()
  }

  #divide(): void {
    this.shareBytes = this.#halfBytes / Math.max(1, this.#holders.size)
    for (const holder of this.#holders) holder.shareChanged()
  }
}
