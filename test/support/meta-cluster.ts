/**
 * A whole meta-cluster of real processes: the embedded ten nodes on loopback addresses of their own, so that several can
 * stand side by side, with a data and a run directory that vanish at the end.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfigFile, Topology } from '../../cluster-config/index.ts'

const root = resolve(import.meta.dirname, '../..')
/** The `wand` command, for `process.execPath`. */
export const wandFile = join(root, 'ops/cli/wand.js')

/** What a command printed, and how it ended. */
export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** How many times a thing is looked at before a test gives up: every 100 ms, so half a minute. */
const LOOKS_MAX = 300

export class MetaCluster implements AsyncDisposable {
  readonly directory: string
  readonly configFile: string
  readonly topology: Topology
  readonly secret: string
  readonly #children = new Map<string, ChildProcess>()
  readonly #output = new Map<string, string>()

  private constructor(directory: string, topology: Topology) {
    this.directory = directory
    this.configFile = join(directory, 'cluster.yaml')
    this.topology = topology
    this.secret = randomBytes(16).toString('hex')
  }

  /** Starts `names` (all ten unless given), and resolves when each of them is ready. */
  static async start(names?: readonly string[]): Promise<MetaCluster> {
    const cluster = await MetaCluster.prepare()
    try {
      for (const name of names ?? cluster.names) cluster.run(name)
      await cluster.ready(names ?? cluster.names)
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
    return cluster
  }

  /** Writes the configuration, and starts nothing yet. */
  static async prepare(): Promise<MetaCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'wandist-test-'))
    const text = await readFile(join(root, 'cluster-config/default.yaml'), 'utf8')
    const net = `127.${randomInt(16, 250)}.${randomInt(0, 250)}`
    await writeFile(join(directory, 'cluster.yaml'), text.replaceAll('127.0.0.', `${net}.`))
    const { config } = await loadConfigFile(join(directory, 'cluster.yaml'))
    return new MetaCluster(directory, new Topology(config))
  }

  get names(): readonly string[] {
    return this.topology.nodes.map(node => node.name)
  }

  /** Where phones connect. */
  get doors(): readonly string[] {
    return this.topology.withRole('chat').map(node => node.phones!)
  }

  get environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      WANDIST_SECRET: this.secret,
      WAND_RUN_DIR: join(this.directory, 'run'),
      NO_COLOR: '1',
    }
  }

  /** Starts a node as a service manager would; `source` says where its configuration comes from. */
  run(name: string, source: readonly string[] = ['--config', this.configFile]): ChildProcess {
    const child = spawn(
      process.execPath,
      [wandFile, 'node', 'run', ...source, '--name', name, '--data', join(this.directory, 'data')],
      { env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', chunk => this.#output.set(name, this.output(name) + chunk))
    }
    this.#children.set(name, child)
    return child
  }

  /** From now on a node that ends is started again, as by a service manager, until this is disposed of. */
  keepRunning(): Disposable {
    const watched = [...this.#children].map(([name, child]) => {
      const restart = () => {
        this.run(name).once('exit', restart)
      }
      child.once('exit', restart)
      return () => {
        child.off('exit', restart)
        this.child(name).off('exit', restart)
      }
    })
    return {
      [Symbol.dispose]: () => {
        for (const stop of watched) stop()
      },
    }
  }

  /** All that a node has printed so far, over all its starts. */
  output(name: string): string {
    return this.#output.get(name) ?? ''
  }

  child(name: string): ChildProcess {
    const child = this.#children.get(name)
    if (!child) throw new Error(`${name} was never started`)
    return child
  }

  /** Sends a signal and resolves when the process has ended, with its exit code or signal. */
  async end(name: string, signal: NodeJS.Signals): Promise<number | string> {
    const child = this.child(name)
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode!
    const ended = once(child, 'exit')
    child.kill(signal)
    const [code, by] = await ended
    return code ?? by
  }

  /** Resolves when each of `names` says that it is ready. */
  async ready(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const { http } = this.topology.node(name)!
      await until(`${name} is ready`, async () => {
        const child = this.child(name)
        if (child.exitCode !== null)
          throw new Error(`${name} ended with ${child.exitCode}:\n${this.output(name)}`)
        const answer = await fetch(`http://${http}/readyz`).catch(() => undefined)
        return answer?.ok === true
      })
    }
  }

  /** Runs the `wand` command against this meta-cluster. */
  async wand(...args: readonly string[]): Promise<Finished> {
    return finished(spawn(process.execPath, [wandFile, ...args], { cwd: root, env: this.environment }))
  }

  /** Runs a reading command with `--json` and returns its `data`. */
  async read<T>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.wand(...args, '--json')
    if (code !== 0) throw new Error(`wand ${args.join(' ')}: exit ${code}: ${stderr}${stdout}`)
    return JSON.parse(stdout).data
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children.keys()].map(name => this.end(name, 'SIGKILL')))
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Collects what a process prints until it ends. */
export async function finished(child: ChildProcess): Promise<Finished> {
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', chunk => {
    stdout += chunk
  })
  child.stderr?.on('data', chunk => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

/** Looks again and again until `done`; throws, with what was awaited, when it does not come about. */
export async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    if (await done()) return
    await sleep(100)
  }
  throw new Error(`did not come about: ${what}`)
}
