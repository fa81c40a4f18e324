/**
 * What a process asks of the runtime that it lives in, and what both need from routing. Tests stand in for either.
 */
import type { Envelope, MemberMeta, Pid, Target } from '../../routing/index.ts'
import type { Clock, Sent, Timers } from '../../transport/index.ts'
import type { Log } from '../log.ts'
import type { Info } from './info.ts'
import type { Process } from './process.ts'
import type { QueuePool } from './queue-pool.ts'
import type { TimerWheel } from './timer-wheel.ts'

/** What processes need from routing. */
export interface Routing {
  cast(target: Target, message: unknown, options?: { from?: Pid }): Sent
  call(target: Target, message: unknown, options?: { timeoutMs?: number; from?: Pid }): Promise<unknown>
  castAll(group: string, message: unknown, options?: { from?: Pid }): number
  join(group: string, pid: Pid, meta?: MemberMeta): void
  update(group: string, pid: Pid, meta: MemberMeta | undefined): void
  leave(group: string, pid: Pid): void
  leaveAll(pid: Pid): void
  members(group: string): readonly Pid[]
}

/** What a process asks of its runtime. */
export interface ProcessHost {
  readonly clock: Clock
  readonly timers: Timers
  readonly routing: Routing
  readonly log: Log
  readonly wheel: TimerWheel
  readonly queues: QueuePool<Envelope | Info>
  /** Messages handled by all processes. */
  handled: number
  /** Messages that full queues did not take. */
  refused: number
  /** Messages that were taken and thrown away unhandled. */
  dropped: number
  /** Calls, of those handled, that were not begun: their callers had given up. */
  expired: number
  /** The process has work: it wants a turn. */
  schedule(process: Process): void
  /** Hands a message to the head of a local process's queue. */
  prepend(target: Pid | string, message: unknown, from: Pid | undefined): Sent
  register(name: string, process: Process): void
  unregister(name: string, process: Process): void
  whereis(name: string): Process | undefined
  /** Calls `onEnd` once when that process ends, or at once; returns how to stop. */
  monitorPid(pid: Pid, onEnd: (reason: string) => void): () => void
  /** The process has ended. */
  ended(process: Process, reason: string, isFailure: boolean): void
}
