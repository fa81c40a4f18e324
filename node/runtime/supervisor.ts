/**
 * Supervisor: restarts the processes that it started when they fail, each for itself (one-for-one).
 *
 * A child that has failed more than `restartsMax` times within `periodMs` is left alone for `periodMs` before it is
 * started again, and `onFailing` hears of it: a cause that passes, such as a disk that is full, passes, and one that
 * stays costs its own users only. A process that ended without having failed is done, and is not restarted.
 * Source: OTP's supervisor, intensity and period; C42.
 */
import type { TimerHandle } from '../../transport/index.ts'
import type { Process } from './process.ts'
import type { Runtime, SpawnOptions } from './runtime.ts'
import type { Server } from './server.ts'

/** How a supervisor decides. */
export interface SupervisorOptions {
  /** Restarts of one child within `periodMs` that are made at once. */
  readonly restartsMax: number
  readonly periodMs: number
  /** A child keeps failing; called each time that it is left alone for a while. */
  readonly onFailing: (name: string, reason: string) => void
}

interface Child {
  readonly make: () => Server
  readonly options: SpawnOptions
  /** `undefined` while it is left alone. */
  process: Process | undefined
  restartsAtMs: number[]
  retry: TimerHandle | undefined
}

export class Supervisor {
  readonly #runtime: Runtime
  readonly #options: SupervisorOptions
  readonly #children = new Set<Child>()
  #stopped = false

  constructor(runtime: Runtime, options: SupervisorOptions) {
    this.#runtime = runtime
    this.#options = options
  }

  /**
   * Starts a process and keeps it running.
   * @param make called for each start, for a fresh state
   */
  start(make: () => Server, options: SpawnOptions = {}): Process {
    const child: Child = { make, options, process: undefined, restartsAtMs: [], retry: undefined }
    this.#children.add(child)
    return this.#run(child)
  }

  /** The processes that run now. */
  get processes(): readonly Process[] {
    return [...this.#children].flatMap(child => child.process ?? [])
  }

  /** Ends all children, last started first. */
  async stop(reason: string): Promise<void> {
    this.#stopped = true
    for (const child of [...this.#children].reverse()) {
      this.#runtime.timers.cancel(child.retry)
      await child.process?.end(reason)
    }
    this.#children.clear()
  }

  #run(child: Child): Process {
    const process = this.#runtime.spawn(child.make(), child.options)
    child.process = process
    this.#runtime.monitor(process, (reason, isFailure) => this.#ended(child, reason, isFailure))
    return process
  }

  #ended(child: Child, reason: string, isFailure: boolean): void {
    child.process = undefined
    if (this.#stopped) return
    if (!isFailure) {
      this.#children.delete(child)
      return
    }
    const { restartsMax, periodMs, onFailing } = this.#options
    const nowMs = this.#runtime.clock.nowMs()
    child.restartsAtMs = child.restartsAtMs.filter(atMs => atMs > nowMs - periodMs)
    if (child.restartsAtMs.length < restartsMax) {
      child.restartsAtMs.push(nowMs)
      this.#restart(child)
      return
    }
    onFailing(child.options.name ?? 'a process', reason)
    child.retry = this.#runtime.timers.after(periodMs, () => this.#restart(child))
  }

  /** A start that throws is a start that failed. */
  #restart(child: Child): void {
    child.retry = undefined
    if (this.#stopped) return
    try {
      this.#run(child)
    } catch (error) {
      this.#ended(child, error instanceof Error ? error.message : String(error), true)
    }
  }
}
