/**
 * One direction of one proxied connection: what comes from `source` goes to `target`, late, slowly, cut up, damaged or not at all.
 *
 *   source ─▶ [ lose ▸ flip ▸ cut ] ─▶ pieces, each with a due time ─▶ target
 *
 * Invariant: order is kept, and without `lose`, `flip` and `limitBytes` every byte arrives once the fault is over. What waits here is bounded:
 * beyond `heldBytesMax` the source is not read, and its sender feels that, as on a real line.
 */
import type { Socket } from 'node:net'

/** What one direction does to bytes; all of it can change while connections live. */
export interface Faults {
  /** Time under way, ms. */
  readonly latencyMs: number
  /** Up to this much more, drawn for each read, ms; what was sent later still arrives later. */
  readonly jitterMs: number
  /** Bandwidth of each connection, bytes/s. */
  readonly bytesPerSecond: number
  /** Nothing passes, not even an end, and nobody is told; nothing is read either. What was held comes when it is over. */
  readonly blackHole: boolean
  /** Longest write, bytes; each leaves in a turn of its own. */
  readonly sliceBytes: number
  /** One bit is turned over in about every so many bytes. */
  readonly flipEveryBytes: number
  /** An end passes so much later than the last byte, ms. */
  readonly closeDelayMs: number
  /** A connection that has passed so many bytes is reset, both ends. */
  readonly limitBytes: number
}

/** A perfect line. */
export const faultless: Faults = {
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  blackHole: false,
  sliceBytes: Number.POSITIVE_INFINITY,
  flipEveryBytes: Number.POSITIVE_INFINITY,
  closeDelayMs: 0,
  limitBytes: Number.POSITIVE_INFINITY,
}

/** A direction's faults and counts, shared by all its connections. */
export interface Direction {
  faults: Faults
  /** So many bytes are swallowed before the rest passes on. */
  loseBytes: number
  /** Bytes that passed. */
  passedBytes: number
  /** Bits that were turned over. */
  flippedBits: number
}

interface Piece {
  readonly bytes: Buffer
  readonly dueMs: number
}

const heldBytesMax = 256 * 1024
/** With a bandwidth, bytes leave in pieces of so much time each, ms. */
const pieceMs = 20

export class FaultWay {
  readonly #source: Socket
  readonly #target: Socket
  readonly #direction: Direction
  readonly #random: () => number
  readonly #reset: () => void
  #held: Piece[] = []
  #heldBytes = 0
  #lastDueMs = 0
  #timer: NodeJS.Timeout | undefined
  #turn: NodeJS.Immediate | undefined
  #endTimer: NodeJS.Timeout | undefined
  #passedBytes = 0
  /** How the source ended, if it did. */
  #end: 'fin' | 'reset' | undefined

  /** @param reset ends both ends of the connection at once */
  constructor(source: Socket, target: Socket, direction: Direction, random: () => number, reset: () => void) {
    this.#source = source
    this.#target = target
    this.#direction = direction
    this.#random = random
    this.#reset = reset
    source.on('data', (bytes: Buffer) => this.#take(bytes))
    source.on('end', () => this.#ended('fin'))
    source.on('close', () => this.#ended('reset'))
    target.on('drain', () => this.#pump())
    this.changed()
  }

  /** The direction's faults are others now: what waits is as if it had come just now. */
  changed(): void {
    const held = this.#held
    this.#held = []
    this.#heldBytes = 0
    this.#lastDueMs = 0
    for (const { bytes } of held) this.#hold(bytes)
    this.#pump()
  }

  stop(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#endTimer)
    clearImmediate(this.#turn)
    this.#held = []
  }

  #take(bytes: Buffer): void {
    const lost = Math.min(this.#direction.loseBytes, bytes.length)
    this.#direction.loseBytes -= lost
    const rest = Buffer.from(bytes.subarray(lost))
    this.#flip(rest)
    this.#hold(rest)
    this.#pump()
  }

  #flip(bytes: Buffer): void {
    const { flipEveryBytes } = this.#direction.faults
    if (flipEveryBytes === Number.POSITIVE_INFINITY) return
    for (let at = 0; at < bytes.length; at++) {
      if (this.#random() * flipEveryBytes >= 1) continue
      bytes[at]! ^= 1 << Math.floor(this.#random() * 8)
      this.#direction.flippedBits += 1
    }
  }

  /** Puts bytes in line, cut as they will leave, each piece with the time at which it may. */
  #hold(bytes: Buffer): void {
    const { latencyMs, jitterMs, bytesPerSecond, sliceBytes } = this.#direction.faults
    const arrivalMs = performance.now() + latencyMs + this.#random() * jitterMs
    const size = Math.min(sliceBytes, Math.max(1, (bytesPerSecond * pieceMs) / 1000))
    for (let at = 0; at < bytes.length; at += size) {
      const piece = size === Number.POSITIVE_INFINITY ? bytes : bytes.subarray(at, at + size)
      this.#lastDueMs = Math.max(this.#lastDueMs, arrivalMs) + (piece.length / bytesPerSecond) * 1000
      this.#held.push({ bytes: piece, dueMs: this.#lastDueMs })
      if (size === Number.POSITIVE_INFINITY) break
    }
    this.#heldBytes += bytes.length
  }

  #pump(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#turn)
    const { blackHole, sliceBytes } = this.#direction.faults
    if (blackHole || this.#heldBytes > heldBytesMax) this.#source.pause()
    else this.#source.resume()
    if (blackHole) return
    while (this.#held.length > 0 && !this.#target.writableNeedDrain) {
      const waitMs = this.#held[0]!.dueMs - performance.now()
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), waitMs)
        return
      }
      if (!this.#pass(this.#held.shift()!.bytes)) return
      if (sliceBytes !== Number.POSITIVE_INFINITY) {
        this.#turn = setImmediate(() => this.#pump())
        return
      }
    }
    if (this.#heldBytes <= heldBytesMax) this.#source.resume()
    if (this.#held.length === 0) this.#passEnd()
  }

  /** Writes one piece; false if that was the last that this connection may pass. */
  #pass(bytes: Buffer): boolean {
    this.#heldBytes -= bytes.length
    const room = this.#direction.faults.limitBytes - this.#passedBytes
    const passed = room < bytes.length ? bytes.subarray(0, room) : bytes
    this.#passedBytes += passed.length
    this.#direction.passedBytes += passed.length
    if (!this.#target.destroyed) this.#target.write(passed)
    if (this.#passedBytes < this.#direction.faults.limitBytes) return true
    // Once the kernel has what may still pass; a reset would take it back.
    this.#target.end(() => this.#reset())
    return false
  }

  #ended(how: 'fin' | 'reset'): void {
    this.#end ??= how
    this.#pump()
  }

  #passEnd(): void {
    if (this.#end === undefined || this.#endTimer !== undefined) return
    this.#endTimer = setTimeout(() => {
      if (this.#end === 'fin') this.#target.end()
      else this.#target.resetAndDestroy()
    }, this.#direction.faults.closeDelayMs)
  }
}
