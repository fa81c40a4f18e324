/**
 * What one peer tells about one scope, before it counts: the parts of a sync are gathered until the last has come.
 *
 * Invariant: members are seen as they were until a sync is whole and its digest is right; a part that does not follow ends
 * the gathering.
 */
import { Pid } from './address.ts'
import { type Mark, metaOfMark, type SyncFrame, timesOf, weightOf } from './exchange.ts'
import type { Difference } from './registry-events.ts'
import { Roster } from './roster.ts'

/** What became of a part. */
export type Gathered = 'more' | 'out-of-order' | 'too-many' | 'damaged' | Roster

export class Inbox {
  readonly #node: string
  readonly #creation: number
  readonly #membersMax: number
  #roster: Roster | undefined
  #number = 0
  #nextPart = 0
  /** The peer has answered, one way or another; until then the question may have been lost. */
  isHeard = false
  /** What we found wrong, from the question until the answer sets it right. */
  wrong: Difference | undefined
  /** What is held of the scope is wrong in itself, so no difference can repair it: only a whole sync does. */
  isCorrupt = false

  constructor(node: string, creation: number, membersMax: number) {
    this.#node = node
    this.#creation = creation
    this.#membersMax = membersMax
  }

  /** Takes a part; with the last one, returns all that the node said. Part 0 starts anew. */
  gather(frame: SyncFrame): Gathered {
    if (frame.part === 0) {
      this.#roster = new Roster(this.#node)
      this.#number = frame.standing.number
    } else if (!this.#roster || frame.standing.number !== this.#number || frame.part !== this.#nextPart) {
      this.#roster = undefined
      return 'out-of-order'
    }
    this.#nextPart = frame.part + 1
    const roster = this.#roster
    if (roster.size + weightOf(frame.entries) > this.#membersMax) {
      this.#roster = undefined
      return 'too-many'
    }
    this.#fill(roster, frame)
    if (!frame.isLast) return 'more'
    this.#roster = undefined
    return roster.digest.equals(frame.standing.digest) ? roster : 'damaged'
  }

  #fill(roster: Roster, { entries }: SyncFrame): void {
    for (const entry of entries) {
      for (let at = 1; at < entry.length; at += 3) {
        const pid = new Pid(this.#node, this.#creation, entry[at] as number, entry[at + 1] as number)
        const mark = entry[at + 2] as Mark
        roster.put(entry[0], pid, timesOf(mark), metaOfMark(mark))
      }
    }
  }
}
