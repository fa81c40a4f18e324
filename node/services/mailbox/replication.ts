/**
 * What the two halves of a partition say to each other.
 *
 * Each half sends the other one a stream of numbered operations; nothing in it is ever sent twice. A stream begins
 * with an inventory (`have` ... `end`), among which live operations pass, so that after `end` the follower holds all
 * that the source holds. When anything is lost, the stream is given up and another one begins, under a higher epoch:
 * repetition is the inventory's job. Applying an operation twice, or late, does no harm. A follower passes over kinds
 * that it does not know, and acknowledges them: a later version may add only what its partner may ignore.
 *
 *     source                         follower
 *       operations 1: have[a b c]  ->
 *       operations 2: append d     ->
 *                                  <-  acknowledged 2, answer to 1: want[b]
 *       operations 3: append b     ->
 *       operations 4: end          ->
 *                                  <-  acknowledged 4
 */
import type { StoredMessage } from './messages.ts'

/** Names a message within a partition. */
export type MessageKey = readonly [user: string, from: string, number: number]

/** A session as the half that holds it announces it. */
export interface SessionClaim {
  readonly user: string
  /** Text of the connection's pid. */
  readonly session: string
  readonly sessionNumber: number
  readonly attachment: number
}

/** Keep this message. */
export interface Append {
  readonly kind: 'append'
  readonly user: string
  readonly message: StoredMessage
}

/** The phone has this message: erase it, and do not take it again. */
export interface Erase {
  readonly kind: 'erase'
  readonly key: MessageKey
}

/** The user's phone hangs here now. */
export interface Attached {
  readonly kind: 'attached'
  readonly claim: SessionClaim
}

/** That session is over, wherever it was attached; a later attachment of it is not. */
export interface Detached {
  readonly kind: 'detached'
  readonly claim: SessionClaim
}

/** A receipt for a user whose phone hangs at the follower. */
export interface Receipt {
  readonly kind: 'receipt'
  readonly user: string
  readonly by: string
  readonly number: number
}

/** A piece of the source's inventory. Wants an {@link Answer}; one piece at a time is on its way. */
export interface Have {
  readonly kind: 'have'
  readonly messages: readonly MessageKey[]
  /** `markOf` the body of each. */
  readonly marks?: readonly number[]
  /** Erased at the source, and perhaps still held by the follower. */
  readonly erased: readonly MessageKey[]
  readonly sessions: readonly SessionClaim[]
}

/** All that the source held when the stream began has been sent. */
export interface End {
  readonly kind: 'end'
}

export type Operation = Append | Erase | Attached | Detached | Receipt | Have | End

/** Cast, source to follower: the operations `first`, `first + 1`, ... of stream `epoch`. */
export interface Operations {
  readonly op: 'operations'
  /** Grows with each stream of a source process. */
  readonly epoch: number
  readonly first: number
  readonly operations: readonly Operation[]
}

/** What the follower says to a {@link Have}; numbers are places in its `messages`. */
export interface Answer {
  /** The number of the operation that asked. */
  readonly to: number
  /** Not held here: send them. */
  readonly want: readonly number[]
  /** Erased here: erase them. */
  readonly erased: readonly number[]
  /** A later message of the same sender has been erased here: these come late. */
  readonly late: readonly number[]
}

/** Cast, follower to source: all operations up to `number` are applied. */
export interface Acknowledged {
  readonly op: 'acknowledged'
  readonly epoch: number
  readonly number: number
  readonly answers: readonly Answer[]
}

/** Cast, follower to source: operations of this stream are missing; begin another. */
export interface Resync {
  readonly op: 'resync'
  readonly epoch: number
}

export type PartnerMessage = Operations | Acknowledged | Resync
