/**
 * A process: a server, its address, its bounded queue, and the rule that one handler runs at a time.
 *
 * Life: starting (init) -> idle <-> handling -> ended. Whatever ends it (exit, an error in a handler, a stop from
 * outside), it ends once: leaves its groups, runs `terminate`, refuses the calls that still wait, and tells who
 * monitors it. Idle, it holds no timer, no closure and no queue.
 * Invariant: at most one handler of a process is running, and none begins after it has ended; `terminate` waits for the
 * one that still runs.
 */
import type { Envelope, Pid, Target } from '../../routing/index.ts'
import type { Clock, Sent, TimerHandle, Timers } from '../../transport/index.ts'
import type { Log } from '../log.ts'
import type { ProcessContext } from './context.ts'
import { MessageQueue } from './message-queue.ts'
import { type Caller, later, type Server } from './server.ts'

/** What processes need from routing. */
export interface Routing {
  cast(target: Target, message: unknown, options?: { from?: Pid }): Sent
  call(target: Target, message: unknown, options?: { timeoutMs?: number; from?: Pid }): Promise<unknown>
  castAll(group: string, message: unknown, options?: { from?: Pid }): number
  join(group: string, pid: Pid): void
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
  /** Messages handled by all processes. */
  handled: number
  /** The process has work: it wants a turn. */
  schedule(process: Process): void
  /** The process has ended. */
  ended(process: Process, reason: string, isFailure: boolean): void
}

/** How long an ending process waits for the handler that still runs. */
const SETTLE_MS_MAX = 5_000

/** What a process tells itself, as it waits in the queue among envelopes. */
class Info {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

/** The runtime's side of a process; servers see it as their {@link ProcessContext}. */
export class Process implements ProcessContext {
  readonly self: Pid
  readonly name: string | undefined
  readonly server: Server
  /** Messages handled since the start. */
  handled = 0
  /** True while it stands in the runtime's list of processes with work. */
  scheduled = false
  #runtime: ProcessHost
  #queue: MessageQueue<Envelope | Info>
  #state: 'starting' | 'idle' | 'handling' | 'ended' = 'starting'
  #exitReason: string | undefined
  #timers: Set<TimerHandle> | undefined
  #groups: readonly string[]
  #ending: Promise<void> | undefined
  /** The handler, or `init`, that has not settled yet. */
  #running: Promise<unknown> | undefined

  constructor(
    runtime: ProcessHost,
    pid: Pid,
    server: Server,
    options: { name: string | undefined; groups: readonly string[]; queueMessagesMax: number },
  ) {
    this.#runtime = runtime
    this.self = pid
    this.server = server
    this.name = options.name
    this.#groups = options.groups
    this.#queue = new MessageQueue(options.queueMessagesMax)
    server.context = this
  }

  get node(): string {
    return this.self.node
  }
  get clock(): Clock {
    return this.#runtime.clock
  }
  get queueLength(): number {
    return this.#queue.length
  }
  get ended(): boolean {
    return this.#state === 'ended'
  }

