/**
 * Packing: many records in one buffer, so that a whole batch changes threads as a single transfer.
 *
 *     u32 key length | u32 value length, or 0xffffffff for a removal | key, UTF-8 | value
 *
 * Little endian, one record after the other, within one process only: nothing of it is kept or sent.
 */
import { Buffer } from 'node:buffer'

const headerBytes = 8
const removed = 0xffffffff

/** A record as it changes threads: key in UTF-8, and its value, or `undefined` for a removal. */
export type PackedRecord = readonly [key: Uint8Array, value: Uint8Array | undefined]

/** Packs records into a buffer of their own, fit to be transferred. */
export function pack(records: Iterable<PackedRecord>): ArrayBuffer {
  const list = [...records]
  let size = 0
  for (const [key, value] of list) size += headerBytes + key.length + (value?.length ?? 0)
  const packed = new Uint8Array(size)
  const view = new DataView(packed.buffer)
  let offset = 0
  for (const [key, value] of list) {
    view.setUint32(offset, key.length, true)
    view.setUint32(offset + 4, value?.length ?? removed, true)
    packed.set(key, offset + headerBytes)
    offset += headerBytes + key.length
    if (value) packed.set(value, offset)
    offset += value?.length ?? 0
  }
  return packed.buffer
}

/** Yields what {@link pack} packed; keys and values are views of the buffer. */
export function* unpack(packed: ArrayBuffer): Generator<PackedRecord> {
  const view = new DataView(packed)
  let offset = 0
  while (offset < packed.byteLength) {
    const keyLength = view.getUint32(offset, true)
    const valueLength = view.getUint32(offset + 4, true)
    offset += headerBytes
    const key = new Uint8Array(packed, offset, keyLength)
    offset += keyLength
    if (valueLength === removed) {
      yield [key, undefined]
    } else {
      yield [key, new Uint8Array(packed, offset, valueLength)]
      offset += valueLength
    }
  }
}

const encoder = new TextEncoder()

/** Keys as bytes and back. */
export const utf8 = {
  encode: (text: string): Uint8Array => encoder.encode(text),
  decode: (bytes: Uint8Array): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'),
} as const
