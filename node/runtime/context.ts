/**
 * A process's own view of its node: who it is, and what it may do. Servers see this, and nothing behind it.
 */
import type { MemberMeta, Pid, Target } from '../../routing/index.ts'
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
  /** Joins once more, and says something of itself there that choices honour: its weight, or that it is draining. */
  join(group: string, meta?: MemberMeta): void
  /** Says something else of itself in a group that it is in; `undefined`: nothing any more. */
  update(group: string, meta: MemberMeta | undefined): void
  leave(group: string): void
  members(group: string): readonly Pid[]
  /** Puts `info` at the end of the own queue, even if that is full. */
  tell(info: unknown): void
  /**
   * Tells itself `info` in `delayMs`, never early, and before the messages that wait by then. Late by less than 2 ms beyond
   * what the loop is. Ends with the process; costs no timer of the machine's own.
   */
  after(delayMs: number, info: unknown): TimerHandle
  /** Takes a timer back; what is due already may still come. */
  cancel(timer: TimerHandle | undefined): void
  /**
   * Casts to the head of the queue of a process of this node, itself included: what is handled next, for what must not
   * wait and for what is tried again. Of two, the second is handled first. Within the bound of that queue, by its policy.
   * Returns `Sent.noconnect` for a process that is not there, or not of this node, `Sent.nosuspend` where it is refused.
   */
  prepend(target: Pid | string, message: unknown): Sent
  /** Throws away what waits, except what it told itself; calls are refused with `overload`. Returns how many went. */
  flush(): number
  /** Takes a further name on this node, free again when the process ends. Throws when it is taken. */
  register(name: string): void
  /** Gives a name back; one that is not its own is left alone. */
  unregister(name: string): void
  /** Who has that name on this node. */
  whereis(name: string): Pid | undefined
  /**
   * Tells itself a `Down` when a process of this node ends, exactly once, before the messages that wait by then; at once
   * when it is gone already. Returns how to stop; a notice that waits already still comes. Throws for another node's.
   */
  monitor(pid: Pid): () => void
  /** Ends this process once the running handler returns. */
  exit(reason: string): void
}
