/** A cast that never saw routing: from one process of a runtime to another, or from what owns the runtime. */
import type { Envelope, Pid } from '../../routing/index.ts'

export class LocalCast implements Envelope {
  readonly isCall = false
  readonly deadlineMs = Number.POSITIVE_INFINITY
  readonly message: unknown
  readonly from: Pid | undefined
  readonly fromNode: string

  constructor(message: unknown, from: Pid | undefined, fromNode: string) {
    this.message = message
    this.from = from
    this.fromNode = fromNode
  }

  /** Nobody waits for an answer. */
  reply(): void {}
  /** Nobody waits for a refusal; who does not take it, counts it. */
  refuse(): void {}
}
