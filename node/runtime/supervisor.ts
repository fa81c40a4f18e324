/**
 * Supervisor: restarts the processes that it started when they end by an error, each for itself (one-for-one).
 *
 * More than `restartsMax` restarts within `periodMs` mean that restarting does not help: the supervisor ends its other
 * children, last started first, and hands the reason to `onGiveUp`. A process that ends with `normal`, `drain` or
 * `stop` is done and is not restarted. Source: OTP's supervisor, intensity and period.
 */
import type { Process } from './process.ts'
import type { Runtime, SpawnOptions } from './runtime.ts'
import type { Server } from './server.ts'

/** How a supervisor decides. */
export interface SupervisorOptions {
  /** Restarts within `periodMs` that are still endured. */
  readonly restartsMax: number
  readonly periodMs: number
  /** Called once, when the supervisor has given up. */
  readonly onGiveUp: (reason: string) => void
}

interface Child {
  readonly make: () => Server
  readonly options: SpawnOptions
  process: Process
}

const DONE = new Set(['normal', 'drain', 'stop'])

export class Supervisor {
  readonly #runtime: Runtime
  readonly #options: SupervisorOptions
  readonly #children = new Set<Child>()
  #restartsAtMs: number[] = []
  #stopped = false

  constructor(runtime: Runtime, options: SupervisorOptions) {
    this.#runtime = runtime
    this.#options = options
  }

  /** Starts a process and keeps it running; `make` is called again for each restart, for a fresh state. */
  start(make: () => Server, options: SpawnOptions = {}): Process {
    const child: Child = { make, options, process: this.#runtime.spawn(make(), options) }
    this.#children.add(child)
    this.#watch(child)
    return child.process
  }

  /** The processes that run now. */
  get processes(): readonly Process[] {
    return [...this.#children].map(child => child.process)
  }

  /** Ends all children, last started first. */
  async stop(reason: string): Promise<void> {
    this.#stopped = true
    for (const child of [...this.#children].reverse()) await child.process.end(reason)
    this.#children.clear()
  }

  #watch(child: Child): void {
    this.#runtime.monitor(child.process, reason => this.#ended(child, reason))
  }

  #ended(child: Child, reason: string): void {
    if (this.#stopped) return
    if (DONE.has(reason)) {
      this.#children.delete(child)
      return
    }
    const nowMs = this.#runtime.clock.nowMs()
    this.#restartsAtMs = this.#restartsAtMs.filter(atMs => atMs > nowMs - this.#options.periodMs)
    if (this.#restartsAtMs.length >= this.#options.restartsMax) {
      this.#children.delete(child)
      void this.stop('stop').then(() => this.#options.onGiveUp(reason))
      return
    }
    this.#restartsAtMs.push(nowMs)
    child.process = this.#runtime.spawn(child.make(), child.options)
    this.#watch(child)
  }
}
