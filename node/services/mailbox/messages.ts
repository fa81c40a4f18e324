/**
 * What connections and mailboxes say to each other, and what a stored message is.
 *
 * A message is named by (recipient, sender, number). The number is made by the sender's connection from the device and
 * the phone's own count, so it only grows per sender; one sender's messages to one recipient are sent one after the
 * other, the next only when the one before is acknowledged. That is where order comes from.
 */

/** How well a message was kept when it was acknowledged. */
export type Level =
  /** Both nodes of the island hold it. */
  | 'replicated'
  /** It is on disk, fsynced, on the node that acknowledged. */
  | 'durable'

/** One undelivered message, as a mailbox keeps it. */
export interface StoredMessage {
  readonly from: string
  /** `device * 2**32 + seq`: grows per sender, under 2**53. */
  readonly number: number
  readonly body: string
  /** When the sender's connection took it, milliseconds since 1970. */
  readonly sentAtMs: number
  /** True when it came in after a later one of the same sender, as a netsplit heals. */
  readonly late: boolean
}

/** Call: keep this message. Answered with {@link SendReply} once it is kept at the level that the service promises. */
export interface SendRequest {
  readonly op: 'send'
  readonly to: string
  readonly from: string
  readonly number: number
  readonly body: string
  readonly sentAtMs: number
}

export type SendReply =
  | { readonly level: Level }
  | { readonly error: 'mailbox-full' | 'overload' | 'unavailable' }

/**
 * Call: this connection now serves the user's phone. What is undelivered comes as {@link Deliver} casts to `session`,
 * in order. A session with a higher number replaces one with a lower; the lower is told {@link Replaced}.
 */
export interface AttachRequest {
  readonly op: 'attach'
  readonly user: string
  /** Text of the connection's pid. */
  readonly session: string
  /** From the accounts service; grows with each login of the user. */
  readonly sessionNumber: number
  /** Counts this connection's attachments; comes back in each {@link Deliver}, so that stale ones can be told apart. */
  readonly attachment: number
}

export type AttachReply = { readonly attached: true } | { readonly error: 'replaced' }

/** Cast: the phone has these; erase them. Idempotent. `items` are [sender, number] pairs. */
export interface AckMessage {
  readonly op: 'ack'
  readonly user: string
  readonly items: readonly (readonly [from: string, number: number])[]
}

/** Cast: this connection no longer serves the user. */
export interface DetachMessage {
  readonly op: 'detach'
  readonly user: string
  readonly session: string
}

/** Cast, mailbox to the sender's own mailbox: the recipient's phone has it. Best effort. */
export interface ReceiptMessage {
  readonly op: 'receipt'
  /** Who sent the message, and is now told. */
  readonly user: string
  /** Whose phone has it. */
  readonly by: string
  readonly number: number
}

/** Cast, mailbox to connection: hand these to the phone, in order. */
export interface Deliver {
  readonly op: 'deliver'
  readonly attachment: number
  readonly messages: readonly StoredMessage[]
}

/** Cast, mailbox to connection: the recipient's phone has your message. */
export interface DeliverReceipt {
  readonly op: 'receipt'
  readonly by: string
  readonly number: number
}

/** Cast, mailbox to connection: a newer login serves this user now. */
export interface Replaced {
  readonly op: 'replaced'
}

/** All that a mailbox partition is called with. */
export type MailboxCall = SendRequest | AttachRequest
/** All that is cast to a mailbox partition by connections and other mailboxes; partners speak `replication.ts`. */
export type MailboxCast = AckMessage | DetachMessage | ReceiptMessage
/** All that a mailbox casts to a connection. */
export type SessionCast = Deliver | DeliverReceipt | Replaced
