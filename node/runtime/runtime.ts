/**
 * The runtime: all processes of one thread, and whose turn it is.
 *
 * Envelopes come in from routing (`deliver`), wait in their process's queue, and are handled at the end of the loop
 * turn: each process with work in turn, a bounded number of messages each, a bounded time together, so that neither a
 * flooded process nor a flood of processes holds the loop.
 * Invariant: a process with work stands in the list exactly once.
 */
import { type Envelope, Pid } from '../../routing/index.ts'
import { type Clock, Sent, type Timers } from '../../transport/index.ts'
import type { Log } from '../log.ts'
import type { ProcessHost, Routing } from './host.ts'
import type { Info } from './info.ts'
import { LocalCast } from './local-cast.ts'
import { Names } from './names.ts'
import type { Overflow, QueueLimits } from './overflow.ts'
import { Process } from './process.ts'
import { QueuePool } from './queue-pool.ts'
import type { Server } from './server.ts'
import { TimerWheel } from './timer-wheel.ts'

/** How a process starts. */
export interface SpawnOptions {
  /** A name that is unique on the node; shown to operators. */
  readonly name?: string
  /** Groups to join once `init` has run. */
  readonly groups?: readonly string[]
  /** How many messages may wait; default 100,000. */
  readonly queueMessagesMax?: number
  /** What happens to more of them; default `refuse`. */
  readonly overflow?: Overflow
}

/** Hears the end of a process; `isFailure` when it failed instead of being done. */
export type OnEnd = (reason: string, isFailure: boolean) => void

/** Sums over all processes of the runtime; lengths in messages. */
export interface RuntimeStats {
  readonly processes: number
  readonly handled: number
  /** What full queues did not take. */
  readonly refused: number
  readonly queueLength: number
  readonly queueLengthMax: number
  readonly queuesNotEmpty: number
}

/** What else a runtime counts. */
export interface RuntimeTotals extends RuntimeStats {
  /** What was taken and thrown away unhandled: overflowed or flushed. */
  readonly dropped: number
  /** Calls, of those handled, that were not begun: their callers had given up. */
  readonly expired: number
  /** Timers that processes wait for. */
  readonly timers: number
}

/** One object for all processes that are content with it. */
const limitsDefault: QueueLimits = { messagesMax: 100_000, overflow: 'refuse' }
const noGroups: readonly string[] = []
/** Fair share: what one process may handle before the next one's turn. */
const MESSAGES_PER_STEP_MAX = 64
/** What all processes together may take of one loop turn before sockets are looked at again. */
const TURN_MS_MAX = 8
/** Lower indices are kept for processes with well-known addresses. */
const INDEX_FIRST = 64

export class Runtime implements ProcessHost {
  readonly node: string
  readonly creation: number
  readonly clock: Clock
  readonly timers: Timers
  readonly routing: Routing
  readonly log: Log
  /** Messages handled by all processes since the start; processes count it. */
  handled = 0
  /** Messages refused, and messages dropped, by all processes; processes count them. */
  refused = 0
  dropped = 0
  /** Calls that came too late; processes count them. */
  expired = 0
  readonly wheel: TimerWheel
  readonly queues = new QueuePool<Envelope | Info>()
  readonly #processes = new Map<number, Process>()
  readonly #names = new Names<Process>()
  readonly #monitors = new Map<Process, Set<OnEnd>>()
  #indexNext = INDEX_FIRST
  #ready: Process[] = []
  #turnAsked = false

  constructor(options: {
    node: string
    creation: number
    clock: Clock
    timers: Timers
    routing: Routing
    log: Log
  }) {
    this.node = options.node
    this.creation = options.creation
    this.clock = options.clock
    this.timers = options.timers
    this.routing = options.routing
    this.log = options.log
    this.wheel = new TimerWheel(options.clock, options.timers)
  }

  /**
   * Starts a process. Returns at once; messages wait until `init` has run. When `init` fails the process ends, and
   * whoever monitors it is told.
   * @param index a well-known index below 64, for processes that are addressed without a group
   * @throws Error when the name is taken
   */
  spawn(server: Server, options: SpawnOptions = {}, index?: number): Process {
    if (options.name !== undefined && this.#names.get(options.name)) {
      throw new Error(`spawn: name is taken: "${options.name}"`)
    }
    const at = index ?? this.#indexNext++
    const process = new Process(this, new Pid(this.node, this.creation, 0, at), server, {
      name: options.name,
      limits: limitsOf(options),
    })
    this.#processes.set(at, process)
    if (process.name !== undefined) this.#names.add(process.name, process)
    process.start(options.groups ?? noGroups)
    return process
  }

  /** Routing's door: hands a message to a process. False when there is none of that index, or its queue refuses. */
  deliver(index: number, envelope: Envelope): boolean {
    const process = this.#processes.get(index)
    return process?.enqueue(envelope) ?? false
  }

