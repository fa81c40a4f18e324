/** The account of messages that a router keeps: each is counted once where it is sent, and once where it arrives. */

export function newMessageCounts() {
  return {
    /** Casts and calls sent, by what sending said, one for each process that they were for; local ones too. */
    ok: 0,
    nosuspend: 0,
    noconnect: 0,
    tooBig: 0,
    expired: 0,
    /** Those of `noconnect` whose group or key nobody serves. */
    noMember: 0,
    /** Calls refused because `pendingCallsMax` wait already. */
    overload: 0,
    /** Those of them that were calls, sent once more because who was asked first had handed its partition over. */
    redirected: 0,
    /** Frames that carried casts for several processes of a node. */
    fannedOut: 0,
    /** Casts and calls from other nodes that a process here took. */
    delivered: 0,
    /** Those that no process took: there is none, or its message queue is full; or the caller was told whom to ask. */
    undelivered: 0,
    /** Those that this node passed on to the new owner of a partition. */
    forwarded: 0,
    /** Those for another start of this node. */
    stale: 0,
    /** Calls whose time was up. */
    expiredOnArrival: 0,
    /** Frames without a header that this version knows. */
    bad: 0,
    /** Messages that no process could read. */
    malformed: 0,
    /** How often a sender was told the new owner of a partition. */
    hinted: 0,
    /** New owners that others told us, outside of refusals; and those that could not be. */
    hintsTaken: 0,
    hintsIgnored: 0,
    /** Peers that said which kinds of messages they take. */
    kindsHeard: 0,
    /** Answers that ended a call from here. */
    answers: 0,
    /** Answers that nobody waits for any more, or from a node that was not asked. */
    lateReplies: 0,
    /** Answers from here that could not be sent. */
    answersLost: 0,
    /** Questions to many; the answers to them, and those who gave none in time. */
    gathers: 0,
    gathered: 0,
    missing: 0,
  }
}

export type MessageCounts = ReturnType<typeof newMessageCounts>
