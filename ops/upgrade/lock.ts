/**
 * One upgrade at a time: a file in the run directory that names the process that upgrades.
 *
 * It holds on one machine. A lock whose process is gone is taken over, so a killed upgrade stands in nobody's way.
 * Invariants: the file appears, and is replaced, with its text in one step, by link and by rename; what a process that is
 * gone has left is replaced only by who holds the lock on just that text, and has looked again. So of several that find
 * the same left lock one takes it, and none removes what another has taken meanwhile.
 */
import { createHash, randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Held until disposed. */
export class UpgradeLock implements Disposable {
  readonly path: string
  readonly #text: string

  private constructor(path: string, text: string) {
    this.path = path
    this.#text = text
  }

  /**
   * Takes the lock.
   * @returns the lock, or the pid of the upgrade that holds it or is about to
   */
  static take(runDirectory: string): UpgradeLock | number {
    mkdirSync(runDirectory, { recursive: true, mode: 0o700 })
    return UpgradeLock.#takeAt(join(runDirectory, 'upgrade.lock'))
  }

  static #takeAt(path: string): UpgradeLock | number {
    const text = `${process.pid} ${randomUUID()}\n`
    const written = `${path}.${randomUUID()}`
    writeFileSync(written, text, { flag: 'wx', mode: 0o600 })
    try {
      for (;;) {
        if (linked(written, path)) return new UpgradeLock(path, text)
        const found = read(path)
        if (found === undefined) continue
        const holder = Number.parseInt(found, 10)
        if (holder > 0 && isAlive(holder)) return holder
        const right = UpgradeLock.#takeAt(
          `${path}.${createHash('sha256').update(found).digest('hex').slice(0, 16)}`,
        )
        if (typeof right === 'number') return right
        using _right = right
        if (read(path) !== found) continue
        renameSync(written, path)
        return new UpgradeLock(path, text)
      }
    } finally {
      rmSync(written, { force: true })
    }
  }

  [Symbol.dispose](): void {
    if (read(this.path) === this.#text) rmSync(this.path, { force: true })
  }
}

/** Gives a file a second name; false when something has that name. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** The text of a file; `undefined` when it is gone. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
