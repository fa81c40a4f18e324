/**
 * One peer's bounded queue: three lanes in strict order, counted in bytes. Hot path.
 *
 *   push ▶ [ control  ▒ ]          ▶ take: control first, then ordinary, then bulk
 *        ▶ [ ordinary ▒▒▒▒▒▒▒▒▒ ]
 *        ▶ [ bulk     ▒▒▒▒ ]
 *
 * A push that does not fit makes room by the order of shed-order.ts, or is refused.
 * Above its share of the mesh's budget it borrows (budget.ts), or has no room.
 * Invariant: `bytes` never exceeds `bytesMax`, and data lanes leave the control lane's reserve alone. But a long message, one that is cut
 * into fragments or would be, is taken at the low watermark whatever its length: until it has left, the bound is higher by what it is over.
 */
import { Budget } from './budget.ts'
import { FragmentCutter, fragmentedBytes, wholeFrameBytesMax } from './fragments.ts'
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
  readonly #controlReserveBytes: number
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #budget: Budget
  readonly #lanes: readonly LaneQueue[]
  /** By how much a long message has lifted the bound. */
  #liftBytes = 0
  #fragmentBytesMax = Number.POSITIVE_INFINITY
  /** Frames above this are long. */
  #wholeFrameBytesMax = Number.POSITIVE_INFINITY
  #inBlocks = false
  #heldBytes = 0
  /** Up to here whatever lane has room, and nothing is borrowed. */
  #easyBytes = 0
  #borrowedBytes = 0
  #expireAtMs = Number.NEGATIVE_INFINITY

  /** What expires or is shed is counted in `ledger`. */
  constructor(
    bytesMax: number,
    controlReserveBytes: number,
    clock: Pick<Clock, 'nowMs'>,
    ledger = new Ledger(),
    budget = new Budget(Number.POSITIVE_INFINITY),
  ) {
    this.bytesMax = bytesMax
    this.dataBytesMax = bytesMax - controlReserveBytes
    this.lowBytes = bytesMax / 2
    this.#controlReserveBytes = controlReserveBytes
    this.#clock = clock
    this.#budget = budget
    this.#lanes = ledger.lanes.map((account, lane) => new LaneQueue(lane as Lane, account))
    this.settle()
  }

  /** From now on data messages over `fragmentBytesMax` are long, and leave `inFragments` and everything `inBlocks` if the link's other end takes that. */
  cutAt(fragmentBytesMax: number, inFragments: boolean, inBlocks: boolean): void {
    this.#inBlocks = inBlocks
    this.#wholeFrameBytesMax = wholeFrameBytesMax(fragmentBytesMax)
    this.#fragmentBytesMax = inFragments ? fragmentBytesMax : Number.POSITIVE_INFINITY
  }

  /** Messages queued, all lanes. */
  get frames(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.frames, 0)
  }

  /** Messages queued in one lane. */
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

  /** Whether it is at its low watermark or below, and the budget has room for more. */
  get roomy(): boolean {
    return this.bytes <= this.lowBytes && (this.bytes <= this.#budget.shareBytes / 2 || this.#budget.roomy)
  }

  /** Appends one message; false if there is no room in its lane, and none can be made. */
  push(
    channel: number,
    lane: Lane,
    header: Uint8Array,
    payload: Uint8Array | undefined,
    deadlineMs: number = Number.POSITIVE_INFINITY,
  ): boolean {
    const payloadBytes = payload === undefined ? 0 : payload.length
    const frameBytes = headerBytes + header.length + payloadBytes
    if (frameBytes > this.#wholeFrameBytesMax && lane !== Lane.control)
      return this.#pushLong(channel, lane, header, payload ?? noBytes, deadlineMs)
    const isEasy = this.bytes + frameBytes <= this.#easyBytes
    if (!isEasy && this.#lacking(lane, frameBytes) > 0 && !this.#makeRoom(lane, frameBytes)) return false
    this.bytes += frameBytes
    if (this.bytes > this.bytesHighest) this.bytesHighest = this.bytes
    this.#lanes[lane]!.push(channel, header, payload, payloadBytes, deadlineMs)
    if (!isEasy) this.#borrow()
    return true
  }

  #pushLong(
    channel: number,
    lane: Lane,
    header: Uint8Array,
    payload: Uint8Array,
    deadlineMs: number,
  ): boolean {
    const bodyBytes = header.length + payload.length
    const isCut = this.#fragmentBytesMax !== Number.POSITIVE_INFINITY
    const bytes = isCut ? fragmentedBytes(bodyBytes, this.#fragmentBytesMax) : headerBytes + bodyBytes
    if (this.#lacking(lane, bytes) > 0 && !this.#makeRoom(lane, bytes)) return false
    this.bytes += bytes
    if (this.bytes > this.bytesHighest) this.bytesHighest = this.bytes
    this.#liftBytes = Math.max(this.#liftBytes, this.bytes - this.dataBytesMax)
    const queue = this.#lanes[lane]!
    if (isCut) {
      const cutter = new FragmentCutter(lane, channel, header, payload, this.#fragmentBytesMax)
      queue.pushFragmented(cutter, payload, deadlineMs)
    } else queue.push(channel, header, payload, payload.length, deadlineMs)
    this.#borrow()
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
      taken += this.#lanes[lane]!.take(bytesMax - taken, nowMs, this.#inBlocks, chunks, framesByLane)
    this.#recount()
    return taken
  }

  /** What was taken is written; its memory may be used again if that `isOut` of the stream's hands. */
  written(isOut: boolean): void {
    for (const lane of this.#lanes) lane.written(isOut)
  }

  /** Counts bytes that were taken and that the stream could not pass on yet; 0 when it could. */
  hold(bytes: number): void {
    this.bytes += bytes - this.#heldBytes
    this.#heldBytes = bytes
    this.#borrow()
  }

  /** The budget's share has changed. */
  settle(): void {
    this.#easyBytes = Math.min(this.dataBytesMax, this.#budget.shareBytes)
    this.#borrow()
  }

  /** Forgets everything. */
  clear(): void {
    for (const lane of this.#lanes) lane.clear()
    this.bytes = 0
    this.#heldBytes = 0
    this.#borrow()
  }

  get #hasDeadlines(): boolean {
    for (const lane of this.#lanes) if (lane.deadlineMsMin !== Number.POSITIVE_INFINITY) return true
    return false
  }

  /** How many bytes too few there are for a frame in `lane`; it fits at 0 or less. */
  #lacking(lane: Lane, frameBytes: number): number {
    const isControl = lane === Lane.control
    const isLong = frameBytes > this.#wholeFrameBytesMax && !isControl
    const own =
      isLong && this.bytes <= this.lowBytes
        ? 0
        : this.bytes + frameBytes - (isControl ? this.bytesMax + this.#liftBytes : this.dataBytesMax)
    const toBorrow = this.#aboveShare(frameBytes, isControl ? frameBytes : 0) - this.#borrowedBytes
    return toBorrow > 0 ? Math.max(own, toBorrow - this.#budget.freeBytes) : own
  }

  /** How much of what is queued, with `moreBytes` of which `moreControlBytes` are control, is above the share of the budget. */
  #aboveShare(moreBytes: number, moreControlBytes: number): number {
    const controlBytes = this.#lanes[Lane.control]!.bytes + moreControlBytes
    const outside = Math.min(controlBytes, this.#controlReserveBytes)
    return Math.max(0, this.bytes + moreBytes - outside - this.#budget.shareBytes)
  }

  /** Borrows what is above the share, or gives back. */
  #borrow(): void {
    if (this.bytes <= this.dataBytesMax) this.#liftBytes = 0
    if (this.#borrowedBytes === 0 && this.bytes <= this.#easyBytes) return
    const aboveShare = this.#aboveShare(0, 0)
    if (aboveShare === this.#borrowedBytes) return
    const more = aboveShare - this.#borrowedBytes
    this.#borrowedBytes = aboveShare
    this.#budget.lend(more)
  }

  /** Makes room as shed-order.ts says; false if that is not to be had. */
  #makeRoom(lane: Lane, frameBytes: number): boolean {
    this.#expire()
    const lacking = this.#lacking(lane, frameBytes)
    const others = lanesShedFor[lane]!
    let sheddable = 0
    for (const other of others) sheddable += this.#lanes[other]!.sheddableBytes
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
    this.#borrow()
  }
}

const noBytes = new Uint8Array(0)
