/**
 * One end of a stream of the memory carrier. What it writes waits here until the other end takes it; so do its end and its failure.
 *
 * Invariant: nothing reaches a handler from inside a call of its owner, and `onClose` comes exactly once, last.
 */
import type { Stream, StreamHandler } from '../ports.ts'
import type { MemoryNetwork } from './memory.ts'

export class MemoryStream implements Stream {
  readonly source: string
  readonly target: string
  readonly remoteAddress: string
  closed = false
  readonly #network: MemoryNetwork
  #handler: StreamHandler | undefined
  #other: MemoryStream | undefined
  #sent: Uint8Array[] = []
  #sentBytes = 0
  #full = false
  #paused = false
  #ended = false
  #endSent = false
  #endHeard = false
  /** How many of the writes that wait in `#sent` have been under way for long enough. */
  #ripe = 0
  /** A dial that a black hole keeps waiting. */
  #waiting: (() => void) | undefined

  constructor(network: MemoryNetwork, source: string, target: string, remoteAddress: string) {
    this.#network = network
    this.source = source
    this.target = target
    this.remoteAddress = remoteAddress
  }

  attach(handler: StreamHandler): void {
    this.#handler = handler
  }

  /** Ties the two ends together. */
  join(other: MemoryStream): void {
    this.#other = other
  }

  /** The dial has come through. */
  open(): void {
    if (!this.closed) this.#handler?.onOpen()
  }

  /** The dial is held up; `retry` runs when the network is healed. */
  wait(retry: () => void): void {
    this.#waiting = retry
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.closed || this.#ended) return true
    const written = Buffer.concat(chunks)
    this.#sent.push(written)
    this.#sentBytes += written.length
    this.#full = this.#sentBytes > this.#network.bufferBytes
    this.#network.later(() => {
      this.#ripe++
      this.#moveOn()
    })
    return !this.#full
  }

  end(): void {
    this.#ended = true
    if (this.#other === undefined) this.fail(undefined)
    else this.deliverSoon()
  }

  destroy(): void {
    if (this.closed) return
    this.fail(undefined)
    this.#other?.deliverSoon()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#other?.deliverSoon()
  }

  /** Ends this end; what it had not delivered is lost. */
  fail(error: string | undefined): void {
    if (this.closed) return
    this.closed = true
    this.#sent = []
    this.#network.forget(this)
    this.#network.timers.soon(() => this.#handler?.onClose(error))
  }

  /** Sees to it that what waits here moves on, later. */
  deliverSoon(): void {
    this.#network.later(() => this.#moveOn())
  }

  #moveOn(): void {
    if (this.closed) return
    const retry = this.#waiting
    this.#waiting = undefined
    if (retry !== undefined) retry()
    else if (this.#other !== undefined) this.#deliver(this.#other)
  }

  #deliver(other: MemoryStream): void {
    if (this.#network.holds(this.source, this.target)) return
    while (this.#ripe > 0 && !other.closed && !other.#paused) {
      const written = this.#sent.shift()!
      this.#ripe--
      let at = 0
      while (at < written.length && !other.closed && !other.#paused) {
        at += other.#read(written.subarray(at, at + this.#network.sliceBytesMax))
      }
      this.#sentBytes -= at
      if (at === written.length || other.closed) continue
      // Paused in the middle of a write: the rest waits.
      this.#sent.unshift(written.subarray(at))
      this.#ripe++
    }
    if (this.closed) return
    // The other end is gone without an end of its stream: what TCP answers with a reset.
    if (other.closed && !this.#endHeard) this.fail('reset')
    if (this.closed || this.#sent.length > 0) return
    if (this.#full) {
      this.#full = false
      this.#handler?.onDrain()
    }
    if (this.#ended && !this.#endSent) {
      this.#endSent = true
      other.#hearEnd()
    }
    if (this.#endSent && this.#endHeard) this.fail(undefined)
  }

  /** Hands on what fits into one read; returns how much that was. */
  #read(bytes: Uint8Array): number {
    const room = this.#handler?.room?.()
    if (room === undefined) {
      this.#handler?.onData(bytes)
      return bytes.length
    }
    const slice = bytes.subarray(0, room.length)
    room.set(slice)
    this.#handler!.onData(room.subarray(0, slice.length))
    return slice.length
  }

  /** The other end is written out; so is ours as soon as ours is, as TCP without half-open streams does. */
  #hearEnd(): void {
    this.#endHeard = true
    this.#ended = true
    this.deliverSoon()
  }
}
