/**
 * The hash that tells keys apart: 32-bit FNV-1a over a text's UTF-16 code units, then MurmurHash3's finalizer.
 *
 * It is neither the ring's hash (MD5) nor the one that V8's `Map` uses (seeded rapidhash of the whole string), so keys
 * that share a partition do not share chains elsewhere. Its values are on the wire's behalf: two nodes must agree on
 * them, so they never change; golden vectors pin them. Hot: see test/bench. Source: R14 s21-22, where a hash that
 * coincided with the table's made chains of 2,000.
 */

const offsetBasis = 0x811c9dc5
const prime = 0x01000193

/** A u32 from a text; for ASCII it is the finalized standard FNV-1a of its bytes. Allocates nothing. */
export function keyHash(text: string): number {
  let hash = offsetBasis
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), prime)
  return mix(hash)
}

/** MurmurHash3's 32-bit finalizer: every input bit reaches every output bit. */
export function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
