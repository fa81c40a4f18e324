/**
 * One direction of a connection: bytes in the order in which they were written, on their way for as long as the path takes.
 *
 *   write ─▶ [ piece | piece | end ] ─▶ onData, onDrain for the writer, onClose
 *
 * Like TCP it is ordered and reliable while both ends live. In a black hole everything waits, and comes later than it would
 * have when the hole is gone. What is still on its way when an end is destroyed may be lost from any point on.
 * Invariant: nothing reaches a handler from inside a call of its owner.
 */
import { type Event, Phase } from '../world/event-queue.ts'
import type { End } from './end.ts'
import type { Network } from './network.ts'
import type { Path } from './path.ts'

/** What travels: bytes, or a word about the stream itself. */
export type Piece =
  | { readonly what: 'bytes'; bytes: Uint8Array; readonly atMs: number }
  | { readonly what: 'open' | 'end' | 'reset'; readonly atMs: number }

/** What bytes are read into. It is overwritten after each read: nobody may keep a view of it. */
const readBuffer = Buffer.alloc(64 * 1024)
const overwritten = 0xa5

export class Pipe {
  /** Bytes written that the other end has not read. */
  outstandingBytes = 0
  readonly path: Path
  readonly #network: Network
  readonly #source: End
  readonly #target: End
  readonly #pieces: Piece[] = []
  #isFull = false
  #busyUntilMs = 0
  #lastAtMs = 0
  #arrival: Event | undefined

  constructor(network: Network, path: Path, source: End, target: End) {
    this.#network = network
    this.path = path
    this.#source = source
    this.#target = target
  }

  /** Sends bytes off; false when the pipe is full now. */
  write(bytes: Uint8Array): boolean {
    const { loop, weather } = this.#network
    this.#busyUntilMs = Math.max(loop.nowMs, this.#busyUntilMs) + bytes.length / this.path.bytesPerMs
    this.#push({ what: 'bytes', bytes, atMs: this.#arriveAt(this.#busyUntilMs) })
    this.outstandingBytes += bytes.length
    if (this.outstandingBytes > weather.bufferBytes) this.#isFull = true
    return !this.#isFull
  }

  /** Sends a word behind all bytes. */
  say(what: 'open' | 'end' | 'reset'): void {
    this.#push({ what, atMs: this.#arriveAt(this.#network.loop.nowMs) })
  }

  /** The writer is gone: from some point on, what is on its way is lost; then `last` is heard. */
  cutTail(last: 'end' | 'reset'): void {
    const { random, weather } = this.#network
    if (this.#pieces.length > 0 && random.chance(weather.tailLossChance)) {
      this.#drop(random.below(this.#pieces.length))
      this.#network.seen('tail lost')
    }
    this.say(last)
  }

  /** Everything on its way is lost, without a word. */
  clear(): void {
    this.#drop(0)
  }

  /** Something may move again: the path is healed, the reader reads again, or the end that waited is gone. */
  wake(): void {
    this.#arrival = cancelled(this.#arrival)
    this.#arm()
  }

  #push(piece: Piece): void {
    this.#pieces.push(piece)
    if (this.#arrival === undefined) this.#arm()
  }

  #arriveAt(departMs: number): number {
    const { weather, random } = this.#network
    const jitterMs = weather.jitterMs > 0 ? random.next() * weather.jitterMs : 0
    this.#lastAtMs = Math.max(this.#lastAtMs, departMs + this.path.latencyMs + jitterMs)
    return this.#lastAtMs
  }

  #arm(): void {
    const first = this.#pieces[0]
    if (first === undefined || this.#isHeld) return
    const { loop } = this.#network
    const machine = this.#target.closed ? undefined : this.#target.machine
    this.#arrival = loop.at(first.atMs, Phase.streams, machine, 'arrival', () => {
      this.#arrival = undefined
      this.#arrive()
      if (this.#arrival === undefined) this.#arm()
    })
  }

  /** Held pieces wait for {@link wake}. */
  get #isHeld(): boolean {
    if (this.path.isHole || this.#network.isOff(this.path.target)) return true
    return this.#target.isPaused && !this.#target.closed
  }

  #arrive(): void {
    const { loop } = this.#network
    while (this.#pieces.length > 0 && this.#pieces[0]!.atMs <= loop.nowMs && !this.#isHeld) {
      this.path.lastArrivalMs = loop.nowMs
      const piece = this.#pieces[0]!
      if (this.#target.closed) {
        this.#drop(0)
        // Nobody is there any more: whoever still writes is told so.
        if (piece.what !== 'reset') this.#target.answerWithReset()
      } else if (piece.what === 'bytes') this.#read(piece)
      else {
        this.#pieces.shift()
        this.#target.hear(piece.what)
      }
    }
    if (this.#isFull && this.outstandingBytes <= this.#network.weather.bufferBytes / 2) {
      this.#isFull = false
      this.#source.drained()
    }
  }

  #read(piece: Piece & { what: 'bytes' }): void {
    const { random, weather, hash } = this.#network
    const sliceMax = random.chance(0.5)
      ? readBuffer.length
      : Math.min(weather.sliceBytesMax, readBuffer.length)
    const length = Math.min(piece.bytes.length, sliceMax)
    const slice = readBuffer.subarray(0, length)
    slice.set(piece.bytes.subarray(0, length))
    if (length === piece.bytes.length) this.#pieces.shift()
    else piece.bytes = piece.bytes.subarray(length)
    this.outstandingBytes -= length
    if (random.chance(this.path.flipChance)) {
      slice[random.below(length)]! ^= 1 << random.below(8)
      this.#network.seen('bit flipped')
    }
    hash.addBytes(slice)
    this.#target.read(slice)
    slice.fill(overwritten)
  }

  /** Loses all pieces from `at` on. */
  #drop(at: number): void {
    for (const piece of this.#pieces.splice(at))
      if (piece.what === 'bytes') this.outstandingBytes -= piece.bytes.length
  }
}

function cancelled(event: Event | undefined): undefined {
  if (event !== undefined) event.run = undefined
  return undefined
}
