/**
 * One number for everything that happened in a run, in order: each delivery, timer, fault and membership event is mixed
 * in. Two runs of the same script must end with the same one; the first event that differs changes it for good.
 */

const scratch = new DataView(new ArrayBuffer(8))

export class EventHash {
  /** How many events were mixed in. */
  events = 0
  #high = 0x9e3779b9
  #low = 0x811c9dc5

  /** Mixes one event in: what it is, when, and what it is about. */
  add(kind: string, timeMs: number, detail: string | number = 0): void {
    this.events++
    scratch.setFloat64(0, timeMs)
    this.#mix(scratch.getUint32(0))
    this.#mix(scratch.getUint32(4))
    this.#mixText(kind)
    if (typeof detail === 'number') this.#mix(detail | 0)
    else this.#mixText(detail)
  }

  /** Mixes bytes in, at most 64 of them, spread over the whole. */
  addBytes(bytes: Uint8Array): void {
    this.#mix(bytes.length)
    const step = Math.max(1, bytes.length >>> 6)
    for (let at = 0; at < bytes.length; at += step) this.#mix(bytes[at]!)
  }

  /** The hash so far, sixteen hexadecimal digits. */
  get text(): string {
    const digits = (half: number) => (half >>> 0).toString(16).padStart(8, '0')
    return digits(this.#high) + digits(this.#low)
  }

  #mixText(text: string): void {
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i))
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193)
    this.#high = Math.imul(this.#high ^ (this.#low >>> 13), 0x5bd1e995) ^ (this.#high >>> 15)
  }
}
