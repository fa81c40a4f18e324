/**
 * Routing's limits, in one place: every table here is bounded, and each bound says what more buys and what it costs.
 */

export interface RoutingOptions {
  /** Members in one registry frame. More: fewer frames; cost: longer turns at the receiver. */
  readonly frameMembersMax: number
  /**
   * Bytes in one registry frame, estimated before encoding; keep it below the transport's largest frame.
   * More: fewer frames; cost: a full control lane refuses more at once.
   */
  readonly frameBytesMax: number
  /**
   * Members that one node may have in one scope, counted as often as they joined. A peer that announces more is
   * ignored beyond it. Memory: about 250 bytes each. `registry.counts.overLimit` tells when it is too low.
   */
  readonly nodeMembersMax: number
  /**
   * Changes kept for a peer while a sync to it waits for room; beyond it the sync starts again with what is true then.
   * More: fewer restarts under churn; cost: memory per slow peer.
   */
  readonly backlogChangesMax: number
  /** How long a peer that refused a control frame is left alone, drawn between half of it and all of it. */
  readonly retryMs: number
  /** Calls that may wait for an answer at once; the next one fails with `overload`. About 300 bytes each. */
  readonly pendingCallsMax: number
  /** How late a deadline may be noticed: one sweep looks at all pending calls. Less: more sweeps. */
  readonly sweepMs: number
}

/** For nodes in service. */
export const routingDefaults: RoutingOptions = {
  frameMembersMax: 2_000,
  frameBytesMax: 48 * 1024,
  nodeMembersMax: 1_000_000,
  backlogChangesMax: 65_536,
  retryMs: 200,
  pendingCallsMax: 100_000,
  sweepMs: 10,
}

/** So small that a test meets every limit. */
export const routingForTests: RoutingOptions = {
  frameMembersMax: 3,
  frameBytesMax: 256,
  nodeMembersMax: 64,
  backlogChangesMax: 8,
  retryMs: 20,
  pendingCallsMax: 8,
  sweepMs: 5,
}
