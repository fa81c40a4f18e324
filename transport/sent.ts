/**
 * What a send answers, and the classes in which it may be sent. Both lists are on the hot path and, for lanes, on the
 * wire: small integers, only appended to.
 */

/** What became of a send, as far as this node knows at once. Never thrown. */
export const Sent = {
  /** Queued for the peer; the ledger tells what became of it. */
  ok: 0,
  /** The peer's queue has no room; nothing was queued. */
  nosuspend: 1,
  /** No link to the peer; nothing was queued. */
  noconnect: 2,
  /** The frame is longer than this node or the peer takes. */
  tooBig: 3,
  /** The message's deadline had passed. */
  expired: 4,
} as const
export type Sent = (typeof Sent)[keyof typeof Sent]

const sentNames = ['ok', 'nosuspend', 'noconnect', 'tooBig', 'expired'] as const

/** The name of a send's answer, for logs, errors and tables. */
export function sentName(sent: Sent): (typeof sentNames)[number] {
  return sentNames[sent]
}

/** Ordered class of frames: a lane's frames leave in order, and before those of every later lane. */
export const Lane = {
  /** Registry and other small traffic that must pass when data is stuck; has a reserve of its own. */
  control: 0,
  /** Messages. */
  ordinary: 1,
  /** What may wait for everything else. */
  bulk: 2,
} as const
export type Lane = (typeof Lane)[keyof typeof Lane]

export const laneNames = ['control', 'ordinary', 'bulk'] as const
export const laneCount = 3

/** Which user of the transport a message is for: u8, declared by the users, only appended to. */
export type Channel = number
