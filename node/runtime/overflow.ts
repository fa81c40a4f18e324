/**
 * What gives way when a process's message queue is full: the declared policy of that process.
 *
 * Invariant: whatever gives way is counted by the process, and a call that does is refused with `overload`. What a
 * process told itself never gives way: nobody else would repeat it.
 */
import type { Envelope } from '../../routing/index.ts'
import { Info } from './info.ts'
import type { MessageQueue } from './message-queue.ts'

/**
 * - `refuse`: the new message is not taken, and its sender is told at once where it is of this node. The default.
 * - `drop-newest`: the new message is taken and thrown away; a cast's sender hears nothing of it.
 * - `drop-oldest`: what has waited longest is thrown away instead: for state of which the latest counts.
 */
export type Overflow = 'refuse' | 'drop-oldest' | 'drop-newest'

/** How much may wait before a process, and what happens then. */
export interface QueueLimits {
  readonly messagesMax: number
  readonly overflow: Overflow
}

/** Which message gives way to `newest`, which may be itself; taken out of the queue if it was there. */
export function giveWay(
  queue: MessageQueue<Envelope | Info>,
  overflow: Overflow,
  newest: Envelope,
): Envelope {
  if (overflow !== 'drop-oldest') return newest
  return (queue.shiftWhere(isEnvelope) as Envelope | undefined) ?? newest
}

function isEnvelope(message: Envelope | Info): boolean {
  return !(message instanceof Info)
}
