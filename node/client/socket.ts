/**
 * A phone's socket: one dialled stream, messages out, checked messages in.
 *
 * Invariant: `onClose` comes exactly once, and nothing after it; also when we close it ourselves.
 */
import type { Carrier, Stream, StreamHandler } from '../../transport/index.ts'
import { encodeFrame, FRAME_BYTES_MAX, FrameReader, type FrameSink } from '../connections/frames.ts'
import { type PhoneMessage, readServerMessage, type ServerMessage } from '../connections/protocol.ts'

/** Who is told. */
export interface SocketListener {
  onOpen(): void
  onMessage(message: ServerMessage): void
  onClose(): void
}

export class Socket implements StreamHandler, FrameSink {
  readonly #stream: Stream
  readonly #listener: SocketListener
  readonly #reader = new FrameReader(FRAME_BYTES_MAX)
  #isOpen = false
  #isClosed = false

  /** Dials. */
  constructor(carrier: Carrier, address: string, listener: SocketListener) {
    this.#listener = listener
    this.#stream = carrier.dial(address)
    this.#stream.attach(this)
  }

  send(message: PhoneMessage): void {
    // The window bounds what can wait in the stream.
    if (!this.#isClosed) this.#stream.write([encodeFrame(message)])
  }

  /** Says goodbye and closes; what was sent leaves first. A dial that has not come through is given up. */
  end(): void {
    if (!this.#isOpen) {
      this.destroy()
      return
    }
    this.send({ t: 'bye' })
    this.#stream.end()
    this.#closed()
  }

  /** Closes at once. */
  destroy(): void {
    this.#stream.destroy()
    this.#closed()
  }

  onOpen(): void {
    this.#isOpen = true
    if (!this.#isClosed) this.#listener.onOpen()
  }

  onData(bytes: Uint8Array): void {
    if (this.#isClosed) return
    // A server that sends what cannot be read is none of ours; another one may be.
    if (this.#reader.feed(bytes, this) !== undefined) this.destroy()
  }

  takeFrame(frame: Uint8Array): boolean {
    const message = readServerMessage(frame)
    // What is not known here was added by a later version, for later phones.
    if (message !== undefined) this.#listener.onMessage(message)
    return !this.#isClosed
  }

  onDrain(): void {}

  onClose(): void {
    this.#closed()
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#listener.onClose()
  }
}
