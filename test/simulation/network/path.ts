/**
 * The way from one node to another, one direction: how long bytes take, and whether they get through at all.
 *
 * Invariant: a path belongs to names, not to starts of nodes, so that a fault outlives a restart.
 */

/** Weather that all paths of a world share. */
export interface Weather {
  /** One way, ms; each path draws its own between the two. */
  readonly latencyMsMin: number
  readonly latencyMsMax: number
  /** Added to each write, drawn between 0 and this. */
  readonly jitterMs: number
  readonly bytesPerMs: number
  /** Unread and unacknowledged bytes above which a stream is full. */
  readonly bufferBytes: number
  /** Bytes arrive in pieces of at most this many; one of two arrives whole all the same. */
  readonly sliceBytesMax: number
  /** How likely it is that a stream that is destroyed or reset loses the last of what was written. */
  readonly tailLossChance: number
}

/** The weather of a good day. */
export const calm: Weather = {
  latencyMsMin: 0.5,
  latencyMsMax: 2,
  jitterMs: 0,
  bytesPerMs: 100_000,
  bufferBytes: 64 * 1024,
  sliceBytesMax: Number.POSITIVE_INFINITY,
  tailLossChance: 0,
}

export class Path {
  readonly source: string
  readonly target: string
  /** One way, ms, without jitter. */
  latencyMs: number
  bytesPerMs: number
  /** A fault has made it long and thin. */
  isSlow = false
  /** Nothing gets through, and nobody is told. Counted, because faults may overlap. */
  holes = 0
  /** Dials are refused. Counted. */
  refusals = 0
  /** How likely it is that a slice arrives with one bit turned over: what TCP's checksum missed. */
  flipChance = 0
  /** When bytes last came out at the far end, ms; what the checkers know of silence. */
  lastArrivalMs = 0

  constructor(source: string, target: string, latencyMs: number, bytesPerMs: number) {
    this.source = source
    this.target = target
    this.latencyMs = latencyMs
    this.bytesPerMs = bytesPerMs
  }

  get isHole(): boolean {
    return this.holes > 0
  }
}
