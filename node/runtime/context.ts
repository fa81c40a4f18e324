/**
 * A process's own view of its node: who it is, and what it may do. Servers see this, and nothing behind it.
 */
import type { Pid, Target } from '../../routing/index.ts'
import type { Clock, Sent, TimerHandle } from '../../transport/index.ts'

/** What a process may do. Given to its server as `context`. */
export interface ProcessContext {
  readonly self: Pid
  /** Name of the node. */
  readonly node: string
  readonly clock: Clock
  /** Sends; returns at once with what became of it so far. */
  cast(target: Target, message: unknown): Sent
  /** Sends and waits; rejects with a `RoutingError`. */
  call(target: Target, message: unknown, options?: { timeoutMs?: number }): Promise<unknown>
  /** Sends to every member of a group; returns how many were addressed. */
  castAll(group: string, message: unknown): number
  join(group: string): void
  leave(group: string): void
  members(group: string): readonly Pid[]
  /** Puts `info` at the end of the own queue, even if that is full. */
  tell(info: unknown): void
  /** Tells itself `info` in `delayMs`; ends with the process. */
  after(delayMs: number, info: unknown): TimerHandle
  cancel(timer: TimerHandle | undefined): void
  /** Ends this process once the running handler returns. */
  exit(reason: string): void
}
