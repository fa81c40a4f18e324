/**
 * What waits in a process's queue without being anybody's message: what it told itself, timers, and notices of ends.
 */
import type { Pid } from '../../routing/index.ts'

/** Marks a value as information, among envelopes. */
export class Info {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

/** What `context.monitor` brings, exactly once: a process has ended. */
export interface Down {
  readonly kind: 'down'
  readonly pid: Pid
  /** What its `terminate` got; `'noprocess'` when it had ended before anybody asked. */
  readonly reason: string
}
