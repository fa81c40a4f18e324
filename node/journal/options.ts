/**
 * How much a node remembers of memberships and links. All of it is bounded: what is older is forgotten first.
 */

export interface JournalOptions {
  /**
   * Entries of each of the three parts: own members, others' members, links. An entry is what one turn of the loop, or one frame, changed.
   * Formula: entries per second times how far one wants to look back. 0: nothing is remembered. `wandist_journal_reach_seconds`
   * says how far back they go.
   */
  readonly entriesMax: number
  /** Bytes of each part, estimated. */
  readonly bytesMax: number
  /** Changes in one entry; more of them make more entries, so that the oldest can be forgotten piece by piece. */
  readonly entryMembersMax: number
}

/** For nodes in service. */
export const journalDefaults: JournalOptions = {
  entriesMax: 16_384,
  bytesMax: 4 * 1024 * 1024,
  entryMembersMax: 512,
}

/** So small that a test meets every limit. */
export const journalForTests: JournalOptions = { entriesMax: 8, bytesMax: 4_096, entryMembersMax: 4 }
