/**
 * One peer's bounded queue: three lanes in strict order, counted in bytes. Hot path.
 *
 *   push ▶ [ control  ▒ ]          ▶ take: control first, then ordinary, then bulk
 *        ▶ [ ordinary ▒▒▒▒▒▒▒▒▒ ]
 *        ▶ [ bulk     ▒▒▒▒ ]
 *
 * A push that does not fit makes room by the order of shed-order.ts, or is refused.
 * Invariant: `bytes` never exceeds `bytesMax`, and data lanes leave the control lane's reserve alone.
 */
import { LaneQueue } from './lane-queue.ts'
import { Ledger } from './ledger.ts'
import type { Clock } from './ports.ts'
import { Lane, laneCount } from './sent.ts'
import { lanesShedFor } from './shed-order.ts'
import { headerBytes } from './wire.ts'

/** A full queue looks for what has expired this often at most: a look may walk all that is queued. */
const expireIntervalMs = 1

export class Queue {
  /** Bytes queued, headers included, plus those that the stream still holds ({@link hold}). */
  bytes = 0
  /** The most that `bytes` ever was. */
  bytesHighest = 0
  readonly bytesMax: number
  /** The high watermark: above it nothing more is taken but control. */
  readonly dataBytesMax: number
  /** The low watermark: from here down senders may come again. Half of `bytesMax`. */
  readonly lowBytes: number
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #lanes: readonly LaneQueue[]
  #heldBytes = 0
  #expireAtMs = Number.NEGATIVE_INFINITY

  /** What expires or is shed is counted in `ledger`. */
  constructor(
    bytesMax: number,
    controlReserveBytes: number,
    clock: Pick<Clock, 'nowMs'>,
    ledger = new Ledger(),
  ) {
    this.bytesMax = bytesMax
    this.dataBytesMax = bytesMax - controlReserveBytes
    this.lowBytes = bytesMax / 2
    this.#clock = clock
    this.#lanes = ledger.lanes.map((account, lane) => new LaneQueue(lane as Lane, account))
  }

  /** Frames queued, all lanes. */
  get frames(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.frames, 0)
  }

  /** Frames queued in one lane. */
  framesOf(lane: Lane): number {
    return this.#lanes[lane]!.frames
  }

  /** Bytes queued in one lane, headers included. */
  bytesOf(lane: Lane): number {
    return this.#lanes[lane]!.bytes
  }

  /** Whether `take` would give nothing. */
  get empty(): boolean {
    return this.bytes === this.#heldBytes
  }

  /** Whether it is at its low watermark or below. */
  get roomy(): boolean {
    return this.bytes <= this.lowBytes
  }

  /** Appends one message frame; false if there is no room in its lane, and none can be made. */
  push(
    channel: number,
    lane: Lane,
    header: Uint8Array,
    payload: Uint8Array | undefined,
    deadlineMs: number = Number.POSITIVE_INFINITY,
  ): boolean {
    const payloadBytes = payload === undefined ? 0 : payload.length
    const frameBytes = headerBytes + header.length + payloadBytes
    if (this.#lacking(lane, frameBytes) > 0 && !this.#makeRoom(lane, frameBytes)) return false
    this.bytes += frameBytes
    if (this.bytes > this.bytesHighest) this.bytesHighest = this.bytes
    this.#lanes[lane]!.push(channel, header, payload, payloadBytes, deadlineMs)
    return true
  }

  /**
   * Moves whole frames into `chunks`, first lanes first, until `bytesMax` is reached or nothing is left (always at least one frame, unless
   * all have expired). Adds the frames moved to `framesByLane`; returns their bytes.
   */
  take(bytesMax: number, chunks: Uint8Array[], framesByLane: number[]): number {
    const nowMs = this.#hasDeadlines ? this.#clock.nowMs() : 0
    let taken = 0
    for (let lane = 0; lane < laneCount && taken < bytesMax; lane++)
      taken += this.#lanes[lane]!.take(bytesMax - taken, nowMs, chunks, framesByLane)
    this.#recount()
    return taken
  }

  /** Counts bytes that were taken and that the stream could not pass on yet; 0 when it could. */
  hold(bytes: number): void {
    this.bytes += bytes - this.#heldBytes
    this.#heldBytes = bytes
  }

  /** Forgets everything. */
  clear(): void {
    for (const lane of this.#lanes) lane.clear()
    this.bytes = 0
    this.#heldBytes = 0
  }

  get #hasDeadlines(): boolean {
    for (const lane of this.#lanes) if (lane.deadlineMsMin !== Number.POSITIVE_INFINITY) return true
    return false
  }

  /** How many bytes too few there are for a frame in `lane`; it fits at 0 or less. */
  #lacking(lane: Lane, frameBytes: number): number {
    return this.bytes + frameBytes - (lane === Lane.control ? this.bytesMax : this.dataBytesMax)
  }

  /** Makes room as shed-order.ts says; false if that is not to be had. */
  #makeRoom(lane: Lane, frameBytes: number): boolean {
    this.#expire()
    const lacking = this.#lacking(lane, frameBytes)
    const others = lanesShedFor[lane]!
    let sheddable = 0
    for (const other of others) sheddable += this.#lanes[other]!.bytes
    if (sheddable < lacking) return false
    for (const other of others) {
      const stillLacking = this.#lacking(lane, frameBytes)
      if (stillLacking <= 0) break
      this.#lanes[other]!.shed(stillLacking)
      this.#recount()
    }
    return true
  }

  #expire(): void {
    if (!this.#hasDeadlines) return
    const nowMs = this.#clock.nowMs()
    if (nowMs < this.#expireAtMs) return
    this.#expireAtMs = nowMs + expireIntervalMs
    for (const lane of this.#lanes) lane.expire(nowMs)
    this.#recount()
  }

  #recount(): void {
    this.bytes = this.#heldBytes
    for (const lane of this.#lanes) this.bytes += lane.bytes
  }
}
