/**
 * What one peer tells about one scope, before it counts: the parts of a sync are gathered until the last has come.
 *
 * Invariant: members are seen as they were until a sync is whole; a part that does not follow ends the gathering.
 */
import type { SyncFrame } from './exchange.ts'
import { Roster } from './roster.ts'

/** What became of a part. */
export type Gathered = 'more' | 'out-of-order' | 'too-many' | Roster

export class Inbox {
  readonly #node: string
  readonly #membersMax: number
  #roster: Roster | undefined
  #serial = 0
  #nextPart = 0

  constructor(node: string, membersMax: number) {
    this.#node = node
    this.#membersMax = membersMax
  }

  /** Takes a part; with the last one, returns all that the node said. Part 0 of any serial starts anew. */
  gather(frame: SyncFrame): Gathered {
    if (frame.part === 0) {
      this.#roster = new Roster(this.#node)
      this.#serial = frame.serial
    } else if (!this.#roster || frame.serial !== this.#serial || frame.part !== this.#nextPart) {
      this.#roster = undefined
      return 'out-of-order'
    }
    this.#nextPart = frame.part + 1
    const roster = this.#roster
    for (const { group, pids } of frame.entries) {
      if (roster.size + pids.length > this.#membersMax) {
        this.#roster = undefined
        return 'too-many'
      }
      for (const pid of pids) roster.join(group, pid)
    }
    if (!frame.isLast) return 'more'
    this.#roster = undefined
    return roster
  }
}
