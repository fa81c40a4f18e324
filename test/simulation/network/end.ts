/**
 * One end of a connection, as the product's transport sees it: a `Stream`.
 *
 * Invariants: `onClose` comes exactly once, last, and never from inside a call of the owner; a dead machine hears nothing.
 */
import type { Stream, StreamHandler } from '../../../transport/index.ts'
import { Phase } from '../world/event-queue.ts'
import type { Machine } from '../world/machine.ts'
import type { Network } from './network.ts'
import type { Path } from './path.ts'
import { Pipe } from './pipe.ts'

export class End implements Stream {
  readonly machine: Machine
  readonly remoteAddress: string
  /** The node at the other end. */
  readonly remote: string
  closed = false
  isPaused = false
  /** What this end writes; `undefined` until the dial has come through. */
  out: Pipe | undefined
  /** What it reads. */
  in: Pipe | undefined
  readonly #network: Network
  #handler: StreamHandler | undefined
  #ended = false
  #heardEnd = false

  constructor(network: Network, machine: Machine, remote: string, remoteAddress: string) {
    this.#network = network
    this.machine = machine
    this.remote = remote
    this.remoteAddress = remoteAddress
  }

  /** Ties two ends together. */
  static join(near: End, far: End, there: Path, back: Path): void {
    near.out = far.in = new Pipe(near.#network, there, near, far)
    far.out = near.in = new Pipe(near.#network, back, far, near)
  }

  attach(handler: StreamHandler): void {
    this.#handler = handler
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.closed || this.#ended || this.out === undefined) return true
    return this.out.write(Buffer.concat(chunks))
  }

  end(): void {
    if (this.closed || this.#ended) return
    this.#ended = true
    if (this.out === undefined) this.#close(undefined)
    else this.out.say('end')
    if (this.#heardEnd) this.#close(undefined)
  }

  destroy(): void {
    if (this.closed) return
    this.out?.cutTail(this.#network.random.chance(0.5) ? 'end' : 'reset')
    this.#close(undefined)
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.in?.wake()
  }

  /** Bytes have come. */
  read(bytes: Uint8Array): void {
    this.#handler?.onData(bytes)
  }

  /** A word about the stream has come. */
  hear(what: 'open' | 'end' | 'reset'): void {
    if (what === 'open') this.#handler?.onOpen()
    else if (what === 'reset') this.fail('reset')
    else {
      this.#heardEnd = true
      // No half-open streams: whoever hears the end, ends.
      if (!this.#ended) this.end()
      else this.#close(undefined)
    }
  }

  /** There is room again. */
  drained(): void {
    const { loop } = this.#network
    loop.at(loop.nowMs, Phase.streams, this.machine, 'drain', () => {
      if (!this.closed) this.#handler?.onDrain()
    })
  }

  /** The stream breaks at this end. */
  fail(error: string): void {
    this.#close(error)
  }

  /** The machine is gone. With `word` its kernel still says so to the other end; without, nobody does. */
  die(word: boolean): void {
    if (this.closed) return
    if (word) this.out?.cutTail('reset')
    else this.out?.clear()
    this.closed = true
    this.#network.forget(this)
    this.in?.wake()
  }

  /** Something came for an end that is gone. */
  answerWithReset(): void {
    this.out?.say('reset')
  }

  #close(error: string | undefined): void {
    if (this.closed) return
    this.closed = true
    this.#network.forget(this)
    // What comes now finds nobody; it must not wait for this machine's turn.
    this.in?.wake()
    const { loop } = this.#network
    loop.at(loop.nowMs, Phase.streams, this.machine, 'close', () => this.#handler?.onClose(error))
  }
}
