/**
 * `wand dev up`: a whole meta-cluster on this machine, and people who talk over it.
 *
 *   check -> children start -> all ready -> phones join -> they talk -> everybody comes back -> the result -> all gone
 *
 * Whatever happens on the way, and whoever stops it, no process, socket or file is left behind.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Topology } from '../../cluster-config/index.ts'
import { PhoneError } from '../../node/client/index.ts'
import { asCliError } from '../cli/commands/node-run-error.ts'
import { CliError, type ExitCode, exitCode } from '../cli/exit-code.ts'
import type { Io } from '../cli/io.ts'
import { openRunDirectory, runDirectory } from '../run-directory.ts'
import { takenAddresses } from './addresses.ts'
import { checkPhones, placesOf, readTalk, readTopology } from './before.ts'
import { Children, type ChildStatus } from './children.ts'
import { DevControl, DevControlError } from './control.ts'
import { childCommands, logDirectory } from './nodes.ts'
import { Crowd } from './phones.ts'
import { easyPace } from './script/talk.ts'
import { Show } from './show.ts'
import { startFailure } from './start-failure.ts'
import { Tally } from './tally.ts'
import { Watch } from './watch.ts'

/** What `wand dev up` was asked for. */
export interface UpOptions {
  /** A configuration file; the embedded one when there is none. */
  readonly config?: string
  /** How many simulated phones; 0 for none. */
  readonly phones: number
  /** A text file; the one that comes along when there is none. */
  readonly lines?: string
  /** How long the phones talk; until somebody stops the run when there is none. */
  readonly forMs?: number
  readonly seed: number
  readonly json: boolean
  readonly runDir?: string
}

/** Ten processes on two busy cores take some seconds. */
const READY_MS_MAX = 60_000
const JOIN_MS_MAX = 60_000
/** Time for what was acknowledged to be delivered, at the end. */
const SETTLE_MS_MAX = 30_000
const HANG_UP_MS_MAX = 2_000
/** What a child may take to end before it is killed; its own drain ends before. */
const CHILD_END_MS_MAX = 10_000
const LOOK_MS = 200

/** Somebody asked us to stop. */
class Interrupted extends Error {}

/**
 * Runs to the end.
 * @returns what to exit with
 * @throws CliError when it cannot begin, or when a node does not come up
 */
export async function devUp(io: Io, options: UpOptions): Promise<ExitCode> {
  try {
    const run = new Run(io, options, await readTopology(options.config))
    try {
      return await run.live()
    } finally {
      await run.end()
    }
  } catch (error) {
    throw asCliError('dev up', error)
  }
}

class Run {
  readonly #io: Io
  readonly #options: UpOptions
  readonly #topology: Topology
  readonly #runDirectory: string
  readonly #lines: readonly string[]
  /** Aborted by a signal, or by a child that fails before everything is up. */
  readonly #stop = new AbortController()
  readonly #takeBack: (() => void)[] = []
  readonly #show: Show
  #isUp = false
  #directory: string | undefined
  #control: DevControl | undefined
  #children: Children | undefined
  #crowd: Crowd | undefined

