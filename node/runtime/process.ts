/**
 * A process: a server, its address, its bounded queue, and the rule that one handler runs at a time.
 *
 * Life: starting (init) -> idle <-> handling -> ended. Whatever ends it (exit, an error in a handler, a stop from
 * outside), it ends once: leaves its groups, runs `terminate`, refuses the calls that still wait, and tells who
 * monitors it. Idle, it holds no timer, no closure and no queue. Timers and notices of ends have a queue of their own,
 * which goes first; what the process tells itself stands in line.
 * Invariant: at most one handler of a process is running, and none begins after it has ended; `terminate` waits for the
 * one that still runs.
 */
import type { Envelope, MemberMeta, Pid, Target } from '../../routing/index.ts'
import type { Clock, Sent, TimerHandle } from '../../transport/index.ts'
import type { ProcessContext } from './context.ts'
import type { ProcessHost } from './host.ts'
import { Inbox } from './inbox.ts'
import { type Down, Info } from './info.ts'
import { type CallHost, OpenCall } from './open-call.ts'
import type { QueueLimits } from './overflow.ts'
import { type Caller, later, type Server } from './server.ts'
import type { TimerOwner } from './timer-wheel.ts'

export type { Routing } from './host.ts'

/** How long an ending process waits for the handler that still runs. */
const SETTLE_MS_MAX = 5_000

/** The runtime's side of a process; servers see it as their {@link ProcessContext}. */
export class Process extends Inbox implements ProcessContext, CallHost, TimerOwner {
  override readonly self: Pid
  override readonly name: string | undefined
  readonly server: Server
  /** Messages handled since the start. */
  handled = 0
  /** True while it stands in the runtime's list of processes with work. */
  scheduled = false
  /** The wheel's. */
  firstTimer = 0
  #state: 'starting' | 'idle' | 'handling' | 'ended' = 'starting'
  #exitReason: string | undefined
  /** What is undone when it ends: monitors of others, signals of calls. */
  #atEnd: Set<() => void> | undefined
  #ending: Promise<void> | undefined
  /** The handler, or `init`, that has not settled yet. */
  #running: Promise<unknown> | undefined

  constructor(
    runtime: ProcessHost,
    pid: Pid,
    server: Server,
    options: { name: string | undefined; limits: QueueLimits },
  ) {
    super(runtime, options.limits)
    this.self = pid
    this.server = server
    this.name = options.name
    server.context = this
  }

  get node(): string {
    return this.self.node
  }
  get clock(): Clock {
    return this.runtime.clock
  }
  override get ended(): boolean {
    return this.#state === 'ended'
  }

