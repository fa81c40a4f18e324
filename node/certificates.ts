/**
 * A node's certificates: read from the files that the configuration names, made into the mesh's carrier, and read again when they
 * change or when somebody asks. No restart.
 *
 * Files are looked at by their time, size and inode every few seconds, not watched: that also sees a directory that was swapped
 * by a symbolic link, and works on every file system. Invariant: what cannot be used is logged, and what was in force stays.
 */
import { readFileSync, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { TlsFiles } from '../cluster-config/index.ts'
import { type Credentials, type TimerHandle, type Timers, TlsCarrier } from '../transport/index.ts'
import type { Log } from './log.ts'
import { NodeError } from './options.ts'

/** How often the files are looked at. */
const LOOK_MS = 5_000

export class Certificates {
  readonly carrier: TlsCarrier
  readonly #files: TlsFiles
  readonly #node: string
  readonly #timers: Timers
  readonly #log: Log
  #seen = ''
  #timer: TimerHandle | undefined
  #isStopped = false

  /** @throws NodeError `bad-certificate` with what is wrong, in one line */
  constructor(files: TlsFiles, node: string, timers: Timers, log: Log) {
    this.#files = files
    this.#node = node
    this.#timers = timers
    this.#log = log
    try {
      this.carrier = new TlsCarrier(this.#read())
      this.#checkName(this.carrier.names)
    } catch (error) {
      throw new NodeError('bad-certificate', `start node: ${problemOf(error)}`)
    }
  }

  /** Looks at the files from now on, until {@link stop}. */
  async watch(): Promise<void> {
    this.#seen = await this.#look()
    this.#lookLater()
  }

  stop(): void {
    this.#isStopped = true
    this.#timers.cancel(this.#timer)
  }

  /** Reads the files now. Links of an authority that is no longer in `ca` end before this returns. Says whether the files could be used. */
  reload(): boolean {
    try {
      const credentials = this.#read()
      this.#checkName(new TlsCarrier(credentials).names)
      this.carrier.renew(credentials)
      this.#log.info(
        { names: this.carrier.names, validUntil: this.carrier.validUntil },
        'certificates reloaded',
      )
      return true
    } catch (error) {
      this.#log.warn({ problem: problemOf(error) }, 'certificates not reloaded; those before stay in use')
      return false
    }
  }

  #lookLater(): void {
    if (!this.#isStopped) this.#timer = this.#timers.after(LOOK_MS, () => void this.#lookAgain())
  }

  async #lookAgain(): Promise<void> {
    const seen = await this.#look()
    // A certificate and its key change one after the other: what does not fit together yet will at the next look.
    if (!this.#isStopped && seen !== this.#seen) this.reload()
    this.#seen = seen
    this.#lookLater()
  }

  /** A text that is another one when a file has changed. */
  async #look(): Promise<string> {
    const looks = Object.values(this.#files).map(async file => {
      try {
        const { mtimeMs, size, ino } = await stat(file)
        return `${mtimeMs} ${size} ${ino}`
      } catch (error) {
        return String((error as NodeJS.ErrnoException).code)
      }
    })
    return (await Promise.all(looks)).join('\n')
  }

  #read(): Credentials {
    const { ca, certificate, key } = this.#files
    const mode = readOr('key', () => statSync(key)).mode & 0o777
    if ((mode & 0o037) !== 0)
      throw new Error(
        `read tls.key: others can read it: ${key} has mode ${mode.toString(8)}, want 600 or 640`,
      )
    return {
      ca: readOr('ca', () => readFileSync(ca, 'utf8')),
      certificate: readOr('certificate', () => readFileSync(certificate, 'utf8')),
      key: readOr('key', () => readFileSync(key, 'utf8')),
    }
  }

  #checkName(names: readonly string[]): void {
    if (!names.includes(this.#node))
      throw new Error(`use tls.certificate: for ${names.join(', ') || 'no node'}, not for ${this.#node}`)
  }
}

function readOr<T>(what: keyof TlsFiles, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new Error(`read tls.${what}: ${(error as Error).message}`)
  }
}

function problemOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