  cast(target: Target, message: unknown): Sent {
    return this.#runtime.routing.cast(target, message, { from: this.self })
  }
  call(target: Target, message: unknown, options?: { timeoutMs?: number }): Promise<unknown> {
    return this.#runtime.routing.call(target, message, { ...options, from: this.self })
  }
  castAll(group: string, message: unknown): number {
    return this.#runtime.routing.castAll(group, message, { from: this.self })
  }
  join(group: string): void {
    if (!this.ended) this.#runtime.routing.join(group, this.self)
  }
  leave(group: string): void {
    this.#runtime.routing.leave(group, this.self)
  }
  members(group: string): readonly Pid[] {
    return this.#runtime.routing.members(group)
  }
  tell(info: unknown): void {
    if (this.ended) return
    this.#queue.pushAlways(new Info(info))
    this.#runtime.schedule(this)
  }
  after(delayMs: number, info: unknown): TimerHandle {
    this.#timers ??= new Set()
    const timers = this.#timers
    const timer: TimerHandle = this.#runtime.timers.after(delayMs, () => {
      timers.delete(timer)
      this.tell(info)
    })
    timers.add(timer)
    return timer
  }
  cancel(timer: TimerHandle | undefined): void {
    this.#runtime.timers.cancel(timer)
    this.#timers?.delete(timer)
  }
  exit(reason: string): void {
    this.#exitReason ??= reason
    if (this.#state === 'idle') void this.end(reason)
  }

  /** Queues a message; false when the queue is full or the process has ended. */
  enqueue(envelope: Envelope): boolean {
    if (this.#state === 'ended' || !this.#queue.push(envelope)) return false
    this.#runtime.schedule(this)
    return true
  }

  /** Runs `init`, joins the groups asked for, and opens the queue: at once, unless `init` waits. Ends when `init` fails. */
  start(): void {
    try {
      const pending = this.server.init?.()
      if (!pending) {
        this.#open()
        return
      }
      this.#running = pending
      pending.then(
        () => this.#open(),
        error => this.#initFailed(error),
      )
    } catch (error) {
      this.#initFailed(error)
    }
  }

  /**
   * Handles one message, if there is one. True when it is done and another may follow at once; a handler that returned
   * a promise schedules the process again itself.
   */
  step(): boolean {
    if (this.#state !== 'idle') return false
    const message = this.#queue.shift()
    if (message === undefined) return false
    this.#state = 'handling'
    this.handled += 1
    this.#runtime.handled += 1
    let pending: unknown
    try {
      pending = message instanceof Info ? this.server.handleInfo?.(message.value) : this.#handle(message)
    } catch (error) {
      this.#crash(message, error)
      return false
    }
    if (pending instanceof Promise) {
      this.#running = pending
      pending.then(
        () => this.#done(true),
        error => this.#crash(message, error),
      )
      return false
    }
    this.#done(false)
    return !this.ended
  }

  /**
   * Ends the process, once; resolves when `terminate` has run. Not from within its own handlers: they `exit`.
   * @param isFailure whether its supervisor should start it again
   */
  end(reason: string, isFailure = false): Promise<void> {
    this.#ending ??= this.#end(reason, isFailure)
    return this.#ending
  }

  #open(): void {
    this.#running = undefined
    if (this.#state !== 'starting') return
    this.#state = 'idle'
    for (const group of this.#groups) this.join(group)
    if (this.#exitReason !== undefined) void this.end(this.#exitReason)
    else if (this.#queue.length > 0) this.#runtime.schedule(this)
  }

  #initFailed(error: unknown): void {
    this.#running = undefined
    this.#runtime.log.error({ process: this.name ?? this.self.toString(), err: error }, 'init failed')
    void this.end(reasonOf(error), true)
  }

  #handle(envelope: Envelope): unknown {
    const { server } = this
    if (!envelope.isCall) return server.handleCast?.(envelope.message, envelope.from)
    if (envelope.deadlineMs <= this.clock.nowMs()) return undefined
    if (!server.handleCall) {
      envelope.refuse('failed', `${server.constructor.name} takes no calls`)
      return undefined
    }
    const reply = server.handleCall(envelope.message, callerOf(envelope))
    if (reply instanceof Promise) return reply.then(value => answer(envelope, value))
    answer(envelope, reply)
    return undefined
  }

  #done(again: boolean): void {
    this.#running = undefined
    if (this.#state !== 'handling') return
    this.#state = 'idle'
    if (this.#exitReason !== undefined) void this.end(this.#exitReason)
    else if (again && this.#queue.length > 0) this.#runtime.schedule(this)
  }

  #crash(message: Envelope | Info, error: unknown): void {
    this.#running = undefined
    if (!(message instanceof Info) && message.isCall) message.refuse('failed', reasonOf(error))
    this.#runtime.log.error({ process: this.name ?? this.self.toString(), err: error }, 'process failed')
    void this.end(reasonOf(error), true)
  }

  async #end(reason: string, isFailure: boolean): Promise<void> {
    this.#state = 'ended'
    this.#runtime.routing.leaveAll(this.self)
    for (const timer of this.#timers ?? []) this.#runtime.timers.cancel(timer)
    this.#timers = undefined
    for (let left = this.#queue.shift(); left !== undefined; left = this.#queue.shift()) {
      if (!(left instanceof Info) && left.isCall) left.refuse('noprocess', reason)
    }
    if (this.#running) await this.#settled(this.#running)
    try {
      await this.server.terminate?.(reason)
    } catch (error) {
      this.#runtime.log.error({ process: this.name ?? this.self.toString(), err: error }, 'terminate failed')
    }
    this.#runtime.ended(this, reason, isFailure)
  }

  /** Waits for what runs, but not for ever: a handler that never settles must not keep its node. */
  #settled(running: Promise<unknown>): Promise<void> {
    return new Promise(resolve => {
      const late = this.#runtime.timers.after(SETTLE_MS_MAX, resolve)
      const settled = () => {
        this.#runtime.timers.cancel(late)
        resolve()
      }
      running.then(settled, settled)
    })
  }
}

function answer(envelope: Envelope, value: unknown): void {
  if (value !== later) envelope.reply(value)
}

function callerOf(envelope: Envelope): Caller {
  return {
    pid: envelope.from,
    node: envelope.fromNode,
    deadlineMs: envelope.deadlineMs,
    reply: value => envelope.reply(value),
    fail: detail => envelope.refuse('failed', detail),
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