  cast(target: Target, message: unknown): Sent {
    return this.runtime.routing.cast(target, message, { from: this.self })
  }
  call(target: Target, message: unknown, options?: { timeoutMs?: number }): Promise<unknown> {
    return this.runtime.routing.call(target, message, { ...options, from: this.self })
  }
  castAll(group: string, message: unknown): number {
    return this.runtime.routing.castAll(group, message, { from: this.self })
  }
  join(group: string, meta?: MemberMeta): void {
    if (!this.ended) this.runtime.routing.join(group, this.self, meta)
  }
  update(group: string, meta: MemberMeta | undefined): void {
    if (!this.ended) this.runtime.routing.update(group, this.self, meta)
  }
  leave(group: string): void {
    this.runtime.routing.leave(group, this.self)
  }
  members(group: string): readonly Pid[] {
    return this.runtime.routing.members(group)
  }
  after(delayMs: number, info: unknown): TimerHandle {
    return this.ended ? undefined : this.runtime.wheel.add(this, delayMs, info)
  }
  cancel(timer: TimerHandle | undefined): void {
    this.runtime.wheel.cancel(this, timer)
  }
  prepend(target: Pid | string, message: unknown): Sent {
    return this.runtime.prepend(target, message, this.self)
  }
  register(name: string): void {
    this.runtime.register(name, this)
  }
  unregister(name: string): void {
    this.runtime.unregister(name, this)
  }
  whereis(name: string): Pid | undefined {
    return this.runtime.whereis(name)?.self
  }
  monitor(pid: Pid): () => void {
    if (pid.node !== this.node) throw new Error(`monitor: only processes of this node: ${pid}`)
    if (this.ended) return () => {}
    let stop: (() => void) | undefined
    const forget = this.atEnd(() => stop?.())
    stop = this.runtime.monitorPid(pid, reason => {
      forget()
      this.tellFirst({ kind: 'down', pid, reason } satisfies Down)
    })
    return () => {
      forget()
      stop()
    }
  }
  exit(reason: string): void {
    this.#exitReason ??= reason
    if (this.#state === 'idle') void this.end(reason)
  }

  /** Runs `undo` when the process ends. Returns how to take that back. */
  atEnd(undo: () => void): () => void {
    this.#atEnd ??= new Set()
    const undone = this.#atEnd
    undone.add(undo)
    return () => void undone.delete(undo)
  }

  /** The wheel says that one of its timers is due. */
  timerDue(info: unknown): void {
    this.tellFirst(info)
  }

  protected override wake(): void {
    this.runtime.schedule(this)
  }

  /** Runs `init`, joins the groups asked for, and opens the queue: at once, unless `init` waits. Ends when `init` fails. */
  start(groups: readonly string[]): void {
    try {
      const pending = this.server.init?.()
      if (!pending) {
        this.#open(groups)
        return
      }
      this.#running = pending
      pending.then(
        () => this.#open(groups),
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
    const message = this.next()
    if (message === undefined) return false
    this.#state = 'handling'
    this.handled += 1
    this.runtime.handled += 1
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

  #open(groups: readonly string[]): void {
    this.#running = undefined
    if (this.#state !== 'starting') return
    this.#state = 'idle'
    for (const group of groups) this.join(group)
    if (this.#exitReason !== undefined) void this.end(this.#exitReason)
    else if (this.queueLength > 0) this.runtime.schedule(this)
  }

  #initFailed(error: unknown): void {
    this.#running = undefined
    this.runtime.log.error({ process: this.label, err: error }, 'init failed')
    void this.end(reasonOf(error), true)
  }

  #handle(envelope: Envelope): unknown {
    const { server } = this
    if (!envelope.isCall) return server.handleCast?.(envelope.message, envelope.from)
    if (envelope.deadlineMs <= this.clock.nowMs()) {
      this.runtime.expired += 1
      return undefined
    }
    if (!server.handleCall) {
      envelope.refuse('failed', `${server.constructor.name} takes no calls`)
      return undefined
    }
    const caller = new OpenCall(envelope, this, this.runtime.wheel)
    const reply = server.handleCall(envelope.message, caller)
    if (reply instanceof Promise) return reply.then(value => answer(caller, value))
    answer(caller, reply)
    return undefined
  }

  #done(again: boolean): void {
    this.#running = undefined
    if (this.#state !== 'handling') return
    this.#state = 'idle'
    if (this.#exitReason !== undefined) void this.end(this.#exitReason)
    else if (again && this.queueLength > 0) this.runtime.schedule(this)
  }

  #crash(message: Envelope | Info, error: unknown): void {
    this.#running = undefined
    if (!(message instanceof Info) && message.isCall) message.refuse('failed', reasonOf(error))
    this.runtime.log.error({ process: this.label, err: error }, 'process failed')
    void this.end(reasonOf(error), true)
  }

  async #end(reason: string, isFailure: boolean): Promise<void> {
    this.#state = 'ended'
    this.runtime.routing.leaveAll(this.self)
    this.runtime.wheel.cancelAll(this)
    for (const undo of this.#atEnd ?? []) undo()
    this.#atEnd = undefined
    this.refuseAll(reason)
    if (this.#running) await this.#settled(this.#running)
    try {
      await this.server.terminate?.(reason)
    } catch (error) {
      this.runtime.log.error({ process: this.label, err: error }, 'terminate failed')
    }
    this.runtime.ended(this, reason, isFailure)
  }

  /** Waits for what runs, but not for ever: a handler that never settles must not keep its node. */
  #settled(running: Promise<unknown>): Promise<void> {
    return new Promise(resolve => {
      const late = this.runtime.timers.after(SETTLE_MS_MAX, resolve)
      const settled = () => {
        this.runtime.timers.cancel(late)
        resolve()
      }
      running.then(settled, settled)
    })
  }
}

function answer(caller: Caller, value: unknown): void {
  if (value !== later) caller.reply(value)
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
