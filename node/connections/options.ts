/**
 * Limits of phone connections on one node. All are of the process: nodes may differ. What both ends of the protocol
 * must know (window, frame and body sizes) stands in `protocol.ts` and `frames.ts`.
 *
 * They must relate as `backoffMsMin <= backoffMsMax`, `callTimeoutMs < loginTimeoutMs`, and
 * `pendingBytesMax > WINDOW * BODY_BYTES_MAX`, or a phone with a full window of the longest texts would count as slow.
 */
export interface ConnectionsOptions {
  /** From accept to welcome, ms. More lets slow lines in; costs a place among the unproven for longer. */
  readonly loginTimeoutMs: number
  /** Sockets that have not logged in, on this node. More takes a larger mass return at once; costs about 2 KiB each. Watch `turnedAway`. */
  readonly unprovenMax: number
  /** The same from one address (IPv4), or one /64 (IPv6). More suits phones behind one carrier-grade NAT; costs what one attacker can hold. */
  readonly unprovenPerAddressMax: number
  /** Longest frame before login, bytes. */
  readonly unprovenFrameBytesMax: number
  /** Sends of one phone: the average per second, and how many at once. More suits busy accounts; costs what one account can load a mailbox with. Watch refusals `rate`. */
  readonly sendsPerSecond: number
  readonly sendsBurst: number
  /** Output that may wait for one phone, bytes; beyond it the phone is closed. More endures longer stalls of its line; costs memory per slow phone. */
  readonly pendingBytesMax: number
  /** How long one call to a mailbox or to accounts may take, ms, before it is tried again. */
  readonly callTimeoutMs: number
  /** Between tries: random(0, min(backoffMsMax, backoffMsMin * 2^n)), ms. */
  readonly backoffMsMin: number
  readonly backoffMsMax: number
  /** A changed mailbox owner is attached to after random(0, this), ms. More spreads the phones of a dead mailbox node; costs them latency once. */
  readonly reattachJitterMs: number
  /** What phones are told to wait, ms, when accounts are unavailable or there is no room. */
  readonly retryAfterMs: number
  /** Upper end of the wait that a go-away asks for, ms. More spreads reconnects; costs a longer drain. */
  readonly goAwayWindowMs: number
  /** Go-aways per second during a drain, at least; more when the deadline asks for it. */
  readonly goAwaysPerSecondMin: number
  /** How long a phone has to close its side once we closed ours, ms. */
  readonly lingerMs: number
  /** How often deadlines are looked at, ms: they are late by this much at most. */
  readonly sweepMs: number
  /** Casts that may wait for one connection, far above a mailbox's window: one that is refused would come again behind later ones. */
  readonly queueMessagesMax: number
}

export const defaultConnectionsOptions: ConnectionsOptions = {
  loginTimeoutMs: 5_000,
  unprovenMax: 4_096,
  unprovenPerAddressMax: 1_024,
  unprovenFrameBytesMax: 1_024,
  sendsPerSecond: 50,
  sendsBurst: 200,
  pendingBytesMax: 1_280 * 1024,
  callTimeoutMs: 2_000,
  backoffMsMin: 50,
  backoffMsMax: 1_000,
  reattachJitterMs: 100,
  retryAfterMs: 1_000,
  goAwayWindowMs: 1_000,
  goAwaysPerSecondMin: 50,
  lingerMs: 2_000,
  sweepMs: 250,
  queueMessagesMax: 10_000,
}

/** Tiny, so that tests reach each of them. */
export const testConnectionsOptions: ConnectionsOptions = {
  loginTimeoutMs: 100,
  unprovenMax: 8,
  unprovenPerAddressMax: 4,
  unprovenFrameBytesMax: 1_024,
  sendsPerSecond: 1_000,
  sendsBurst: 100,
  pendingBytesMax: 1_280 * 1024,
  callTimeoutMs: 30,
  backoffMsMin: 2,
  backoffMsMax: 10,
  reattachJitterMs: 5,
  retryAfterMs: 10,
  goAwayWindowMs: 20,
  goAwaysPerSecondMin: 1_000,
  lingerMs: 50,
  sweepMs: 10,
  queueMessagesMax: 1_000,
}
