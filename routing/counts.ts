/** The account of messages that a router keeps: each is counted once where it is sent, and once where it arrives. */

export function newMessageCounts() {
  return {
    /** Casts and calls sent, by what sending said; local ones too. */
    ok: 0,
    nosuspend: 0,
    noconnect: 0,
    tooBig: 0,
    expired: 0,
    /** Those of `noconnect` whose group or key nobody serves. */
    noMember: 0,
    /** Calls refused because `pendingCallsMax` wait already. */
    overload: 0,
    /** Casts and calls from other nodes that a process here took. */
    delivered: 0,
    /** Those that no process took: there is none, or its message queue is full. */
    undelivered: 0,
    /** Those for another start of this node. */
    stale: 0,
    /** Calls whose time was up. */
    expiredOnArrival: 0,
    /** Frames without a header that this version knows. */
    bad: 0,
    /** Payloads that no process could read. */
    malformed: 0,
    /** Answers that ended a call from here. */
    answers: 0,
    /** Answers that nobody waits for any more, or from a node that was not asked. */
    lateReplies: 0,
    /** Answers from here that could not be sent. */
    answersLost: 0,
  }
}

export type MessageCounts = ReturnType<typeof newMessageCounts>
