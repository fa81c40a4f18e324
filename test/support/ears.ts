/**
 * Streams of a carrier under test, two joined ends at a time: what each end was told, and whether that was in order.
 */
import { createHash } from 'node:crypto'
import type { Carrier, Listener, Stream, StreamHandler } from '../../transport/index.ts'
import { until } from './until.ts'

/** As much of what an end has heard as {@link Ear.text} keeps, bytes. */
const textBytesMax = 1_000

/** Hears a stream, and checks the contract while it does. */
export class Ear implements StreamHandler {
  readonly stream: Stream
  /** 'open', 'drain', 'close' or 'close why', in order. */
  readonly heard: string[] = []
  /** Of all bytes that came. */
  readonly hash = createHash('sha256')
  bytes = 0
  /** The first of them, as text. */
  text = ''
  opened = 0
  closed = 0
  /** Called after each read. */
  read: (bytes: Uint8Array) => void = () => {}
  readonly #event: () => void

  /** `event` is called for everything that the stream tells. */
  constructor(stream: Stream, event: () => void = () => {}) {
    this.stream = stream
    this.#event = event
    stream.attach(this)
  }

  onOpen(): void {
    this.#note('open')
    this.opened++
  }

  onData(bytes: Uint8Array): void {
    this.#note()
    this.bytes += bytes.length
    this.hash.update(bytes)
    if (this.bytes < textBytesMax) this.text += Buffer.from(bytes).toString()
    this.read(bytes)
  }

  onDrain(): void {
    this.#note('drain')
  }

  onClose(error: string | undefined): void {
    this.#note(error === undefined ? 'close' : `close ${error}`)
    this.closed++
  }

  #note(what?: string): void {
    if (this.closed > 0) this.heard.push('something after the close')
    if (what !== undefined) this.heard.push(what)
    this.#event()
  }
}

/** The dialled end, and the accepted one. */
export interface Joined {
  /** Where the carrier listens. */
  readonly address: string
  readonly near: Ear
  readonly far: Ear
}

/** All that a test has opened; `close` leaves nothing open. */
export class Ears {
  readonly #listeners: Listener[] = []
  readonly #ears: Ear[] = []

  /** Returns the address. */
  async listen(carrier: Carrier, accept: (stream: Stream) => void): Promise<string> {
    const listener = await carrier.listen('127.0.0.1:0', accept)
    this.#listeners.push(listener)
    return listener.address
  }

  hear(stream: Stream, event?: () => void): Ear {
    const ear = new Ear(stream, event)
    this.#ears.push(ear)
    return ear
  }

  async join(carrier: Carrier, event?: () => void): Promise<Joined> {
    let far: Ear | undefined
    const address = await this.listen(carrier, stream => {
      far = this.hear(stream, event)
    })
    const near = this.hear(carrier.dial(address), event)
    await until(() => far !== undefined && near.opened === 1)
    return { address, near, far: far! }
  }

  async close(): Promise<void> {
    for (const { stream } of this.#ears.splice(0)) stream.destroy()
    await Promise.all(this.#listeners.splice(0).map(listener => listener.close()))
  }
}

/** Both ends have closed. */
export function areClosed({ near, far }: Joined): boolean {
  return near.closed > 0 && far.closed > 0
}
