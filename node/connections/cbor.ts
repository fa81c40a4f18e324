/**
 * CBOR as phones may speak it: a small subset, checked byte by byte before a general decoder sees it.
 *
 * What comes in may be hostile, so a first pass walks the bytes without building anything: definite lengths only, no
 * tags, text keys, a bounded depth and number of items, and no declared length beyond the bytes that are there. Only
 * what passes is handed to cbor-x, which by itself would nest without end, run tags, and allocate what a header claims.
 * Invariant: work and memory are linear in the bytes received, and `decodeCbor` never throws.
 * Source: CVE-2026-26209 (nested arrays), CVE-2026-35480 (declared lengths).
 */
import { isUtf8 } from 'node:buffer'
import { Encoder } from 'cbor-x'

/** Arrays and maps inside each other; the deepest message of the protocol needs three. */
const DEPTH_MAX = 8
/** Values in one frame, keys included; the largest message of the protocol needs about 7,000. */
const ITEMS_MAX = 8192

const codec = new Encoder({ useRecords: false, mapsAsObjects: true, variableMapSize: true })

/** Encodes one value; the bytes are the caller's. */
export function encodeCbor(value: unknown): Uint8Array {
  return codec.encode(value)
}

/** Decodes one map that fills `bytes` exactly; `undefined` when it is anything else. Never throws. */
export function decodeCbor(bytes: Uint8Array): Record<string, unknown> | undefined {
  const pairs = checkedPairs(bytes)
  if (pairs === undefined) return undefined
  try {
    const map = codec.decode(bytes) as Record<string, unknown>
    // Of two equal keys the last would win, and another reader may take the first.
    return Object.keys(map).length === pairs ? map : undefined
  } catch {
    return undefined
  }
}

/** The number of pairs of the outermost map, or `undefined` when the bytes are not within the subset. */
function checkedPairs(bytes: Uint8Array): number | undefined {
  if (bytes.length === 0 || bytes[0]! >> 5 !== Major.map) return undefined
  const pairs = new Walk(bytes).argument(bytes[0]! & 0x1f)
  const walk = new Walk(bytes)
  return walk.value(0) && walk.at === bytes.length ? pairs : undefined
}

const Major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const

/** One pass over the bytes. Every method answers false as soon as something is outside the subset. */
class Walk {
  at = 0
  #bytes: Uint8Array
  #items = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  value(depth: number): boolean {
    if (depth > DEPTH_MAX || ++this.#items > ITEMS_MAX || this.at >= this.#bytes.length) return false
    const initial = this.#bytes[this.at]!
    const major = initial >> 5
    if (major === Major.simple) return this.#simple(initial)
    const argument = this.argument(initial & 0x1f)
    if (argument < 0) return false
    if (major === Major.unsigned || major === Major.negative) return true
    // Each item takes a byte at least, so a count beyond the remaining bytes is a lie.
    if (argument > this.#bytes.length - this.at) return false
    if (major === Major.text) return this.#text(argument)
    if (major === Major.array) {
      for (let i = 0; i < argument; i++) if (!this.value(depth + 1)) return false
      return true
    }
    if (major === Major.map) {
      for (let i = 0; i < argument; i++) if (!this.#key() || !this.value(depth + 1)) return false
      return true
    }
    return false
  }

  /** Reads the argument behind an initial byte; -1 when it is cut short, indefinite or reserved. */
  argument(information: number): number {
    const bytes = this.#bytes
    this.at += 1
    if (information < 24) return information
    const width = information > 27 ? 0 : 1 << (information - 24)
    if (width === 0 || this.at + width > bytes.length) return -1
    let argument = 0
    for (let i = 0; i < width; i++) argument = argument * 256 + bytes[this.at + i]!
    this.at += width
    return argument
  }

  /** false, true, null and 64-bit floats, which is how cbor-x writes integers from 2^32 on. */
  #simple(initial: number): boolean {
    if (initial >= 0xf4 && initial <= 0xf6) {
      this.at += 1
      return true
    }
    if (initial !== 0xfb || this.at + 9 > this.#bytes.length) return false
    this.at += 9
    return true
  }

  #key(): boolean {
    if (++this.#items > ITEMS_MAX || this.at >= this.#bytes.length) return false
    const initial = this.#bytes[this.at]!
    if (initial >> 5 !== Major.text) return false
    const length = this.argument(initial & 0x1f)
    return length >= 0 && length <= this.#bytes.length - this.at && this.#text(length)
  }

  #text(length: number): boolean {
    const text = this.#bytes.subarray(this.at, this.at + length)
    this.at += length
    return isUtf8(text)
  }
}
