/**
 * What goes out to one phone: all that a loop turn produced in one write, and a bound on what waits.
 *
 * A stream that is full is left alone until it drains; what comes meanwhile waits here, counted in bytes. An idle
 * phone's output holds nothing but its stream.
 * Invariant: bytes waiting <= pendingBytesMax; `write` says so when it would not hold.
 */
import type { Stream, Timers } from '../../transport/index.ts'

/** A full write is not worth waiting for the end of the turn. */
const WRITE_AT_BYTES = 64 * 1024

/** Flushes all outputs that a turn has written to, at its end: one request to the timers for all phones. */
export class Flusher {
  readonly #timers: Timers
  #waiting: Output[] = []

  constructor(timers: Timers) {
    this.#timers = timers
  }

  ask(output: Output): void {
    if (this.#waiting.push(output) > 1) return
    this.#timers.soon(() => {
      const waiting = this.#waiting
      this.#waiting = []
      for (const output of waiting) output.flush()
    })
  }
}

export class Output {
  readonly #stream: Stream
  readonly #flusher: Flusher
  readonly #pendingBytesMax: number
  #chunks: Uint8Array[] | undefined
  /** Bytes in `#chunks`. */
  #waitingBytes = 0
  /** Bytes of the write that the stream called full; 0 while it takes more. */
  #stuckBytes = 0

  constructor(stream: Stream, flusher: Flusher, pendingBytesMax: number) {
    this.#stream = stream
    this.#flusher = flusher
    this.#pendingBytesMax = pendingBytesMax
  }

  /** Queues a frame; false, and nothing queued, when the phone reads too slowly for it. */
  write(frame: Uint8Array): boolean {
    if (this.#waitingBytes + this.#stuckBytes + frame.length > this.#pendingBytesMax) return false
    if (this.#chunks === undefined) {
      this.#chunks = []
      if (this.#stuckBytes === 0) this.#flusher.ask(this)
    }
    this.#chunks.push(frame)
    this.#waitingBytes += frame.length
    if (this.#waitingBytes >= WRITE_AT_BYTES) this.flush()
    return true
  }

  /** Hands what waits to the stream, unless that is full. */
  flush(): void {
    const chunks = this.#chunks
    if (chunks === undefined || this.#stuckBytes > 0) return
    const bytes = this.#waitingBytes
    this.#chunks = undefined
    this.#waitingBytes = 0
    if (!this.#stream.write(chunks)) this.#stuckBytes = bytes
  }

  /** The stream has room again. */
  drained(): void {
    this.#stuckBytes = 0
    this.flush()
  }

  /** Writes what waits, full or not, and closes our side. */
  end(): void {
    this.#stuckBytes = 0
    this.flush()
    this.#stream.end()
  }

  /** The stream is gone, and what waits with it. */
  discard(): void {
    this.#chunks = undefined
    this.#waitingBytes = 0
  }
}
