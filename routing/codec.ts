/**
 * What is said between processes, as bytes: CBOR (RFC 8949) in its preferred form, without private extensions.
 *
 * Messages are plain data: null, booleans, numbers, big integers, texts, byte strings, typed arrays, dates, arrays,
 * objects, maps and sets. A pid travels as its text. Invariant: a payload of up to 4 KiB is only valid until the next
 * `encode`, a larger one is its owner's for good, which is exactly what the transport asks for.
 */
import { Encoder, setSizeLimits } from 'cbor-x'
import { describe, type Target } from './address.ts'
import { ByteString, isByteString, readByteString } from './byte-string.ts'
import { RoutingError } from './error.ts'
import { ReadBuffer } from './read-buffer.ts'
import { elementsMax, wellFormed } from './wellformed.ts'

setSizeLimits({ maxArraySize: elementsMax, maxMapSize: elementsMax, maxObjectSize: elementsMax })

/** Payloads up to here may lie in the encoder's own buffer: the transport copies them. */
const copiedBytesMax = 4096
/** The encoder's buffer grows with the largest message; beyond this a smaller one takes its place. */
const scratchBytesMax = 256 * 1024
const scratchBytes = 32 * 1024
/** cbor-x's RESET_BUFFER_MODE: the next encoding may overwrite this one. */
const overwriteLater = 1024

/** The part of cbor-x's encoder that its types leave out. */
interface ReusingEncoder {
  encode(value: unknown, mode: number): Buffer
  decode(bytes: Uint8Array, end?: number): unknown
  useBuffer(buffer: Uint8Array): void
}

const plain = { useRecords: false, mapsAsObjects: true, variableMapSize: true, tagUint8Array: false }
// `copyBuffers`: a byte string that a process keeps must not keep the whole message alive.
const encoder = new Encoder({ ...plain, copyBuffers: true }) as unknown as ReusingEncoder
/** Reads small messages; its byte strings are copies, because {@link ReadBuffer} makes them. */
const smallDecoder = new Encoder({ ...plain, copyBuffers: false }) as unknown as ReusingEncoder
const readBuffer = new ReadBuffer(copiedBytesMax)

/** The bytes of a message; throws what cbor-x throws for a function, a symbol or a cycle. */
export function encode(value: unknown): Uint8Array {
  const bytes = encoder.encode(value, overwriteLater)
  if (bytes.length <= copiedBytesMax) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  if (bytes.buffer.byteLength > scratchBytesMax) encoder.useBuffer(Buffer.allocUnsafeSlow(scratchBytes))
  return own
}

/** An encoded message. */
export type Payload = Uint8Array | ByteString

/** The bytes of a message that is to be sent: as {@link encode}, but a byte string is not copied. Throws as it does. */
export function encodePayload(value: unknown): Payload {
  return value instanceof Uint8Array ? new ByteString(value) : encode(value)
}

/** {@link encodePayload}, with an error that says to whom the message was to go: what cannot be encoded is its sender's bug. */
export function encodeFor(target: Target, message: unknown): Payload {
  try {
    return encodePayload(message)
  } catch (error) {
    throw new RoutingError('failed', `send to ${describe(target)}`, `the message cannot be encoded: ${error}`)
  }
}

/**
 * The message that bytes stand for; only for bytes that {@link wellFormed} accepts. The result shares no memory with them, unless `isOwn`: they
 * are nobody else's, and a message that is one byte string stays where it lies.
 */
export function decode(bytes: Uint8Array, isOwn = false): unknown {
  if (isByteString(bytes)) return readByteString(bytes, isOwn, readBuffer)
  if (bytes.length > copiedBytesMax) return encoder.decode(bytes)
  readBuffer.set(bytes)
  return smallDecoder.decode(readBuffer, bytes.length)
}

/** The message that foreign bytes stand for, or `undefined` when they are not acceptable. */
export function decodeForeign(bytes: Uint8Array): { readonly value: unknown } | undefined {
  return wellFormed(bytes) ? { value: decode(bytes) } : undefined
}
