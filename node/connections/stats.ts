/** What the connections of one node have done since its start, counted where it happens. */
import { type PhoneErrorCode, phoneErrorCodes } from './error-codes.ts'

export class ConnectionsStats {
  /** Phones logged in now. */
  connections = 0
  /** Sockets now that have not logged in. */
  unproven = 0
  /** Sockets taken since the start. */
  accepted = 0
  /** Sockets sent away at once: no room among the unproven, or draining. */
  turnedAway = 0
  logins = 0
  framesIn = 0
  framesOut = 0
  /** Texts taken from phones. */
  sends = 0
  /** Texts acknowledged to phones. */
  acks = 0
  /** Tries of a text beyond its first. */
  retries = 0
  /** Texts handed to phones; again counts again. */
  delivered = 0
  /** Deliveries under an attachment that is over, which were ignored. */
  stale = 0
  /** Times that a phone was attached to another mailbox owner, or again to the same. */
  reattaches = 0
  /** Connections closed because their process failed: bugs. */
  failures = 0
  readonly refusals: Record<PhoneErrorCode, number> = Object.fromEntries(
    phoneErrorCodes.map(code => [code, 0]),
  ) as Record<PhoneErrorCode, number>
}
