/**
 * Tells, without building anything, whether bytes are one CBOR item of the kinds that travel inside messages.
 *
 * It stands before the decoder, so that a payload which no process could read never reaches a message queue, and so
 * that nothing foreign reaches the decoder's extensions (records compile code, tag 27 builds regular expressions).
 * Invariant: what passes here decodes without throwing. Hot: once per message that arrives from afar.
 * Source: RFC 8949 appendix C; OTP's bad_dist_structure, after which the inbox holds exactly the good messages.
 */

const depthMax = 100
/** Elements of one array or entries of one map; the decoder's limits are set to the same. */
export const elementsMax = 65_536
/** Bytes of one big integer: decoding takes time that grows with the square. */
const bigIntegerBytesMax = 1024

const refused = -1

/** True when `bytes` are exactly one item, and nothing behind it. */
export function wellFormed(bytes: Uint8Array): boolean {
  return item(bytes, 0, 0) === bytes.length
}

/** The offset behind the item that starts at `at`, or `refused`. */
function item(bytes: Uint8Array, at: number, depth: number): number {
  if (at >= bytes.length || depth > depthMax) return refused
  const major = bytes[at]! >> 5
  const info = bytes[at]! & 0x1f
  if (major === 7) return simple(bytes, at, info)
  if (info === 31) return major === 4 ? openArray(bytes, at + 1, depth) : refused
  const size = headSize(info)
  const start = at + size
  if (size === 0 || start > bytes.length) return refused
  // Numbers of eight bytes may have any value; a length of eight bytes never fits.
  if (major < 2) return start
  if (size === 9) return refused
  const count = headValue(bytes, at, info)
  switch (major) {
    case 2:
    case 3:
      return start + count <= bytes.length ? start + count : refused
    case 4:
      return count <= elementsMax ? items(bytes, start, count, depth + 1) : refused
    case 5:
      return count <= elementsMax ? entries(bytes, start, count, depth + 1) : refused
    default:
      return tagged(bytes, start, count, depth)
  }
}

/** Size of an item's head in bytes by its additional information; 0 when that is reserved. */
function headSize(info: number): number {
  if (info < 24) return 1
  return info > 27 ? 0 : 1 + (1 << (info - 24))
}

/** The number in a head of one to five bytes. */
function headValue(bytes: Uint8Array, at: number, info: number): number {
  if (info < 24) return info
  if (info === 24) return bytes[at + 1]!
  if (info === 25) return (bytes[at + 1]! << 8) | bytes[at + 2]!
  return ((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) >>> 0
}

/** False, true, null, undefined and the three sizes of float. */
function simple(bytes: Uint8Array, at: number, info: number): number {
  if (info >= 20 && info <= 23) return at + 1
  if (info < 25 || info > 27) return refused
  const end = at + headSize(info)
  return end <= bytes.length ? end : refused
}

function items(bytes: Uint8Array, at: number, count: number, depth: number): number {
  for (let index = 0; index < count && at !== refused; index++) at = item(bytes, at, depth)
  return at
}

/** An array that ends with a stop code: what the encoder writes for other iterables. */
function openArray(bytes: Uint8Array, at: number, depth: number): number {
  for (let count = 0; at !== refused && at < bytes.length; count++) {
    if (bytes[at] === 0xff) return at + 1
    if (count === elementsMax) return refused
    at = item(bytes, at, depth + 1)
  }
  return refused
}

/** A map that becomes an object: its keys are texts or integers. */
function entries(bytes: Uint8Array, at: number, count: number, depth: number): number {
  for (let index = 0; index < count && at !== refused; index++) {
    const major = at < bytes.length ? bytes[at]! >> 5 : 7
    if (major !== 3 && major !== 0 && major !== 1) return refused
    at = item(bytes, item(bytes, at, depth), depth)
  }
  return at
}

/** Dates, big integers, sets, maps and typed arrays; every other tag is refused. */
function tagged(bytes: Uint8Array, at: number, tag: number, depth: number): number {
  const major = at < bytes.length ? bytes[at]! >> 5 : refused
  const info = bytes[at]! & 0x1f
  if (tag === 1) return isSeconds(major, info) ? item(bytes, at, depth + 1) : refused
  if (tag === 258) return major === 4 ? item(bytes, at, depth + 1) : refused
  if (tag === 259) return mapEntries(bytes, at, depth + 1)
  if (major !== 2) return refused
  const end = item(bytes, at, depth + 1)
  if (end === refused) return refused
  const length = end - at - headSize(info)
  if (tag === 2 || tag === 3) return length <= bigIntegerBytesMax ? end : refused
  const width = elementBytes(tag)
  return width !== 0 && length % width === 0 ? end : refused
}

/** A number that the decoder makes a number of, not a big integer. */
function isSeconds(major: number, info: number): boolean {
  return major === 7 ? info >= 25 : major < 2 && info < 27
}

/** A map that stays a Map: its keys may be anything. */
function mapEntries(bytes: Uint8Array, at: number, depth: number): number {
  if (at >= bytes.length || bytes[at]! >> 5 !== 5) return refused
  const info = bytes[at]! & 0x1f
  const size = headSize(info)
  if (size === 0 || size === 9 || at + size > bytes.length) return refused
  const count = headValue(bytes, at, info)
  return count <= elementsMax ? items(bytes, at + size, count * 2, depth + 1) : refused
}

/** Bytes per element of RFC 8746's typed arrays; 0 for those that JavaScript lacks and for other tags. */
function elementBytes(tag: number): number {
  switch (tag) {
    case 64:
    case 68:
    case 72:
      return 1
    case 65:
    case 69:
    case 73:
    case 77:
      return 2
    case 66:
    case 70:
    case 74:
    case 78:
    case 81:
    case 85:
      return 4
    case 67:
    case 71:
    case 75:
    case 79:
    case 82:
    case 86:
      return 8
    default:
      return 0
  }
}
