/**
 * transport: frames between two nodes, each in a process of its own, over loopback TCP.
 *
 * One way: one node sends as fast as its queue takes it, the other counts; the figure is what arrived per second.
 * Round trip: one message at a time, there and back. Fire and forget on both sides of the comparison: Erlang's
 * distribution promises as much as ours (in order, lost only with the link), and its receiver only counts too.
 */
import type { Bench } from '../bench.ts'
import { erlang } from './erlang.ts'
import { wandist } from './wandist.ts'

export const transport: Bench = {
  name: 'transport',
  about: 'frames between two nodes over loopback TCP; peers: erlang',
  ours: wandist,
  peers: [erlang],
}

/** What is sent one way, in bytes of payload. */
export const payloadBytes = [128, 4096] as const

/** How long a sender runs before it is measured. */
export const warmUpSeconds = 1
