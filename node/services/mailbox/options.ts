/**
 * Tunables of the mailbox service. `acknowledge` belongs to the service and must be the same on both nodes of an
 * island; all others are of the process.
 *
 * They must relate as `bodyBytesMax < batchBytesMax <= unacknowledgedBytesMax`, `catchUpBytesMax <=
 * unacknowledgedBytesMax`, and `tickMs` well under every other time.
 */
import type { Level } from './messages.ts'

export interface MailboxOptions {
  /**
   * What a send waits for while the partner is there. `durable` adds an fsync on this node to the partner's word: it
   * survives the power of the whole island at the price of a commit per turn. Alone, a partition always fsyncs.
   */
  readonly acknowledge: Level
  /** Deliveries that one phone may have unacknowledged. More hides a longer round trip; costs redelivery after a loss. */
  readonly windowMessages: number
  /** Undelivered messages of one user; a send beyond it gets `mailbox-full`. A merge after a netsplit may exceed it. */
  readonly mailboxMessagesMax: number
  /** Undelivered messages of all users on this node, in bytes; a send beyond it gets `overload`. See `messageBytes`. */
  readonly heldBytesMax: number
  /** Longest body, in bytes of UTF-8; a longer one fails the call. A phone's frame of 64 KiB must have room for it. */
  readonly bodyBytesMax: number
  /** Bodies in one `deliver` and in one batch of operations; under the mesh's largest frame. */
  readonly batchBytesMax: number
  /** Wait after a refused hand-over, in ms; doubles without success up to `redeliverMsMax`. More spares a full queue. */
  readonly retryMsMin: number
  /** Wait for a phone's acknowledgement before everything unacknowledged is handed over again, in ms. */
  readonly redeliverMs: number
  /** That wait doubles without progress up to this. More spares a connection that is gone; costs a slow one its recovery. */
  readonly redeliverMsMax: number
  /** Operations that the partner has not acknowledged, in bytes; beyond it the stream counts as broken. See `unacknowledgedOps`. */
  readonly unacknowledgedBytesMax: number
  /** How much of that catching up may use, so that live traffic passes. More catches up faster over a long way. */
  readonly catchUpBytesMax: number
  /** Keys that one question of the catch-up lists. */
  readonly catchUpKeysMax: number
  /** Silence of the partner, with operations unacknowledged, after which the stream counts as broken, in ms. */
  readonly partnerSilentMs: number
  /** Wait before a broken stream is opened again, in ms; doubles up to `resyncMsMax` until a catch-up completes. See `resyncs`. */
  readonly resyncMsMin: number
  readonly resyncMsMax: number
  /** A partition whose catch-up takes longer than this serves meanwhile, in ms. Less is available sooner; costs messages that come late. */
  readonly catchUpMsMax: number
  /** How often deadlines are looked at while there are any, in ms; none of them is more exact than this. */
  readonly tickMs: number
  /** Erased messages that a partition remembers one by one. A repetition of an older one is a duplicate that the phone hides. */
  readonly erasedRecentMax: number
  /** Pairs of user and sender whose highest erased number a partition remembers: tells repetitions and late messages. */
  readonly erasedHighestMax: number
  /** Receipts kept for a user without a session, the newest of each recipient. */
  readonly receiptsPerUserMax: number
  /** Users of a partition for whom receipts are kept. */
  readonly receiptUsersMax: number
}

export const defaultMailboxOptions: MailboxOptions = {
  acknowledge: 'replicated',
  windowMessages: 32,
  mailboxMessagesMax: 10_000,
  heldBytesMax: 512 << 20,
  bodyBytesMax: 60 << 10,
  batchBytesMax: 128 << 10,
  retryMsMin: 200,
  redeliverMs: 5_000,
  redeliverMsMax: 60_000,
  unacknowledgedBytesMax: 32 << 20,
  catchUpBytesMax: 1 << 20,
  catchUpKeysMax: 1_000,
  partnerSilentMs: 3_000,
  resyncMsMin: 200,
  resyncMsMax: 5_000,
  catchUpMsMax: 30_000,
  tickMs: 100,
  erasedRecentMax: 8_192,
  erasedHighestMax: 16_384,
  receiptsPerUserMax: 256,
  receiptUsersMax: 4_096,
}

/** Tiny limits, so that tests reach each of them. */
export const testMailboxOptions: MailboxOptions = {
  acknowledge: 'replicated',
  windowMessages: 4,
  mailboxMessagesMax: 50,
  heldBytesMax: 1 << 20,
  bodyBytesMax: 1 << 10,
  batchBytesMax: 2 << 10,
  retryMsMin: 20,
  redeliverMs: 500,
  redeliverMsMax: 2_000,
  unacknowledgedBytesMax: 64 << 10,
  catchUpBytesMax: 4 << 10,
  catchUpKeysMax: 5,
  partnerSilentMs: 300,
  resyncMsMin: 20,
  resyncMsMax: 100,
  catchUpMsMax: 2_000,
  tickMs: 10,
  erasedRecentMax: 256,
  erasedHighestMax: 256,
  receiptsPerUserMax: 3,
  receiptUsersMax: 8,
}
