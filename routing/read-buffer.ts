/**
 * What small messages are decoded out of: one buffer for all of them, which hands out byte strings as copies.
 *
 * An ArrayBuffer for each byte string would cost more than all else on a message's way in, so short ones lie side by side in
 * slabs. Invariant: nothing that was handed out is ever written again. Hot: once per message that arrives from afar.
 */

const slabBytes = 8192
/** Longer byte strings get memory of their own; who keeps a shorter one keeps at most one slab alive. */
const sharedBytesMax = 1024

export class ReadBuffer extends Uint8Array {
  #slab = newSlab()
  #used = 0

  /** A copy, where any other buffer gives a view: it is how the decoder takes byte strings. */
  override subarray(start: number, end: number): Uint8Array<ArrayBuffer> {
    return this.copy(this, start, end)
  }

  /** A copy of what stands in `from` between `start` and `end`. */
  copy(from: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
    const length = end - start
    const bytes = new Uint8Array(from.buffer as ArrayBuffer, from.byteOffset + start, length)
    if (length > sharedBytesMax) return bytes.slice()
    if (this.#used + length > slabBytes) {
      this.#slab = newSlab()
      this.#used = 0
    }
    const copy = new Uint8Array(this.#slab.buffer, this.#used, length)
    copy.set(bytes)
    this.#used += length
    return copy
  }
}

/** All of it is written before it is read, so it need not be zeroes. */
function newSlab(): Uint8Array<ArrayBuffer> {
  const { buffer } = Buffer.allocUnsafeSlow(slabBytes)
  return new Uint8Array(buffer)
}
