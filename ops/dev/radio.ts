/**
 * A phone's radio: what a simulated phone dials through, so that it can lose its line and come back elsewhere.
 *
 * Going off cuts the line without a goodbye, as a tunnel does; the phone notices, and dials in vain until the radio is on
 * again. So nothing is helped along: what was on its way when the line broke must come again.
 */
import {
  type Carrier,
  type Listener,
  realPorts,
  type Stream,
  type StreamHandler,
} from '../../transport/index.ts'

export class Radio implements Carrier {
  readonly #carrier: Carrier
  #isOn = true
  /** Where the next dial goes, wherever the phone wanted to. */
  #place: string | undefined
  #line: Stream | undefined

  constructor(carrier: Carrier = realPorts.carrier) {
    this.#carrier = carrier
  }

  /** Cuts the line, and lets no other come about. */
  off(): void {
    this.#isOn = false
    this.#line?.destroy()
    this.#line = undefined
  }

  /** Lets the phone connect again, the first time to `place`. */
  on(place?: string): void {
    this.#isOn = true
    this.#place = place
  }

  dial(address: string): Stream {
    if (!this.#isOn) return deadLine(address)
    const stream = this.#carrier.dial(this.#place ?? address)
    this.#place = undefined
    this.#line = stream
    return stream
  }

  listen(): Promise<Listener> {
    return Promise.reject(new Error('listen: a phone does not'))
  }
}

/** A stream to nowhere: it closes as soon as somebody owns it. */
function deadLine(address: string): Stream {
  return {
    remoteAddress: address,
    attach: (handler: StreamHandler) => setImmediate(() => handler.onClose('no signal')),
    write: () => true,
    end: () => {},
    destroy: () => {},
    pause: () => {},
    resume: () => {},
  }
}
