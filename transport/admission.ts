/**
 * Which link to a node is kept when there is more than one: the tie-break, as one pure function.
 *
 * Both nodes dial. The rule: of two links that come up at once, the one dialled by the node with the smaller name stays.
 * It needs no message, because each end can see its half of it:
 * - the smaller node refuses an inbound link while a connected dial of its own is under way (`duplicate-link`);
 * - the larger node takes the inbound link and drops its own dial.
 * A dial that has not even connected yields to an inbound link, so a wall in one direction cannot keep two nodes apart.
 *
 * When a link is up already, a proven newcomer of the same creation mostly means that the other end has lost that link:
 * the newcomer takes over. Only what might be the late half of a simultaneous dial, and another creation (another process with
 * the same name), make the live link answer a probe first: `contest`.
 * Source: erl_dist_protocol.md, "the node with the greater name wins"; ours is the smaller. PROTOCOL.md walks the cases.
 */

export type Verdict = 'take' | 'take-over' | 'contest-link' | 'contest-name' | 'duplicate-link'

/** What the accepting end knows when a newcomer's proof holds. */
export interface AdmissionCase {
  /** Our name is the smaller, by UTF-16 code units. */
  readonly weAreSmaller: boolean
  /** The newcomer's creation. */
  readonly creation: number
  /** The link that is up, if any. */
  readonly live: { readonly creation: number; readonly dialledByUs: boolean } | undefined
  /** A dial of our own is connected and in its handshake. */
  readonly dialConnected: boolean
}

/** What to do with the newcomer. */
export function judge({ weAreSmaller, creation, live, dialConnected }: AdmissionCase): Verdict {
  if (live !== undefined) {
    if (live.creation !== creation) return 'contest-name'
    return live.dialledByUs && weAreSmaller ? 'contest-link' : 'take-over'
  }
  return dialConnected && weAreSmaller ? 'duplicate-link' : 'take'
}
