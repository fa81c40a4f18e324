/**
 * What a supervisor supervises: a process, or another supervisor, each of which can be started again.
 *
 * Invariant: a child that its supervisor ends does not report that it ended.
 */
import type { TimerHandle } from '../../transport/index.ts'
import type { Process } from './process.ts'
import { leafOf, type ProcessLeaf, type ProcessTree } from './process-tree.ts'
import type { Runtime, SpawnOptions } from './runtime.ts'
import type { Server } from './server.ts'
import type { Supervisor } from './supervisor.ts'

export interface Child {
  readonly name: string
  readonly isRunning: boolean
  readonly processes: readonly Process[]
  /** When it was restarted, as far as that still counts. */
  restartsAtMs: number[]
  /** How often it was restarted at all, with others or alone. */
  restarts: number
  retry: TimerHandle | undefined
  /** Starts it; throws when it cannot be made. */
  run(): unknown
  /** Ends it, if it runs; resolves when it has terminated. */
  end(reason: string): Promise<void>
  view(): ProcessTree | ProcessLeaf
}

export class ProcessChild implements Child {
  readonly name: string
  /** `undefined` while it does not run. */
  process: Process | undefined
  restartsAtMs: number[] = []
  restarts = 0
  retry: TimerHandle | undefined
  #ending: Promise<void> = Promise.resolve()
  readonly #runtime: Runtime
  readonly #make: () => Server
  readonly #options: SpawnOptions
  readonly #ended: (reason: string, isFailure: boolean) => void

  constructor(
    runtime: Runtime,
    make: () => Server,
    options: SpawnOptions,
    ended: (reason: string, isFailure: boolean) => void,
  ) {
    this.name = options.name ?? 'a process'
    this.#runtime = runtime
    this.#make = make
    this.#options = options
    this.#ended = ended
  }

  get isRunning(): boolean {
    return this.process !== undefined
  }
  get processes(): readonly Process[] {
    return this.process === undefined ? [] : [this.process]
  }

  run(): Process {
    const process = this.#runtime.spawn(this.#make(), this.#options)
    this.process = process
    this.#runtime.monitor(process, (reason, isFailure) => {
      if (this.process !== process) return
      this.process = undefined
      this.#ended(reason, isFailure)
    })
    return process
  }

  /** Who asks while it is terminating waits for the same end. */
  end(reason: string): Promise<void> {
    if (this.process !== undefined) this.#ending = this.process.end(reason)
    this.process = undefined
    return this.#ending
  }

  view(): ProcessLeaf {
    return leafOf(this.name, this.process, this.restarts)
  }
}

export class SupervisorChild implements Child {
  readonly name: string
  isRunning = true
  restartsAtMs: number[] = []
  restarts = 0
  retry: TimerHandle | undefined
  readonly #supervisor: Supervisor

  constructor(name: string, supervisor: Supervisor) {
    this.name = name
    this.#supervisor = supervisor
  }

  get processes(): readonly Process[] {
    return this.#supervisor.processes
  }

  run(): void {
    this.isRunning = true
    this.#supervisor.startChildren()
  }

  async end(reason: string): Promise<void> {
    this.isRunning = false
    await this.#supervisor.endChildren(reason)
  }

  view(): ProcessTree {
    return this.#supervisor.tree(this.name)
  }
}
