/**
 * One peer's bounded queue: three lanes in strict order, counted in bytes. Hot path.
 *
 * Small frames are copied into the lane's batch buffer; a payload over `referenceBytesMin` is kept by reference behind its header.
 * `take` hands chunks to one write, whole frames only: a chunk that counts no frame is the front of the next chunk.
 *
 *   lane: [ batch ▒▒▒▒ 120 frames ][ header ▒ 0 ][ payload ▒▒▒▒▒▒▒ 1 ][ batch ▒▒ 7 ] ◀ push
 *   take ◀
 *
 * Invariant: `bytes` never exceeds `bytesMax`, and data lanes leave the control lane's reserve alone.
 */
import { Lane, laneCount } from './sent.ts'
import { FrameKind, headerBytes, writeHeader } from './wire.ts'

/** Payloads longer than this are not copied, bytes. Below it a copy costs less than one more chunk in the write. */
const referenceBytesMin = 4096
const batchBytesMin = 1024
const batchBytesMax = 64 * 1024

export class Queue {
  /** Bytes queued, headers included, plus those that the stream still holds ({@link hold}). */
  bytes = 0
  /** The most that `bytes` ever was. */
  bytesHighest = 0
  readonly bytesMax: number
  readonly #dataBytesMax: number
  readonly #lanes: readonly LaneQueue[] = Array.from({ length: laneCount }, () => new LaneQueue())
  #heldBytes = 0

  constructor(bytesMax: number, controlReserveBytes: number) {
    this.bytesMax = bytesMax
    this.#dataBytesMax = bytesMax - controlReserveBytes
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

  /** Appends one message frame; false, and nothing happens, if there is no room in its lane. */
  push(channel: number, lane: Lane, header: Uint8Array, payload: Uint8Array | undefined): boolean {
    const payloadBytes = payload === undefined ? 0 : payload.length
    const frameBytes = headerBytes + header.length + payloadBytes
    if (this.bytes + frameBytes > (lane === Lane.control ? this.bytesMax : this.#dataBytesMax)) return false
    this.bytes += frameBytes
    if (this.bytes > this.bytesHighest) this.bytesHighest = this.bytes
    this.#lanes[lane]!.push(channel, lane, header, payload, payloadBytes)
    return true
  }

  /**
   * Moves whole frames into `chunks`, first lanes first, until `bytesMax` is reached or nothing is left (always at least one frame).
   * Adds the frames moved to `framesByLane`; returns their bytes.
   */
  take(bytesMax: number, chunks: Uint8Array[], framesByLane: number[]): number {
    let taken = 0
    for (let lane = 0; lane < laneCount && taken < bytesMax; lane++)
      taken += this.#lanes[lane]!.take(bytesMax - taken, chunks, framesByLane, lane)
    this.bytes -= taken
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
}

/** One lane: closed chunks in order, and the batch that small frames are copied into. */
class LaneQueue {
  frames = 0
  bytes = 0
  #chunks: Uint8Array[] = []
  /** Frames that end in the chunk of the same index. */
  #chunkFrames: number[] = []
  #batch: Buffer | undefined
  /** What of the batch is not in a chunk yet: [start, end). */
  #start = 0
  #end = 0
  #batchFrames = 0
  /** Size of the next batch: doubles while batches fill up, falls back when a turn needs little. */
  #nextBatchBytes = batchBytesMin

  push(
    channel: number,
    lane: Lane,
    header: Uint8Array,
    payload: Uint8Array | undefined,
    payloadBytes: number,
  ): void {
    const referenced = payloadBytes > referenceBytesMin
    const copiedBytes = headerBytes + header.length + (referenced ? 0 : payloadBytes)
    if (referenced) this.#closeChunk()
    const batch = this.#room(copiedBytes)
    let at = this.#end
    writeHeader(batch, at, header.length + payloadBytes, FrameKind.message, lane, channel)
    at += headerBytes
    batch.set(header, at)
    at += header.length
    this.frames++
    this.bytes += headerBytes + header.length + payloadBytes
    if (payload === undefined || payloadBytes === 0) {
      this.#batchFrames++
    } else if (referenced) {
      this.#end = at
      this.#closeChunk()
      this.#chunks.push(payload)
      this.#chunkFrames.push(1)
      return
    } else {
      batch.set(payload, at)
      at += payloadBytes
      this.#batchFrames++
    }
    this.#end = at
  }

  take(bytesMax: number, chunks: Uint8Array[], framesByLane: number[], lane: number): number {
    if (this.frames === 0) return 0
    this.#closeChunk()
    let taken = 0
    let count = 0
    let frames = 0
    while (count < this.#chunks.length && (taken < bytesMax || this.#chunkFrames[count - 1] === 0)) {
      const chunk = this.#chunks[count]!
      chunks.push(chunk)
      taken += chunk.length
      frames += this.#chunkFrames[count]!
      count++
    }
    this.frames -= frames
    this.bytes -= taken
    framesByLane[lane] = framesByLane[lane]! + frames
    if (count === this.#chunks.length) {
      this.#chunks.length = 0
      this.#chunkFrames.length = 0
      this.#dropBatch(taken)
    } else {
      this.#chunks.splice(0, count)
      this.#chunkFrames.splice(0, count)
    }
    return taken
  }

  clear(): void {
    this.frames = 0
    this.bytes = 0
    this.#chunks.length = 0
    this.#chunkFrames.length = 0
    this.#batchFrames = 0
    this.#dropBatch(0)
  }

  /** The batch, with `bytes` of room behind `#end`. */
  #room(bytes: number): Buffer {
    if (this.#batch !== undefined && this.#end + bytes <= this.#batch.length) return this.#batch
    this.#closeChunk()
    if (this.#batch !== undefined && this.#nextBatchBytes < batchBytesMax) this.#nextBatchBytes *= 2
    this.#batch = Buffer.allocUnsafe(Math.max(this.#nextBatchBytes, bytes))
    this.#start = 0
    this.#end = 0
    return this.#batch
  }

  /** Ends the chunk under way; the batch's remaining room serves the next one. */
  #closeChunk(): void {
    if (this.#end === this.#start) return
    this.#chunks.push(this.#batch!.subarray(this.#start, this.#end))
    this.#chunkFrames.push(this.#batchFrames)
    this.#start = this.#end
    this.#batchFrames = 0
  }

  /** The stream owns what was taken, so the next turn starts a new batch, sized by what this turn used. */
  #dropBatch(usedBytes: number): void {
    this.#batch = undefined
    this.#start = 0
    this.#end = 0
    if (usedBytes < this.#nextBatchBytes / 4 && this.#nextBatchBytes > batchBytesMin)
      this.#nextBatchBytes /= 2
  }
}
