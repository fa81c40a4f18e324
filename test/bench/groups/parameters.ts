/** What the cases are run with: the same for every system. */

/** Each is a process of its own in a group of its own, as users' sessions are. */
export const members = 100_000
/** Members that are there before memory is measured. */
export const membersBefore = 20_000
/** Joins in one turn of the loop, where a system has turns. */
export const joinsPerTurn = 100
/** Members of a node that dies, `death`. */
export const dyingMembers = 50_000
/** Partitions, and keys that are asked for, `route`. */
export const partitions = 256
export const keys = 10_000
