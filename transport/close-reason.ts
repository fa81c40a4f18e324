/**
 * Why a link ended: one list for the wire, the ring of closed links, metrics and people.
 *
 * A reason travels as its index. Invariant: the list is only appended to; a dead reason keeps its place.
 * A number that we do not know (a newer peer's) reads as `unknown`.
 */

export const closeReasons = [
  /** The other end gave a number that this version does not know. */
  'unknown',
  /** The other node stopped in order and said so. */
  'goodbye',
  /** We stopped. */
  'local-stop',
  /** The stream ended without a goodbye: a crash, a reset, a cut cable. */
  'stream-closed',
  /** Nothing was heard for `heartbeatTimeoutMs`, or a probe stayed without an answer. */
  'heartbeat-timeout',
  /** Bytes that are no frame of this protocol, or a frame out of place. */
  'bad-frame',
  /** The handshake was not done within `handshakeTimeoutMs`. */
  'handshake-timeout',
  /** The other end belongs to another cluster id. */
  'foreign-cluster',
  /** The protocol ranges do not overlap, or a required feature is missing. */
  'version',
  /** The proof of the shared secret does not hold. */
  'wrong-secret',
  /** Who answered is not whom the dialler wanted. */
  'wrong-name',
  /** The node is not among those that the configuration lets us talk to. */
  'not-configured',
  /** A live node has this name already. */
  'duplicate-name',
  /** Another link to the same start of the same node is kept. */
  'duplicate-link',
  /** A newer link from the same node took this one's place. */
  'superseded',
  /** The configuration no longer lists the node. */
  'removed',
  /** The configuration gives the node another address. */
  'readdressed',
  /** The dial failed: nobody listens there, or no way to it. */
  'refused',
  /** Too many streams were in their handshake at once. */
  'busy',
  /** The certificate is none that we believe (any more), or not one for the name that the other end claims. */
  'wrong-certificate',
  /** Its frames are sound, and what they say cannot be: a room above the transport has cut it off. */
  'misbehaved',
] as const

/** Why a link ended, by name. */
export type CloseReason = (typeof closeReasons)[number]

/** The number that stands for `reason` on the wire (u8). */
export function closeReasonCode(reason: CloseReason): number {
  return closeReasons.indexOf(reason)
}

/** What an end finds out for itself and never says: from the wire it is nobody's word to believe. */
const neverSaid: readonly CloseReason[] = [
  'local-stop',
  'stream-closed',
  'heartbeat-timeout',
  'refused',
  'busy',
]

/** The reason for a number from the wire; `unknown` for one that this version does not know, or that is never said. */
export function closeReasonOf(code: number): CloseReason {
  const reason = closeReasons[code] ?? 'unknown'
  return neverSaid.includes(reason) ? 'unknown' : reason
}
