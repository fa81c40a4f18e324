/**
 * Where `openssl` makes keys and certificates: a directory that only we can enter, beside where they will lie, gone at the end.
 *
 * Invariant: nobody else can read a key at any moment, and none is ever an argument or printed; what is finished is moved into its
 * place in one step, so that a node never reads half a file.
 */
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { CliError, exitCode } from '../cli/exit-code.ts'

/** Only what we say counts, not the machine's own openssl.cnf, which may be missing. */
const config = `[req]
distinguished_name = none
[none]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`

export class Workshop implements AsyncDisposable {
  readonly #directory: string
  readonly #env: NodeJS.ProcessEnv

  private constructor(directory: string, env: NodeJS.ProcessEnv) {
    this.#directory = directory
    this.#env = { ...env, OPENSSL_CONF: join(directory, 'openssl.cnf') }
  }

  /** Opens one inside `directory`, which is made if need be. @throws CliError `unreachable` when it cannot be written to */
  static async in(directory: string, env: NodeJS.ProcessEnv): Promise<Workshop> {
    try {
      await mkdir(directory, { recursive: true })
      const workshop = new Workshop(await mkdtemp(resolve(directory, '.wand-')), env)
      await workshop.write('openssl.cnf', config)
      return workshop
    } catch (error) {
      throw new CliError(exitCode.unreachable, `make certificates: ${(error as Error).message}`)
    }
  }

  /** Runs `openssl` here. @throws CliError `unreachable` when it is not installed or fails */
  async openssl(...line: readonly string[]): Promise<void> {
    try {
      await promisify(execFile)('openssl', line, { cwd: this.#directory, env: this.#env })
    } catch (error) {
      const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string }
      const why =
        code === 'ENOENT' ? 'openssl is not installed' : `openssl ${line[0]}: ${lastLine(stderr ?? '')}`
      throw new CliError(exitCode.unreachable, `make certificates: ${why}`)
    }
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.#directory, name), text)
  }

  /** Moves what was made as `name` to `target`. */
  async place(name: string, target: string, mode: number): Promise<void> {
    await chmod(join(this.#directory, name), mode)
    await rename(join(this.#directory, name), target)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true })
  }
}

/** The last line in which OpenSSL says something: before it stand dots, and what it was doing. */
function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
