/**
 * A message that is one byte string: it needs neither encoder nor decoder, only a CBOR head before the bytes where they lie.
 *
 *   | 0x40 + length | bytes ...      | 0x58 | length u8 | bytes ...      and so on with 0x59 (u16) and 0x5a (u32)
 *
 * Hot: once per such message, at each end. Source: RFC 8949 section 3.1, major type 2.
 */
import type { ReadBuffer } from './read-buffer.ts'

/** Longest head, bytes. */
export const headBytesMax = 5

export class ByteString {
  readonly bytes: Uint8Array

  /** @param bytes kept, not copied */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Bytes that it takes on the wire, its longest head counted. */
  get length(): number {
    return headBytesMax + this.bytes.length
  }

  /** Writes the head at `at`; returns how many bytes it took. */
  writeHead(into: Uint8Array, at: number): number {
    const { length } = this.bytes
    if (length < 24) {
      into[at] = 0x40 | length
      return 1
    }
    if (length < 0x100) {
      into[at] = 0x58
      into[at + 1] = length
      return 2
    }
    if (length < 0x1_0000) {
      into[at] = 0x59
      into[at + 1] = length >>> 8
      into[at + 2] = length
      return 3
    }
    into[at] = 0x5a
    into[at + 1] = length >>> 24
    into[at + 2] = length >>> 16
    into[at + 3] = length >>> 8
    into[at + 4] = length
    return headBytesMax
  }
}

/** Whether well-formed bytes are one byte string. */
export function isByteString(bytes: Uint8Array): boolean {
  return bytes[0]! >> 5 === 2
}

/** The byte string that well-formed bytes are: a copy, unless `isOwn`, when they are nobody else's. */
export function readByteString(bytes: Uint8Array, isOwn: boolean, copies: ReadBuffer): Uint8Array {
  const info = bytes[0]! & 0x1f
  const at = info < 24 ? 1 : 1 + (1 << (info - 24))
  return isOwn ? bytes.subarray(at) : copies.copy(bytes, at, bytes.length)
}