  constructor(io: Io, options: UpOptions, topology: Topology) {
    this.#io = io
    this.#options = options
    this.#topology = topology
    this.#runDirectory = runDirectory(options.runDir, io.env)
    this.#show = new Show(io, {
      topology,
      runDirectory: this.#runDirectory,
      isSilent: options.json,
      runDir: options.runDir,
    })
    this.#lines = options.phones > 0 ? readTalk(options.lines) : []
    if (options.phones > 0) checkPhones(topology)
  }

  async live(): Promise<ExitCode> {
    this.#listenToSignals()
    try {
      await this.#startNodes()
      await this.#allReady()
      if (this.#options.phones === 0) return await this.#waitOnly()
      return await this.#talk()
    } catch (error) {
      const { reason } = this.#stop.signal
      if (reason instanceof CliError) throw reason
      if (!(reason instanceof Interrupted)) throw error
      // Stopped on request: fine, except when a result was asked for.
      if (this.#options.forMs === undefined) return exitCode.done
      throw new CliError(exitCode.no, 'dev up: stopped before the end: no result')
    }
  }

  /** Takes everything down, in the order in which nothing is missed. */
  async end(): Promise<void> {
    this.#show.phase = 'stopping'
    await this.#crowd?.close(this.#stop.signal.aborted ? 0 : HANG_UP_MS_MAX)
    await this.#children?.stopAll(CHILD_END_MS_MAX)
    await this.#control?.close()
    this.#cleanUp()
    process.off('exit', this.#cleanUp)
    for (const takeBack of this.#takeBack) takeBack()
    if (!this.#options.json && this.#isUp) this.#io.stdout.write('all nodes stopped, nothing left behind\n')
  }

  /** What must happen even if the process ends in the middle, such as when nobody reads our output any more. */
  readonly #cleanUp = (): void => {
    this.#show.end()
    this.#children?.killAll()
    if (this.#directory !== undefined)
      rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 })
  }

  #listenToSignals(): void {
    let count = 0
    const onSignal = () => {
      count++
      this.#stop.abort(new Interrupted('stopped by a signal'))
      // The second time it is urgent.
      if (count > 1) this.#children?.killAll()
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      this.#takeBack.push(this.#io.onSignal(signal, onSignal))
    }
  }

  async #startNodes(): Promise<void> {
    openRunDirectory(this.#runDirectory)
    this.#control = await this.#openControl()
    const [taken] = await takenAddresses(this.#topology)
    if (taken !== undefined) throw new CliError(exitCode.unreachable, `dev up: ${taken}`)

    const directory = mkdtempSync(join(tmpdir(), 'wandist-dev-'))
    this.#directory = directory
    process.on('exit', this.#cleanUp)
    mkdirSync(logDirectory(directory))
    const { config } = this.#options
    const places = {
      config: config === undefined ? undefined : resolve(config),
      directory,
      runDirectory: this.#runDirectory,
    }
    this.#children = new Children(childCommands(this.#topology, places), undefined, child =>
      this.#changed(child),
    )
    this.#children.startAll()
    this.#show.children = this.#children
    this.#show.begin()
    this.#show.event(`${this.#topology.nodes.length} nodes start, with logs in ${logDirectory(directory)}`)
  }

  /** @throws CliError when another run is live */
  async #openControl(): Promise<DevControl> {
    try {
      return await DevControl.listen(this.#runDirectory, {
        children: {
          list: () => this.#children?.list() ?? [],
          start: name => this.#known().start(name),
          stop: name => this.#known().stop(name),
          restart: name => this.#known().restart(name),
        },
        phones: () => ({
          addresses: placesOf(this.#topology).map(({ address }) => address),
          people: this.#crowd?.names ?? [],
        }),
      })
    } catch (error) {
      if (error instanceof DevControlError)
        throw new CliError(exitCode.unreachable, `dev up: ${error.message}`)
      throw error
    }
  }

  #known(): Children {
    if (this.#children === undefined) throw new Error('dev up is still starting')
    return this.#children
  }

  /** A child came or went. */
  #changed(child: ChildStatus): void {
    const hasEnded =
      child.state === 'backing-off' || (child.state === 'stopped' && this.#show.phase !== 'stopping')
    if (!hasEnded) return
    const what =
      child.state === 'stopped' ? `ended (${child.lastEnd})` : `died (${child.lastEnd}), it is started again`
    if (this.#isUp) this.#show.event(`${child.node} ${what}`)
    else this.#stop.abort(startFailure(child))
  }

  async #allReady(): Promise<void> {
    const watch = new Watch(this.#io, this.#runDirectory)
    const endMs = performance.now() + READY_MS_MAX
    for (;;) {
      const { nodes, linksUp, linksWanted } = await watch.look()
      const late = this.#topology.nodes.filter(({ name }) => nodes.get(name)?.state !== 'ready')
      if (late.length === 0 && linksUp === linksWanted) break
      this.#stop.signal.throwIfAborted()
      if (performance.now() >= endMs) {
        const what = late.length > 0 ? late.map(({ name }) => name).join(', ') : 'some links'
        throw new CliError(exitCode.partial, `dev up: not ready after ${READY_MS_MAX / 1_000} s: ${what}`)
      }
      await sleep(LOOK_MS, undefined, { signal: this.#stop.signal })
    }
    this.#isUp = true
    this.#show.event(`all ${this.#topology.nodes.length} nodes are ready`)
  }

  async #waitOnly(): Promise<ExitCode> {
    this.#show.phase = 'running'
    await this.#while()
    return exitCode.done
  }

  async #talk(): Promise<ExitCode> {
    const { phones, seed } = this.#options
    this.#show.phase = 'phones join'
    const crowd = new Crowd({
      count: phones,
      places: placesOf(this.#topology),
      seed,
      lines: this.#lines,
      pace: easyPace,
      onChat: message => this.#show.heard(message),
    })
    this.#crowd = crowd
    this.#show.crowd = crowd
    await this.#join(crowd)
    this.#show.phase = 'talking'
    this.#show.event(`${phones} phones are online, seed ${seed}`)
    crowd.start()
    await this.#while()
    this.#show.phase = 'settling'
    await crowd.settle(SETTLE_MS_MAX, this.#stop.signal)
    this.#stop.signal.throwIfAborted()
    return this.#result(crowd)
  }

  async #join(crowd: Crowd): Promise<void> {
    const { signal } = this.#stop
    try {
      await crowd.join(AbortSignal.any([signal, AbortSignal.timeout(JOIN_MS_MAX)]))
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof PhoneError) {
        throw new CliError(exitCode.unreachable, `dev up: phones cannot join: ${error.message}`)
      }
      if ((error as Error).name !== 'TimeoutError') throw error
      throw new CliError(exitCode.partial, `dev up: phones not online after ${JOIN_MS_MAX / 1_000} s`)
    }
  }

  /** Lets the time pass that was asked for. */
  async #while(): Promise<void> {
    const { forMs } = this.#options
    const { signal } = this.#stop
    if (forMs !== undefined) await sleep(forMs, undefined, { signal })
    else await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }

  /** Prints what became of every message. */
  #result({ tally, unserved }: Crowd): ExitCode {
    const { counts } = tally
    this.#show.end()
    this.#io.stdout.write(`${JSON.stringify(counts)}\n`)
    const say = (line: string) => this.#io.stderr.write(`wand: dev up: ${line}\n`)
    for (const { from, to } of tally.missing.slice(0, 5)) say(`lost: a message of ${from} to ${to}`)
    if (tally.wrong > 0) say(`${tally.wrong} messages reached somebody else, or with another text`)
    if (tally.unanswered > 0) say(`${tally.unanswered} sends have no answer`)
    if (unserved.length > 0) say(`somebody else logged in as ${unserved.join(', ')}`)
    return Tally.keepsPromises(counts) && tally.wrong === 0 ? exitCode.done : exitCode.no
  }
}
