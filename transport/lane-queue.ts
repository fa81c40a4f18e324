/**
 * One lane of a peer's queue: segments in order, and the batch that small frames are copied into. Hot path.
 *
 *   [ batch ▒▒▒▒ 120 frames ][ header ▒ + payload ▒▒▒▒▒▒▒ 1 frame ][ batch ▒▒ 7 frames ] ◀ push
 *   take ◀
 *
 * Small frames are copied; a payload over `referenceBytesMin` is kept by reference behind its header; a message that is too long for one
 * frame is cut as it leaves, and may stay half taken at the front. Frames carry their own length, so
 * nothing is kept per message but its deadline, if it has one: whatever has to leave early is found by walking its segment.
 * Each segment leaves as one block, if the other end takes these (block.ts); room for its head always lies before it.
 * Invariants: `bytes` and `frames` are what the segments and the batch hold; what leaves without being taken is in the ledger.
 */
import { blockHeadBytes, sealBlock } from './block.ts'
import type { FragmentCutter } from './fragments.ts'
import type { LaneLedger } from './ledger.ts'
import type { Lane } from './sent.ts'
import { FrameKind, headerBytes, readU32, writeHeader } from './wire.ts'

/** Payloads longer than this are not copied, bytes. Below it a copy costs less than one more chunk in the write. */
const referenceBytesMin = 4096
const batchBytesMin = 1024
const batchBytesMax = 64 * 1024
/** Batches of full size whose bytes have left, for the next ones; of all lanes together, so that an idle peer owns none. */
const spares: Buffer[] = []
const sparesMax = 16

/** Frames that lie together. */
interface Segment {
  /** Whole frames, one behind the other; or the header of a single one whose payload follows. Before it in memory is room for a block's head. */
  head: Uint8Array
  readonly payload: Uint8Array | undefined
  /** Of a single message that leaves in fragments; its head is empty then. */
  readonly cutter: FragmentCutter | undefined
  frames: number
  /** The batch that ends with these frames: nobody needs it once they have left. */
  batch: Buffer | undefined
  /** By frame, Infinity for none; `undefined` while no frame here has a deadline. */
  deadlinesMs: number[] | undefined
  /** No frame here expires before this. */
  deadlineMsMin: number
}

export class LaneQueue {
  frames = 0
  /** Headers included. */
  bytes = 0
  /** No frame of the lane expires before this; Infinity while none has a deadline. */
  deadlineMsMin = Number.POSITIVE_INFINITY
  readonly #lane: Lane
  readonly #account: LaneLedger
  /** What is queued begins at `#first`; before it stand taken ones, as {@link gone}, until there are many. */
  #segments: Segment[] = []
  #first = 0
  #batch: Buffer | undefined
  /** Batches whose last frames were taken since the last {@link written}. */
  readonly #taken: Buffer[] = []
  /** What of the batch is in no segment yet: [start, end). */
  #start = 0
  #end = 0
  #batchFrames = 0
  #batchDeadlinesMs: number[] | undefined
  #batchDeadlineMsMin = Number.POSITIVE_INFINITY
  /** Size of the next batch: doubles while batches fill up, falls back when a turn needs little. */
  #nextBatchBytes = batchBytesMin

  constructor(lane: Lane, account: LaneLedger) {
    this.#lane = lane
    this.#account = account
  }

  push(
    channel: number,
    header: Uint8Array,
    payload: Uint8Array | undefined,
    payloadBytes: number,
    deadlineMs: number,
  ): void {
    const referenced = payloadBytes > referenceBytesMin
    const copiedBytes = headerBytes + header.length + (referenced ? 0 : payloadBytes)
    if (referenced) this.#closeSegment()
    const batch = this.#room(copiedBytes)
    let at = this.#end
    writeHeader(batch, at, header.length + payloadBytes, FrameKind.message, this.#lane, channel)
    at += headerBytes
    batch.set(header, at)
    at += header.length
    if (!referenced && payload !== undefined) {
      batch.set(payload, at)
      at += payloadBytes
    }
    this.#end = at
    this.#batchFrames++
    this.frames++
    this.bytes += headerBytes + header.length + payloadBytes
    if (deadlineMs !== Number.POSITIVE_INFINITY || this.#batchDeadlinesMs !== undefined)
      this.#noteDeadline(deadlineMs)
    if (referenced) this.#closeSegment(payload)
  }

  /** Appends a message that leaves in fragments. */
  pushFragmented(cutter: FragmentCutter, payload: Uint8Array, deadlineMs: number): void {
    this.#closeSegment()
    const hasDeadline = deadlineMs !== Number.POSITIVE_INFINITY
    this.#segments.push({
      head: noBytes,
      payload,
      cutter,
      frames: 1,
      batch: undefined,
      deadlinesMs: hasDeadline ? [deadlineMs] : undefined,
      deadlineMsMin: deadlineMs,
    })
    this.frames++
    this.bytes += cutter.bytesLeft
    if (deadlineMs < this.deadlineMsMin) this.deadlineMsMin = deadlineMs
  }

