/**
 * What a person's phone keeps from one `wand chat` to the next: its key, and the number of its next text.
 *
 * One file for each name in the run directory, for this user only. The number is kept before a text leaves: a number that
 * is used twice would make the second text look like a repetition of the first.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** See the file's head. */
export interface Kept {
  readonly key: string
  readonly nextSeq: number
}

/** The kept state of one name. */
export class Keeping {
  readonly #path: string

  /** @param user a checked user name; it becomes a part of the file's name */
  constructor(runDirectory: string, user: string) {
    this.#path = join(runDirectory, `chat-${user}.json`)
  }

  /** What was kept; `undefined` when nothing was, or nothing that can be read. */
  read(): Kept | undefined {
    try {
      const { key, nextSeq } = JSON.parse(readFileSync(this.#path, 'utf8'))
      return typeof key === 'string' && Number.isSafeInteger(nextSeq) && nextSeq > 0
        ? { key, nextSeq }
        : undefined
    } catch {
      // No file, or what a full disk left of it: the phone registers again.
      return undefined
    }
  }

  keep(kept: Kept): void {
    writeFileSync(this.#path, `${JSON.stringify(kept)}\n`, { mode: 0o600 })
  }

  forget(): void {
    rmSync(this.#path, { force: true })
  }
}
