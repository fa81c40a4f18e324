/**
 * What routing needs of a linked peer: its name, which start of it this is, and a way to send.
 *
 * The transport's `Peer` is one; tests wire two rooms together with another.
 */
import type { Lane, Sent } from '../transport/index.ts'

/** The transport's channels that routing uses; only appended to. */
export const Channel = { registry: 1, message: 2 } as const

/** A peer, as far as routing knows it. */
export interface Link {
  /** Name of the node at the other end. */
  readonly node: string
  /** Which start of that node, u32; 0 while there is no link. */
  readonly creation: number
  /** Bytes that wait here to be sent there, if the link can tell. */
  readonly queueBytes?: number
  /** Those of one lane. */
  queueBytesOf?(lane: Lane): number
  /**
   * Queues a frame; never throws, never waits. Copies `header`; may keep a `payload` of more than 4 KiB.
   * What still waits at `deadlineMs`, by the monotonic clock, never leaves.
   */
  send(
    channel: number,
    lane: Lane,
    header: Uint8Array,
    payload: Uint8Array | undefined,
    deadlineMs?: number,
  ): Sent
  /** Ends the link because the peer does what no honest peer does; `detail` is for people. */
  cutOff?(detail: string): void
}

/** Where a node stands; nearness is counted in these. */
export interface Place {
  readonly cluster: string
  readonly datacenter: string
}
