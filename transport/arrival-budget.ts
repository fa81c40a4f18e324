/**
 * One budget of bytes for the long messages that come in, of all links together: what goes out has its own (budget.ts).
 *
 * A long message takes memory as its bytes come, not when its length is told. One for which there is none left is not kept: its bytes
 * are read and forgotten, and the ledger counts it as `overflowed`. Reading on is what keeps the link's other lanes alive.
 * Invariant: `takenBytes` is what all links' unfinished messages hold, and never above `bytesMax`.
 */
export class ArrivalBudget {
  takenBytes = 0
  readonly bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Takes `bytes`; false if so many are not left. */
  take(bytes: number): boolean {
    if (this.takenBytes + bytes > this.bytesMax) return false
    this.takenBytes += bytes
    return true
  }

  give(bytes: number): void {
    this.takenBytes -= bytes
  }
}