  /** Puts a cast at the head of a local process's queue, within its bound; see `ProcessContext.prepend`. */
  prepend(target: Pid | string, message: unknown, from?: Pid): Sent {
    const process = typeof target === 'string' ? this.whereis(target) : this.#local(target)
    if (!process || process.ended) return Sent.noconnect
    return process.enqueue(new LocalCast(message, from, this.node), true) ? Sent.ok : Sent.nosuspend
  }

  process(index: number): Process | undefined {
    return this.#processes.get(index)
  }
  whereis(name: string): Process | undefined {
    return this.#names.get(name)
  }
  /** Gives a process a further name, until it ends. Throws when the name is taken. */
  register(name: string, process: Process): void {
    if (process.ended) return
    if (!this.#names.add(name, process)) throw new Error(`register: name is taken: "${name}"`)
  }
  unregister(name: string, process: Process): void {
    this.#names.delete(name, process)
  }
  processes(): IterableIterator<Process> {
    return this.#processes.values()
  }

  /** Calls `onEnd` once when the process ends; at once when it has ended already. Returns how to stop. */
  monitor(process: Process, onEnd: OnEnd): () => void {
    if (process.ended && !this.#processes.has(process.self.index)) {
      onEnd('noprocess', false)
      return () => {}
    }
    let listeners = this.#monitors.get(process)
    if (!listeners) {
      listeners = new Set()
      this.#monitors.set(process, listeners)
    }
    listeners.add(onEnd)
    return () => {
      listeners.delete(onEnd)
      if (listeners.size === 0 && this.#monitors.get(process) === listeners) this.#monitors.delete(process)
    }
  }

  /** How many processes are monitored. */
  get monitors(): number {
    return this.#monitors.size
  }

  /** As {@link monitor}, by an address of this node. */
  monitorPid(pid: Pid, onEnd: OnEnd): () => void {
    const process = this.#local(pid)
    if (process) return this.monitor(process, onEnd)
    onEnd('noprocess', false)
    return () => {}
  }

  /** Counts everything; walks all processes, so for operators and tests, not for every turn. */
  stats(): RuntimeTotals {
    let queueLength = 0
    let queueLengthMax = 0
    let queuesNotEmpty = 0
    for (const process of this.#processes.values()) {
      queueLength += process.queueLength
      if (process.queueLength > queueLengthMax) queueLengthMax = process.queueLength
      if (process.queueLength > 0) queuesNotEmpty += 1
    }
    return {
      processes: this.#processes.size,
      handled: this.handled,
      refused: this.refused,
      dropped: this.dropped,
      expired: this.expired,
      timers: this.wheel.pending,
      queueLength,
      queueLengthMax,
      queuesNotEmpty,
    }
  }

  /** Ends all processes, last started first; resolves when each has terminated. */
  async stop(reason: string): Promise<void> {
    for (const process of [...this.#processes.values()].reverse()) await process.end(reason)
  }

  /** Puts a process with work into the list for this turn. */
  schedule(process: Process): void {
    if (process.scheduled) return
    process.scheduled = true
    this.#ready.push(process)
    this.#askForTurn()
  }

  /** A process has ended, and says so. */
  ended(process: Process, reason: string, isFailure: boolean): void {
    this.#processes.delete(process.self.index)
    this.#names.deleteAll(process)
    const listeners = this.#monitors.get(process)
    this.#monitors.delete(process)
    for (const onEnd of listeners ?? []) {
      try {
        onEnd(reason, isFailure)
      } catch (error) {
        this.log.error({ err: error }, 'monitor failed')
      }
    }
  }

  #local(pid: Pid): Process | undefined {
    const process = this.#processes.get(pid.index)
    return process?.self.equals(pid) ? process : undefined
  }

  #askForTurn(): void {
    if (this.#turnAsked) return
    this.#turnAsked = true
    this.timers.soon(() => this.#turn())
  }

  /**
   * Whoever has more than his share stands at the end of the list again, in the same turn: what arrives faster than a share
   * a turn must not pile up while there is time left.
   */
  #turn(): void {
    const endMs = this.clock.nowMs() + TURN_MS_MAX
    const ready = this.#ready
    let lookAt = this.handled + MESSAGES_PER_STEP_MAX
    let at = 0
    for (; at < ready.length; at++) {
      if (this.handled >= lookAt) {
        if (this.clock.nowMs() >= endMs) break
        lookAt = this.handled + MESSAGES_PER_STEP_MAX
      }
      this.#run(ready[at]!)
    }
    // What the time did not suffice for goes first in the next turn.
    this.#ready = at < ready.length ? ready.slice(at) : []
    this.#turnAsked = false
    if (this.#ready.length > 0) this.#askForTurn()
  }

  #run(process: Process): void {
    process.scheduled = false
    for (let i = 0; i < MESSAGES_PER_STEP_MAX; i++) {
      if (!process.step()) return
    }
    if (process.queueLength > 0) this.schedule(process)
  }
}

function limitsOf({ queueMessagesMax, overflow }: SpawnOptions): QueueLimits {
  if (queueMessagesMax === undefined && overflow === undefined) return limitsDefault
  return {
    messagesMax: queueMessagesMax ?? limitsDefault.messagesMax,
    overflow: overflow ?? limitsDefault.overflow,
  }
}
