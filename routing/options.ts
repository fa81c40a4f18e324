/**
 * Routing's limits, in one place: every table here is bounded, and each bound says what more buys and what it costs.
 */

export interface RoutingOptions {
  /** Members in one registry frame, 20,000 at most. More: fewer frames; cost: longer turns at the receiver. */
  readonly frameMembersMax: number
  /**
   * Bytes in one registry frame, estimated before encoding; keep it below the transport's largest frame.
   * More: fewer frames; cost: a full control lane refuses more at once.
   */
  readonly frameBytesMax: number
  /**
   * Members that one node may have in one scope, counted as often as they joined; the same on all nodes. A join beyond it throws, and a
   * peer that announces more is cut off. Memory: 160 to 490 bytes each. `registry.counts.overLimit` tells when it is too low.
   */
  readonly nodeMembersMax: number
  /** Scopes that this node may have open. More: longer states and discovers. */
  readonly scopesMax: number
  /**
   * Own changes that are remembered per scope and audience. A peer that missed no more gets only the difference, any other a sync.
   * Formula: changes per second times the longest netsplit that shall be cheap. Memory: 16 bytes each.
   */
  readonly journalChangesMax: number
  /**
   * While so many bytes wait in a link's control lane, a sync adds none and looks again after the pause. Formula: with one frame less than the
   * transport's `controlReserveBytes`, so that a sync takes no room that messages have. More, or a shorter pause: faster syncs, at most
   * `syncQueueBytesMax` per `syncPauseMs`; cost: changes wait behind it.
   */
  readonly syncQueueBytesMax: number
  readonly syncPauseMs: number
  /** How long a peer that refused a control frame is left alone, drawn between half of it and all of it. */
  readonly retryMs: number
  /**
   * How long the members of a node whose link was lost stay, as suspects, that are chosen last. 0: they go at once, as with `pg`.
   * Formula: somewhat more than a redial takes. More: a longer flap goes unnoticed; cost: a dead node is chosen longer where there is no other.
   */
  readonly graceMs: number
  /**
   * How often peers are told number and digest of what they should hold, give or take a quarter.
   * Less: a lost or damaged frame is noticed sooner; cost: one small frame per peer each time.
   */
  readonly digestMs: number
  /**
   * Questions that a peer may ask, and differences that it may cause, per second and at once. Each may cost a sync.
   * A question beyond it waits; a peer that still differs is cut off. The burst is at least `scopesMax`: when a link comes up, the
   * peer asks about every scope, and members whose scope is not answered for within `graceMs` are forgotten.
   */
  readonly asksPerSecond: number
  readonly asksBurst: number
  /**
   * What a peer may send: bytes of registry frames (and 64 for each), and members. Beyond the burst and the rate it is cut off.
   * Formula: in one burst a sync of `nodeMembersMax` members, with the longest names and metadata: 1,250 bytes each.
   */
  readonly peerBytesPerSecond: number
  readonly peerBytesBurst: number
  readonly peerMembersPerSecond: number
  readonly peerMembersBurst: number
  /** Calls that may wait for an answer at once; the next one fails with `overload`. About 300 bytes each. */
  readonly pendingCallsMax: number
  /** How long after it handed a partition over a node passes on what still comes for it. More: for slower senders' sake. */
  readonly handoverMs: number
  /** Hand-overs remembered at once, the latest; about 200 bytes each, and as much for each peer that was told. */
  readonly handoversMax: number
  /**
   * Processes in one frame that is fanned out; more members on a node need more frames. More: fewer frames; cost: longer
   * turns at the receiver. The same on all nodes, for a receiver takes no more.
   */
  readonly fanoutMembersMax: number
  /**
   * What a message in a local process's queue counts against the bytes in a peer's, where the least queue is looked for.
   * Formula: the mean bytes of a message. More: messages leave the node sooner.
   */
  readonly queuedMessageBytes: number
  /** How late a deadline may be noticed: one sweep looks at all pending calls. Less: more sweeps. */
  readonly sweepMs: number
}

/** For nodes in service, in one datacenter. */
export const routingDefaults: RoutingOptions = {
  frameMembersMax: 2_000,
  frameBytesMax: 48 * 1024,
  nodeMembersMax: 1_000_000,
  scopesMax: 64,
  journalChangesMax: 65_536,
  syncQueueBytesMax: 512 * 1024,
  syncPauseMs: 10,
  retryMs: 200,
  graceMs: 3_000,
  digestMs: 5_000,
  asksPerSecond: 2,
  asksBurst: 64,
  peerBytesPerSecond: 8 * 1024 * 1024,
  peerBytesBurst: 1_280 * 1024 * 1024,
  peerMembersPerSecond: 250_000,
  peerMembersBurst: 2_000_000,
  pendingCallsMax: 100_000,
  handoverMs: 30_000,
  handoversMax: 4_096,
  fanoutMembersMax: 4_096,
  queuedMessageBytes: 256,
  sweepMs: 10,
}

/** So small that a test meets every limit. */
export const routingForTests: RoutingOptions = {
  frameMembersMax: 3,
  frameBytesMax: 256,
  nodeMembersMax: 64,
  scopesMax: 4,
  journalChangesMax: 8,
  syncQueueBytesMax: 1_024,
  syncPauseMs: 2,
  retryMs: 20,
  graceMs: 100,
  digestMs: 200,
  asksPerSecond: 10,
  asksBurst: 4,
  peerBytesPerSecond: 20_000,
  peerBytesBurst: 100_000,
  peerMembersPerSecond: 1_000,
  peerMembersBurst: 5_000,
  pendingCallsMax: 8,
  handoverMs: 100,
  handoversMax: 2,
  fanoutMembersMax: 3,
  queuedMessageBytes: 256,
  sweepMs: 5,
}
