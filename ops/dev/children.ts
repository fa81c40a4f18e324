/**
 * The nodes of a development run as operating system processes: start, watch, restart, stop.
 *
 * A child that ends by a signal or a code other than 0 is started again after a back-off that doubles up to a bound; one
 * that ends with 0 has drained, and stays down until it is asked for. Each child leads a process group of its own, so
 * that a Ctrl-C at the terminal reaches only us, and holds a pipe to us, so that it ends when we do.
 * Invariant: at most one process per name, and none after `stopAll`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

/** What to run for a node. */
export interface ChildCommand {
  readonly node: string
  readonly program: string
  readonly args: readonly string[]
  readonly environment: NodeJS.ProcessEnv
  /** Standard output and error are appended here. */
  readonly logFile: string
}

/** `running`; `backing-off`: died, about to be started again; `stopping`; `stopped`: ended with 0 or on demand. */
export type ChildState = 'running' | 'backing-off' | 'stopping' | 'stopped'

/** A child as `wand dev` shows it and `wand upgrade` reads it. */
export interface ChildStatus {
  readonly node: string
  readonly state: ChildState
  readonly pid: number | undefined
  /** How often it was started again after it had died by itself. */
  readonly restarts: number
  /** How it ended last: `exit 0`, `signal SIGKILL`, or why it could not be started. */
  readonly lastEnd: string | undefined
  readonly logFile: string
}

/** When to give a child another chance. */
export interface RestartPolicy {
  readonly backoffMsMin: number
  readonly backoffMsMax: number
  /** After this long a run counts as a success, and the back-off starts anew. */
  readonly steadyMs: number
}

export const devRestartPolicy: RestartPolicy = { backoffMsMin: 300, backoffMsMax: 5_000, steadyMs: 10_000 }

/** Why something cannot be done with a child. */
export class ChildError extends Error {
  override readonly name = 'ChildError'
  readonly code: 'unknown-node' | 'already-running' | 'stopped'

  constructor(code: ChildError['code'], message: string) {
    super(message)
    this.code = code
  }
}

interface Child {
  readonly command: ChildCommand
  process: ChildProcess | undefined
  state: ChildState
  restarts: number
  /** Deaths in a row that no steady run came between. */
  failures: number
  startedAtMs: number
  lastEnd: string | undefined
  timer: NodeJS.Timeout | undefined
  /** Called when the process that runs now has ended. */
  waiting: (() => void)[]
}

export class Children {
  readonly #children: ReadonlyMap<string, Child>
  readonly #policy: RestartPolicy
  readonly #onChange: (status: ChildStatus) => void
  #closed = false

  /** @param onChange called after each change of a child's state */
  constructor(
    commands: readonly ChildCommand[],
    policy: RestartPolicy = devRestartPolicy,
    onChange: (status: ChildStatus) => void = () => {},
  ) {
    this.#policy = policy
    this.#onChange = onChange
    this.#children = new Map(commands.map(command => [command.node, fresh(command)]))
  }

  /** All children, in the order of the commands. */
  list(): readonly ChildStatus[] {
    return [...this.#children.values()].map(statusOf)
  }

  startAll(): void {
    for (const name of this.#children.keys()) this.start(name)
  }

  /**
   * Starts a child that is not running.
   * @throws ChildError `unknown-node`, `already-running`, or `stopped` after {@link stopAll}
   */
  start(name: string): ChildStatus {
    const child = this.#child(name)
    if (this.#closed) throw new ChildError('stopped', `start ${name}: everything is being stopped`)
    if (child.process !== undefined) {
      throw new ChildError('already-running', `start ${name}: it runs, with pid ${child.process.pid}`)
    }
    clearTimeout(child.timer)
    this.#spawn(child)
    return statusOf(child)
  }

  /**
   * Asks a child to end (SIGTERM), and kills it when it has not after `boundMs`. Resolves when it is gone; not running
   * is no error.
   * @throws ChildError `unknown-node`
   */
  async stop(name: string, boundMs = 10_000): Promise<ChildStatus> {
    const child = this.#child(name)
    clearTimeout(child.timer)
    if (child.process === undefined) {
      this.#become(child, 'stopped')
      return statusOf(child)
    }
    this.#become(child, 'stopping')
    const ended = new Promise<void>(resolve => child.waiting.push(resolve))
    child.process.kill('SIGTERM')
    const running = child.process
    const timer = setTimeout(() => running.kill('SIGKILL'), boundMs)
    await ended
    clearTimeout(timer)
    return statusOf(child)
  }

  /** Stops a child, and starts it again. */
  async restart(name: string): Promise<ChildStatus> {
    await this.stop(name)
    return this.start(name)
  }

  /** Stops all children at once; resolves when every process is gone. Nothing can be started afterwards. */
  async stopAll(boundMs: number): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#children.keys()].map(name => this.stop(name, boundMs)))
  }

  /** Kills what still runs, without asking. */
  killAll(): void {
    this.#closed = true
    for (const child of this.#children.values()) child.process?.kill('SIGKILL')
  }

  #child(name: string): Child {
    const child = this.#children.get(name)
    if (child === undefined) throw new ChildError('unknown-node', `no such node here: "${name}"`)
    return child
  }

  #spawn(child: Child): void {
    const { program, args, environment, logFile } = child.command
    const log = openSync(logFile, 'a')
    const started = spawn(program, args, { env: environment, stdio: ['pipe', log, log], detached: true })
    closeSync(log)
    child.process = started
    child.startedAtMs = performance.now()
    // Nobody writes to the pipe, but a child that dies while starting may break it.
    started.stdin?.on('error', () => {})
    let ended = false
    const end = (how: string, ok: boolean) => {
      if (ended) return
      ended = true
      this.#ended(child, how, ok)
    }
    started.on('error', error => end(`not started: ${error.message}`, false))
    started.on('exit', (code, signal) =>
      end(signal === null ? `exit ${code}` : `signal ${signal}`, code === 0),
    )
    this.#become(child, 'running')
  }

  #ended(child: Child, how: string, ok: boolean): void {
    child.process?.stdin?.destroy()
    child.process = undefined
    child.lastEnd = how
    const steady = performance.now() - child.startedAtMs >= this.#policy.steadyMs
    const asked = child.state === 'stopping'
    if (ok || asked || this.#closed) {
      child.failures = 0
      this.#become(child, 'stopped')
    } else {
      child.failures = steady ? 1 : child.failures + 1
      const { backoffMsMin, backoffMsMax } = this.#policy
      const backoffMs = Math.min(backoffMsMax, backoffMsMin * 2 ** (child.failures - 1))
      child.timer = setTimeout(() => {
        child.restarts++
        this.#spawn(child)
      }, backoffMs)
      this.#become(child, 'backing-off')
    }
    for (const done of child.waiting.splice(0)) done()
  }

  #become(child: Child, state: ChildState): void {
    child.state = state
    this.#onChange(statusOf(child))
  }
}

function fresh(command: ChildCommand): Child {
  return {
    command,
    process: undefined,
    state: 'stopped',
    restarts: 0,
    failures: 0,
    startedAtMs: 0,
    lastEnd: undefined,
    timer: undefined,
    waiting: [],
  }
}

function statusOf(child: Child): ChildStatus {
  const { state, restarts, lastEnd, command } = child
  return { node: command.node, state, pid: child.process?.pid, restarts, lastEnd, logFile: command.logFile }
}