  /** Bytes that {@link shed} could free: all but a message that has begun to leave. */
  get sheddableBytes(): number {
    const first = this.#segments[this.#first]?.cutter
    return first?.begun ? this.bytes - first.bytesLeft : this.bytes
  }

  /**
   * Moves whole frames into `chunks`, oldest first, until `bytesMax` is reached or nothing is left (at least one frame). What has expired at
   * `nowMs` is left out. Adds the messages that have left altogether to `framesByLane`; returns the bytes moved, heads of blocks not counted.
   */
  take(
    bytesMax: number,
    nowMs: number,
    inBlocks: boolean,
    chunks: Uint8Array[],
    framesByLane: number[],
  ): number {
    if (this.frames === 0) return 0
    this.#closeSegment()
    const segments = this.#segments
    let [taken, frames, count] = [0, 0, this.#first]
    while (count < segments.length && taken < bytesMax) {
      const segment = segments[count]!
      if (segment.deadlineMsMin <= nowMs) this.#expireIn(segment, nowMs)
      if (segment.cutter !== undefined && segment.frames > 0) {
        segment.deadlineMsMin = Number.POSITIVE_INFINITY
        while (taken < bytesMax && !segment.cutter.done) taken += segment.cutter.next(chunks, inBlocks)
        if (!segment.cutter.done) break
      } else if (segment.frames > 0) {
        chunks.push(inBlocks ? sealBlock(segment.head, segment.payload) : segment.head)
        if (segment.payload !== undefined) chunks.push(segment.payload)
        taken += bytesOf(segment)
      }
      frames += segment.frames
      if (segment.batch !== undefined) this.#taken.push(segment.batch)
      count++
    }
    this.frames -= frames
    this.bytes -= taken
    framesByLane[this.#lane] = framesByLane[this.#lane]! + frames
    if (count === segments.length) {
      segments.length = 0
      this.#first = 0
      if (this.#batch !== undefined) this.#taken.push(this.#batch)
      this.#dropBatch(taken)
    } else this.#leave(count)
    return taken
  }

  /** What was taken is written, and if it `isOut` of the stream's hands its memory may be used again. */
  written(isOut: boolean): void {
    if (this.#taken.length === 0) return
    if (isOut)
      for (const batch of this.#taken)
        if (batch.length === batchBytesMax && spares.length < sparesMax) spares.push(batch)
    this.#taken.length = 0
  }

  /** Segments before `first` are taken. The array moves only when half of it is gone, or a long queue would be moved again and again. */
  #leave(first: number): void {
    this.#segments.fill(gone, this.#first, first)
    this.#first = first
    if (first * 2 < this.#segments.length) return
    this.#segments.splice(0, first)
    this.#first = 0
  }

  /** Takes out what has expired at `nowMs`. */
  expire(nowMs: number): void {
    if (this.deadlineMsMin > nowMs) return
    this.#closeSegment()
    this.deadlineMsMin = Number.POSITIVE_INFINITY
    for (const segment of this.#segments) {
      if (segment.deadlineMsMin <= nowMs) this.#expireIn(segment, nowMs)
      this.deadlineMsMin = Math.min(this.deadlineMsMin, segment.deadlineMsMin)
    }
    this.#segments = this.#segments.filter(segment => segment.frames > 0)
    this.#first = 0
  }

  /** Takes the oldest frames out until they made `bytesWanted` of room, or none is left. */
  shed(bytesWanted: number): void {
    this.#closeSegment()
    const bytesAfter = this.bytes - bytesWanted
    const first = this.#first + (this.#segments[this.#first]?.cutter?.begun ? 1 : 0)
    let next = first
    while (this.bytes > bytesAfter && next < this.#segments.length) {
      const segment = this.#segments[next]!
      this.#account.shed += this.#dropOldest(segment, this.bytes - bytesAfter)
      if (segment.frames > 0) break
      next++
    }
    if (first === this.#first) this.#leave(next)
    else this.#segments.splice(first, next - first)
  }

  clear(): void {
    this.frames = 0
    this.bytes = 0
    this.#segments.length = 0
    this.#first = 0
    this.#batchFrames = 0
    this.#batchDeadlinesMs = undefined
    this.#dropBatch(0)
  }

  /** The frames of `segment` that have expired are gone from it, and in the ledger. */
  #expireIn(segment: Segment, nowMs: number): void {
    const { head, payload } = segment
    const deadlinesMs = segment.deadlinesMs!
    const [bytesBefore, framesBefore] = [bytesOf(segment), segment.frames]
    const kept: number[] = []
    let [from, to] = [0, 0]
    for (const deadlineMs of deadlinesMs) {
      const end = payload === undefined ? from + headerBytes + readU32(head, from) : head.length
      if (deadlineMs > nowMs) {
        // In place: nobody else has seen these bytes yet.
        if (to < from) head.copyWithin(to, from, end)
        to += end - from
        kept.push(deadlineMs)
      }
      from = end
    }
    segment.head = head.subarray(0, to)
    segment.frames = kept.length
    segment.deadlinesMs = kept
    segment.deadlineMsMin = kept.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY)
    this.#account.expired += framesBefore - kept.length
    this.frames -= framesBefore - kept.length
    this.bytes -= bytesBefore - bytesOf(segment)
  }

  /** Takes frames off the front of `segment` until that made `bytesWanted` of room; returns how many. */
  #dropOldest(segment: Segment, bytesWanted: number): number {
    const bytesBefore = bytesOf(segment)
    let [at, count] = [0, 0]
    if (segment.payload !== undefined) [at, count] = [segment.head.length, 1]
    else
      for (; at < segment.head.length && at < bytesWanted; count++)
        at += headerBytes + readU32(segment.head, at)
    segment.head = segment.head.subarray(at)
    segment.frames -= count
    segment.deadlinesMs?.splice(0, count)
    this.frames -= count
    this.bytes -= bytesBefore - bytesOf(segment)
    return count
  }

  #noteDeadline(deadlineMs: number): void {
    this.#batchDeadlinesMs ??= new Array<number>(this.#batchFrames - 1).fill(Number.POSITIVE_INFINITY)
    this.#batchDeadlinesMs.push(deadlineMs)
    if (deadlineMs < this.#batchDeadlineMsMin) this.#batchDeadlineMsMin = deadlineMs
    if (deadlineMs < this.deadlineMsMin) this.deadlineMsMin = deadlineMs
  }

  /** The batch, with `bytes` of room behind `#end`. */
  #room(bytes: number): Buffer {
    if (this.#batch !== undefined && this.#end + bytes <= this.#batch.length) return this.#batch
    this.#closeSegment()
    if (this.#batch !== undefined) {
      // Were they taken already, or shed, then so is the knowledge of when the stream is done with it.
      const last = this.#segments.at(-1)
      if (last !== undefined) last.batch = this.#batch
      if (this.#nextBatchBytes < batchBytesMax) this.#nextBatchBytes *= 2
    }
    const batchBytes = Math.max(this.#nextBatchBytes, blockHeadBytes + bytes)
    this.#batch = (batchBytes === batchBytesMax ? spares.pop() : undefined) ?? Buffer.allocUnsafe(batchBytes)
    this.#start = blockHeadBytes
    this.#end = blockHeadBytes
    return this.#batch
  }

  /** Ends the segment under way, with `payload` behind it; the batch's remaining room serves the next one. */
  #closeSegment(payload?: Uint8Array): void {
    if (this.#end === this.#start) return
    this.#segments.push({
      head: this.#batch!.subarray(this.#start, this.#end),
      payload,
      cutter: undefined,
      frames: this.#batchFrames,
      batch: undefined,
      deadlinesMs: this.#batchDeadlinesMs,
      deadlineMsMin: this.#batchDeadlineMsMin,
    })
    this.#start = this.#end + blockHeadBytes
    this.#end = this.#start
    this.#batchFrames = 0
    this.#batchDeadlinesMs = undefined
    this.#batchDeadlineMsMin = Number.POSITIVE_INFINITY
  }

  /** The stream owns what was taken, so the next turn starts a new batch, sized by what this turn used. */
  #dropBatch(usedBytes: number): void {
    this.#batch = undefined
    this.#start = 0
    this.#end = 0
    this.deadlineMsMin = Number.POSITIVE_INFINITY
    this.#batchDeadlineMsMin = Number.POSITIVE_INFINITY
    if (usedBytes < this.#nextBatchBytes / 4 && this.#nextBatchBytes > batchBytesMin)
      this.#nextBatchBytes /= 2
  }
}

function bytesOf({ head, payload, cutter, frames }: Segment): number {
  if (frames === 0) return 0
  if (cutter !== undefined) return cutter.bytesLeft
  return head.length + (payload === undefined ? 0 : payload.length)
}

const noBytes = new Uint8Array(0)
const gone: Segment = {
  head: noBytes,
  payload: undefined,
  cutter: undefined,
  frames: 0,
  batch: undefined,
  deadlinesMs: undefined,
  deadlineMsMin: Number.POSITIVE_INFINITY,
}
