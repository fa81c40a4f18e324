/**
 * What the transport needs from the world: a clock, timers, random numbers and byte streams.
 *
 * Everything above this file takes them as an argument, so the same code runs on real sockets and in a simulated
 * world. Nothing in transport, routing or node may read the time, draw a random number or open a socket elsewhere.
 */
import { randomBytes } from 'node:crypto'
import { tcpCarrier } from './carriers/tcp.ts'
import { TurnEnd } from './turn-end.ts'

/** Reads the time. Only the monotonic reading may decide anything; the wall clock is for people. */
export interface Clock {
  /** Milliseconds, fractional, from an arbitrary start; never goes back. */
  nowMs(): number
  /** Milliseconds since 1970-01-01 UTC; may jump either way. */
  wallMs(): number
}

/** What {@link Timers.after} returns; only good for {@link Timers.cancel}. */
export type TimerHandle = unknown

/** Runs things later, on the same thread. */
export interface Timers {
  /** Runs `run` once, `delayMs` from now at the earliest. */
  after(delayMs: number, run: () => void): TimerHandle
  /** Takes a timer back; a timer that has fired, or `undefined`, is no error. */
  cancel(handle: TimerHandle | undefined): void
  /** Runs `run` at the end of this turn of the event loop, after everything that this turn reads. */
  soon(run: () => void): void
}

/** Random numbers: seeded in a simulation, the machine's own otherwise. */
export interface Random {
  /** A number in [0, 1). Good for jitter, not for secrets. */
  next(): number
  /** `count` unpredictable bytes. */
  bytes(count: number): Uint8Array
}

/** One ordered, reliable stream of bytes in both directions. */
export interface Stream {
  /** Who is at the other end, `host:port`, for people. */
  readonly remoteAddress: string
  /** The node names that the other end has proven to this carrier; `undefined` where the carrier proves none. */
  readonly peerNames?: readonly string[] | undefined
  /** Whether all that was written has left the caller's memory, so that this may be used again; `undefined` where nobody knows. */
  readonly isWrittenOut?: boolean | undefined
  /** Whether bytes that were damaged under way never come out of it; `undefined` where nobody promises that. */
  readonly isChecked?: boolean | undefined
  /** Hands the stream to its owner; called exactly once, in the turn in which the stream was got. */
  attach(handler: StreamHandler): void
  /** Queues chunks, in order, in one write. False means full: wait for `onDrain`. The chunks belong to the stream until written; the array does not. */
  write(chunks: readonly Uint8Array[]): boolean
  /** Writes what is queued, then closes our side. */
  end(): void
  /** Closes at once; what is queued is lost. */
  destroy(): void
  /** Stops reading until {@link resume}. */
  pause(): void
  resume(): void
}

/** What a stream tells its owner. */
export interface StreamHandler {
  /** A dialled stream is connected. Not called for accepted ones, which are born connected. */
  onOpen(): void
  /** Bytes arrived; `bytes` is only valid during the call, unless it is the front of what {@link room} gave. */
  onData(bytes: Uint8Array): void
  /** Where the next read should go, if the carrier can do that and it is not `undefined`; asked anew before each read. */
  room?(): Uint8Array | undefined
  /** After a `write` that returned false: there is room again. */
  onDrain(): void
  /**
   * Only from a carrier that proves names: the other end does not prove who it is, or no longer; `why` is for people. Nothing that it says
   * is passed on from now on, a last word to it may still be written, and the stream ends.
   */
  onUnproven?(why: string): void
  /** The stream is gone; called exactly once, and last. `error` says why, `undefined` for an orderly end. */
  onClose(error: string | undefined): void
}

/** Something that listens; `address` carries the real port. */
export interface Listener {
  readonly address: string
  close(): Promise<void>
}

/** Makes streams: TCP in life, memory in tests. */
export interface Carrier {
  /** Rejects with a `TransportError` when the address cannot be had. */
  listen(address: string, accept: (stream: Stream) => void): Promise<Listener>
  /** Never throws: a refused dial arrives as `onClose`. */
  dial(address: string): Stream
}

/** All that a node takes from outside. */
export interface Ports {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly carrier: Carrier
}

export const realClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
}

const turnEnd = new TurnEnd(run => void setImmediate(run))

export const realTimers: Timers = {
  after: (delayMs, run) => setTimeout(run, delayMs),
  cancel: handle => clearTimeout(handle as NodeJS.Timeout | undefined),
  soon: run => turnEnd.soon(run),
}

export const realRandom: Random = {
  next: () => Math.random(),
  bytes: count => randomBytes(count),
}

/** The world as it is: the machine's clock and random numbers, and TCP. */
export const realPorts: Ports = {
  clock: realClock,
  timers: realTimers,
  random: realRandom,
  carrier: tcpCarrier,
}
