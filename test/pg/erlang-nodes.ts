/**
 * Four real Erlang nodes with OTP's `pg`, and the conductor that runs scripts on them (`pg_scripts.erl`): a line in, a story out.
 *
 * They have an epmd of their own on a free port, and everything that is written lies in a directory that vanishes at the end.
 */
import { type ChildProcess, type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'
import { freePorts, missing } from '../bench/machine.ts'
import { lineOf, type Script } from './script.ts'

const source = join(import.meta.dirname, 'pg_scripts.erl')

/** How often a script is run in which pg itself fails, before that is an error. */
const runsMax = 5

/** `undefined` when Erlang runs here, else why not. */
export function erlangIsMissing(): Promise<string | undefined> {
  return missing('erl', '-version', 'Debian: erlang-base')
}

export class ErlangNodes implements AsyncDisposable {
  readonly #directory: string
  readonly #epmd: ChildProcess
  readonly #conductor: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #lines: AsyncIterator<string>
  #errors = ''
  /** What pg said whenever it failed; the scripts were run again. */
  readonly failures: string[] = []

  private constructor(directory: string, epmdPort: number) {
    const ownFiles = { HOME: directory, ERL_CRASH_DUMP: join(directory, 'erl_crash.dump') }
    const env = { ...process.env, ...ownFiles, ERL_EPMD_PORT: String(epmdPort) }
    this.#directory = directory
    this.#epmd = spawn('epmd', ['-address', '127.0.0.1'], { env, stdio: 'ignore' })
    const loopback = ['-kernel', 'inet_dist_use_interface', '{127,0,0,1}']
    const identity = ['-hidden', '-name', 'conductor@127.0.0.1', '-setcookie', `scripts${process.pid}`]
    // Standard output is the story's: a crash report in the middle of it would read as one of its lines.
    const toErrors = '[{handler,default,logger_std_h,#{config=>#{type=>standard_error}}}]'
    const logger = ['-kernel', 'logger', toErrors]
    const run = ['-pa', directory, '-run', 'pg_scripts', 'conduct']
    this.#conductor = spawn(
      'erl',
      ['-noshell', ...identity, ...loopback, ...logger, '-start_epmd', 'false', ...run],
      {
        env,
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    )
    this.#conductor.stderr.on('data', chunk => {
      this.#errors += chunk
    })
    this.#lines = createInterface(this.#conductor.stdout)[Symbol.asyncIterator]()
  }

  /** Resolves when all four run. */
  static async start(): Promise<ErlangNodes> {
    const directory = await mkdtemp(join(tmpdir(), 'wandist-pg-'))
    await promisify(execFile)('erlc', ['-o', directory, source])
    const [port] = await freePorts(1)
    const nodes = new ErlangNodes(directory, port!)
    try {
      await nodes.#until('ready')
    } catch (error) {
      await nodes[Symbol.asyncDispose]()
      throw error
    }
    return nodes
  }

  /**
   * Runs a script and resolves to its story; one at a time. OTP 25's pg has a race that ends a scope (see `pg_scripts.erl`): then the script
   * is run again.
   */
  async tell(script: Script): Promise<readonly string[]> {
    for (let run = 1; run <= runsMax; run++) {
      this.#conductor.stdin.write(`${lineOf(script)}\n`)
      const story = await this.#until('end')
      const failure = story.find(line => line.startsWith('pg failed'))
      if (failure === undefined) return story
      this.failures.push(`seed ${script.seed}: ${failure}`)
    }
    throw new Error(`pg failed ${runsMax} times: ${this.failures.at(-1)}`)
  }

  async #until(last: string): Promise<readonly string[]> {
    const lines: string[] = []
    for (;;) {
      const { done, value } = await this.#lines.next()
      if (done) throw new Error(`the conductor ended:\n${lines.join('\n')}\n${this.#errors}`)
      if (value === last) return lines
      lines.push(value)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.#conductor, this.#epmd]) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(this.#directory, { recursive: true, force: true })
  }
}
