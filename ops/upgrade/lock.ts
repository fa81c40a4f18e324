/**
 * One upgrade at a time: a file in the run directory that names the process that upgrades.
 *
 * It holds on one machine. A lock whose process is gone is taken over, so a killed upgrade stands in nobody's way.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Held until disposed. */
export class UpgradeLock implements Disposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /**
   * Takes the lock.
   * @returns the lock, or the pid of the upgrade that holds it
   */
  static take(runDirectory: string): UpgradeLock | number {
    mkdirSync(runDirectory, { recursive: true, mode: 0o700 })
    const path = join(runDirectory, 'upgrade.lock')
    for (;;) {
      try {
        writeFileSync(path, `${process.pid}\n`, { flag: 'wx', mode: 0o600 })
        return new UpgradeLock(path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = readHolder(path)
      if (holder !== undefined && isAlive(holder)) return holder
      rmSync(path, { force: true })
    }
  }

  [Symbol.dispose](): void {
    if (readHolder(this.path) === process.pid) rmSync(this.path, { force: true })
  }
}

/** The process that the file names; `undefined` when the file is gone or names none. */
function readHolder(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10)
    return pid > 0 ? pid : undefined
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
