/**
 * What a mailbox service counts; one object a partition, summed for the node.
 */

/** Counters since the start, except for the first six, which say what is here now. */
export interface MailboxStats {
  /** Undelivered messages held. */
  messages: number
  /** Their bytes, as counted against the node's budget. */
  messageBytes: number
  /** Mailboxes in memory: users with undelivered messages or a session. */
  mailboxes: number
  /** Sessions attached at this node. */
  sessions: number
  /** Tombstones that the partner has yet to confirm. */
  tombstones: number
  /** Operations that the partner has yet to acknowledge: what it would miss if this node died now. */
  unacknowledgedOps: number
  /** Messages taken in from senders. */
  appended: number
  /** Messages taken in from the partner. */
  replicated: number
  /** Messages handed to connections, repetitions included. */
  delivered: number
  /** Messages that a phone has acknowledged here. */
  erased: number
  /** Sends of what was kept already. */
  duplicates: number
  /** Messages that came in after a later one of the same sender had reached the phone. */
  late: number
  acknowledgedReplicated: number
  acknowledgedDurable: number
  /** Those of the durable ones that only this node holds: what the loss of one disk would lose. Alarm on its growth. */
  acknowledgedSingleCopy: number
  /** Sends answered with an error. */
  refused: number
  /** Streams to the partner begun after the first. */
  resyncs: number
}

export function newMailboxStats(): MailboxStats {
  return {
    messages: 0,
    messageBytes: 0,
    mailboxes: 0,
    sessions: 0,
    tombstones: 0,
    unacknowledgedOps: 0,
    appended: 0,
    replicated: 0,
    delivered: 0,
    erased: 0,
    duplicates: 0,
    late: 0,
    acknowledgedReplicated: 0,
    acknowledgedDurable: 0,
    acknowledgedSingleCopy: 0,
    refused: 0,
    resyncs: 0,
  }
}

/** The sum, field by field. */
export function sumMailboxStats(parts: Iterable<MailboxStats>): MailboxStats {
  const sum = newMailboxStats()
  for (const part of parts) {
    for (const field of Object.keys(sum) as (keyof MailboxStats)[]) sum[field] += part[field]
  }
  return sum
}
