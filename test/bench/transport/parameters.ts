/** What the cases are run with: the same for every system. */

/** Bytes of one message, `oneway`. */
export const bytesList = [100, 1024, 65_536] as const
/** Senders and receivers side by side, in pairs, `oneway`. */
export const senders = 8
/** `idle`: one call at a time; else calls per second, sent at their times whatever came back. */
export const loads = ['idle', 10_000] as const
export type Load = (typeof loads)[number]
/** Bytes of a call's message, which comes back as its answer. */
export const callBytes = 100
/** How long a case runs before it is measured. */
export const warmUpSeconds = 3
