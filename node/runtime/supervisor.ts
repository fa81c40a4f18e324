/**
 * Supervisor: starts children in order, restarts what fails, and ends them in the opposite order. A child is a process, or
 * a supervisor with children of its own.
 *
 *   one-for-one    the child that failed is restarted, at once
 *   rest-for-one   those started after it are ended first, last to first, and restarted after it, in order
 *   one-for-all    all are ended, and restarted in order
 *
 * More than `restartsMax` restarts within `periodMs` are too many: a supervisor under another then ends all its children and
 * fails itself, as one child; the topmost leaves what failed alone for `periodMs`, and `onFailing` hears of it: a cause
 * that passes, such as a disk that is full, passes, and one that stays costs its own users only.
 * Invariant: a child runs at most once; one that ended without having failed is done, and is not restarted.
 * Source: OTP's supervisor, intensity and period; C42.
 */
import type { TimerHandle } from '../../transport/index.ts'
import { type Child, ProcessChild, SupervisorChild } from './child.ts'
import type { Process } from './process.ts'
import { type ProcessTree, treeOf } from './process-tree.ts'
import type { Runtime, SpawnOptions } from './runtime.ts'
import type { Server } from './server.ts'

/** Who is restarted with a child that failed. */
export type Strategy = 'one-for-one' | 'rest-for-one' | 'one-for-all'

/** How a supervisor decides. */
export interface SupervisorOptions {
  /** Default one-for-one. */
  readonly strategy?: Strategy
  /** Restarts within `periodMs` that are made at once: of one child where it is restarted alone, else of all together. */
  readonly restartsMax: number
  readonly periodMs: number
  /** A child keeps failing; called each time that it is left alone for a while, and never under another supervisor. */
  readonly onFailing: (name: string, reason: string) => void
}

export class Supervisor {
  readonly #runtime: Runtime
  readonly #options: SupervisorOptions
  readonly #fail: ((reason: string) => void) | undefined
  #children: Child[] = []
  /** Restarts of all together. */
  #restartsAtMs: number[] = []
  #retry: TimerHandle | undefined
  /** Which restart of several is under way: a later one takes over from an earlier one. */
  #round = 0
  #stopped = false

  /** @param fail told when it gives up, by the supervisor that it is a child of */
  constructor(runtime: Runtime, options: SupervisorOptions, fail?: (reason: string) => void) {
    this.#runtime = runtime
    this.#options = options
    this.#fail = fail
  }

  get strategy(): Strategy {
    return this.#options.strategy ?? 'one-for-one'
  }

  /**
   * Starts a process and keeps it running.
   * @param make called for each start, for a fresh state
   */
  start(make: () => Server, options: SpawnOptions = {}): Process {
    const child = new ProcessChild(this.#runtime, make, options, (reason, isFailure) =>
      this.#ended(child, reason, isFailure),
    )
    this.#children.push(child)
    return child.run()
  }

  /** Starts a supervisor as a child. Its children are started through what is returned, and again with it, in order. */
  supervise(name: string, options: Omit<SupervisorOptions, 'onFailing'>): Supervisor {
    const nested = new Supervisor(this.#runtime, { ...options, onFailing: () => {} }, reason => {
      child.isRunning = false
      this.#ended(child, reason, true)
    })
    const child = new SupervisorChild(name, nested)
    this.#children.push(child)
    return nested
  }

  /** The processes that run now, those of its supervisors included. */
  get processes(): readonly Process[] {
    return this.#children.flatMap(child => child.processes)
  }

  /** Who is whose child, as it is now. */
  tree(name: string): ProcessTree {
    return treeOf(name, this.strategy, this.#children)
  }

  /** Ends all children for good, last started first. */
  async stop(reason: string): Promise<void> {
    this.#stopped = true
    await this.endChildren(reason)
    this.#children = []
  }

  /** Part of what a supervisor above does: ends all, last started first, so that {@link startChildren} can follow. */
  async endChildren(reason: string): Promise<void> {
    this.#round += 1
    this.#cancelRetries()
    await endAll(this.#children, reason)
  }

  /** Part of what a supervisor above does: starts all that do not run, in order, with no restart counted. */
  startChildren(): void {
    this.#restartsAtMs = []
    for (const child of this.#children) child.restartsAtMs = []
    this.#startAll([...this.#children])
  }

  #ended(child: Child, reason: string, isFailure: boolean): void {
    if (this.#stopped) return
    if (!isFailure) {
      this.#children = this.#children.filter(other => other !== child)
      return
    }
    const affected = this.#affectedBy(child)
    if (this.#mayRestart(child)) {
      this.#restart(affected, 0)
    } else if (this.#fail) {
      this.#giveUp(this.#fail, reason)
    } else {
      this.#options.onFailing(child.name, reason)
      this.#restart(affected, this.#options.periodMs)
    }
  }

  /** Ends all, and fails, unless whoever is above has ended or started it meanwhile. */
  #giveUp(fail: (reason: string) => void, reason: string): void {
    const ended = this.endChildren(reason)
    const round = this.#round
    void ended.then(() => {
      if (round === this.#round) fail(reason)
    })
  }

  #affectedBy(child: Child): readonly Child[] {
    if (this.strategy === 'one-for-one') return [child]
    return this.strategy === 'one-for-all'
      ? [...this.#children]
      : this.#children.slice(this.#children.indexOf(child))
  }

  /** Counts a restart, if it is not one too many. */
  #mayRestart(child: Child): boolean {
    const { restartsMax, periodMs } = this.#options
    const nowMs = this.#runtime.clock.nowMs()
    const counted = this.strategy === 'one-for-one' ? child.restartsAtMs : this.#restartsAtMs
    const recent = counted.filter(atMs => atMs > nowMs - periodMs)
    const mayRestart = recent.length < restartsMax
    if (mayRestart) recent.push(nowMs)
    if (this.strategy === 'one-for-one') child.restartsAtMs = recent
    else this.#restartsAtMs = recent
    return mayRestart
  }

  /** One that is alone has ended already, and is started in the same turn; several are ended first. */
  #restart(affected: readonly Child[], delayMs: number): void {
    for (const child of affected) child.restarts += 1
    if (this.strategy === 'one-for-one') {
      const [child] = affected
      if (delayMs === 0) this.#startAll(affected)
      else child!.retry = this.#runtime.timers.after(delayMs, () => this.#startAll(affected))
      return
    }
    this.#round += 1
    const round = this.#round
    this.#runtime.timers.cancel(this.#retry)
    void endAll(affected, 'restart').then(() => {
      if (round !== this.#round) return
      if (delayMs === 0) this.#startAll(affected)
      else this.#retry = this.#runtime.timers.after(delayMs, () => this.#startAll(affected))
    })
  }

  /** A start that throws is a start that failed: what comes after it waits for what becomes of that. */
  #startAll(children: readonly Child[]): void {
    for (const child of children) {
      child.retry = undefined
      if (this.#stopped || child.isRunning) continue
      try {
        child.run()
      } catch (error) {
        this.#ended(child, error instanceof Error ? error.message : String(error), true)
        if (this.strategy !== 'one-for-one') return
      }
    }
  }

  #cancelRetries(): void {
    this.#runtime.timers.cancel(this.#retry)
    for (const child of this.#children) this.#runtime.timers.cancel(child.retry)
  }
}

/** Ends what runs of them, last first, each when the one after it has terminated. */
async function endAll(children: readonly Child[], reason: string): Promise<void> {
  for (const child of [...children].reverse()) await child.end(reason)
}
