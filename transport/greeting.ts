/**
 * The layout of the four handshake frames (hello, challenge, proof, welcome): pure encode and decode, fixed binary.
 *
 * A hello and a challenge carry the same greeting. Its first 8 bytes (magic, protocol range) keep their place in every version,
 * so that two versions can always tell each other that they do not match. Later versions append; what follows is skipped.
 * Drawn in PROTOCOL.md; handshake.ts says who sends what when.
 */
import { type CloseReason, closeReasonCode, closeReasonOf } from './close-reason.ts'
import { TransportError } from './errors.ts'
import { detailText, FrameKind, headerBytes, newFrame, printable, readU32 } from './wire.ts'

/** 'WAND' */
const magic = 0x57414e44
export const nonceBytes = 32
export const proofBytes = 32
/** Longest node name and cluster id, and longest version, bytes of UTF-8; so a hello stays under 1 KiB. */
export const nameBytesMax = 255
export const versionBytesMax = 64
/** Longest handshake frame, header included. */
export const handshakeFrameBytesMax = 1024

const textsOffset = 24 + nonceBytes

/** What a node says of itself in a hello or a challenge. */
export interface Greeting {
  readonly protocolMin: number
  readonly protocolMax: number
  /** What this end can do, one bit each (PROTOCOL.md). */
  readonly features: number
  /** Those of them without which this end does not talk. */
  readonly featuresRequired: number
  /** Longest frame that this end takes, header included. */
  readonly frameBytesMax: number
  readonly creation: number
  readonly nonce: Uint8Array
  readonly clusterId: string
  readonly node: string
  /** In a hello: whom the dialler means to reach. In a challenge: the dialler's name, back. */
  readonly target: string
  /** Software version, for people and for upgrades; decides nothing here. */
  readonly version: string
}

/** A whole hello or challenge frame. */
export function encodeGreeting(
  kind: typeof FrameKind.hello | typeof FrameKind.challenge,
  greeting: Greeting,
): Uint8Array {
  const texts = [greeting.clusterId, greeting.node, greeting.target, greeting.version].map(text =>
    Buffer.from(text),
  )
  const frame = newFrame(kind, textsOffset + texts.reduce((sum, text) => sum + 1 + text.length, 0))
  let at = headerBytes
  at = frame.writeUInt32BE(magic, at)
  at = frame.writeUInt16BE(greeting.protocolMin, at)
  at = frame.writeUInt16BE(greeting.protocolMax, at)
  at = frame.writeUInt32BE(greeting.features, at)
  at = frame.writeUInt32BE(greeting.featuresRequired, at)
  at = frame.writeUInt32BE(greeting.frameBytesMax, at)
  at = frame.writeUInt32BE(greeting.creation, at)
  frame.set(greeting.nonce, at)
  at += nonceBytes
  for (const text of texts) {
    frame[at] = text.length
    frame.set(text, at + 1)
    at += 1 + text.length
  }
  return frame
}

/** The greeting in a body; `undefined` for anything else. Copies what it keeps. */
export function decodeGreeting(body: Uint8Array): Greeting | undefined {
  if (body.length < textsOffset || readU32(body, 0) !== magic) return undefined
  const bytes = Buffer.from(body)
  const texts: string[] = []
  let at = textsOffset
  for (let count = 0; count < 4; count++) {
    const end = at + 1 + (bytes[at] ?? Number.POSITIVE_INFINITY)
    if (end > bytes.length) return undefined
    texts.push(printable(bytes.subarray(at + 1, end)))
    at = end
  }
  return {
    protocolMin: bytes.readUInt16BE(4),
    protocolMax: bytes.readUInt16BE(6),
    features: bytes.readUInt32BE(8),
    featuresRequired: bytes.readUInt32BE(12),
    frameBytesMax: bytes.readUInt32BE(16),
    creation: bytes.readUInt32BE(20),
    nonce: bytes.subarray(24, textsOffset),
    clusterId: texts[0]!,
    node: texts[1]!,
    target: texts[2]!,
    version: texts[3]!,
  }
}

/** A whole proof frame. */
export function encodeProof(proof: Uint8Array): Uint8Array {
  const frame = newFrame(FrameKind.proof, proofBytes)
  frame.set(proof, headerBytes)
  return frame
}

/** The proof in a body (a copy); `undefined` for anything else. */
export function decodeProof(body: Uint8Array): Uint8Array | undefined {
  return body.length < proofBytes ? undefined : new Uint8Array(body.subarray(0, proofBytes))
}

/** The acceptor's last word: its own proof, and whether it takes the dialler. */
export interface Welcome {
  readonly proof: Uint8Array
  /** `undefined`: the link is up. */
  readonly refusal: CloseReason | undefined
  readonly detail: string
}

/** A whole welcome frame. Verdict 0 is "taken"; no refusal has that number, `unknown` is never sent. */
export function encodeWelcome(welcome: Welcome): Uint8Array {
  const detail = detailText(welcome.detail)
  const frame = newFrame(FrameKind.welcome, proofBytes + 2 + detail.length)
  frame.set(welcome.proof, headerBytes)
  frame[headerBytes + proofBytes] = welcome.refusal === undefined ? 0 : closeReasonCode(welcome.refusal)
  frame[headerBytes + proofBytes + 1] = detail.length
  frame.set(detail, headerBytes + proofBytes + 2)
  return frame
}

/** The welcome in a body; `undefined` for anything else. */
export function decodeWelcome(body: Uint8Array): Welcome | undefined {
  if (body.length < proofBytes + 2) return undefined
  const detailAt = proofBytes + 2
  const detailBytes = body[proofBytes + 1]!
  if (body.length < detailAt + detailBytes) return undefined
  const verdict = body[proofBytes]!
  return {
    proof: new Uint8Array(body.subarray(0, proofBytes)),
    refusal: verdict === 0 ? undefined : closeReasonOf(verdict),
    detail: printable(body.subarray(detailAt, detailAt + detailBytes)),
  }
}

/** Throws `bad-identity` when a text of the greeting is empty, unprintable or too long for its one byte of length. */
export function checkGreetingText(what: string, text: string, bytesMax: number): void {
  const bytes = Buffer.from(text)
  if (bytes.length === 0 || bytes.length > bytesMax || printable(bytes) !== text)
    throw new TransportError(
      'bad-identity',
      `${what} must be 1 to ${bytesMax} printable bytes: ${JSON.stringify(text)}`,
    )
}
