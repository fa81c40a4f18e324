/**
 * One frame of every kind with fixed contents, as this version writes it. Their bytes are kept for ever in
 * test/golden/transport/v1: a change that alters one of them is a change of the protocol.
 */
import { blockOf } from '../../../transport/block.ts'
import { closeReasons } from '../../../transport/close-reason.ts'
import { encodeGreeting, encodeProof, encodeWelcome, type Greeting } from '../../../transport/greeting.ts'
import { Lane } from '../../../transport/index.ts'
import { Queue } from '../../../transport/queue.ts'
import {
  encodeBeat,
  encodeGoodbye,
  FrameKind,
  fragmentHeadBytes,
  headerBytes,
  writeHeader,
} from '../../../transport/wire.ts'

const dialler: Greeting = {
  protocolMin: 1,
  protocolMax: 1,
  features: 0,
  featuresRequired: 0,
  frameBytesMax: 16_777_216,
  creation: 0x01020304,
  nonce: Uint8Array.from({ length: 32 }, (_, at) => at),
  clusterId: 'two-datacenters',
  node: 'dc1-chat1',
  target: 'dc2-chat1',
  version: '0.1.0',
}

export const goldenGreeting = dialler

export const goldenFrames: Record<string, () => Uint8Array> = {
  hello: () => encodeGreeting(FrameKind.hello, dialler),
  challenge: () =>
    encodeGreeting(FrameKind.challenge, {
      ...dialler,
      creation: 0x0a0b0c0d,
      nonce: Uint8Array.from({ length: 32 }, (_, at) => 0xff - at),
      node: 'dc2-chat1',
      target: 'dc1-chat1',
    }),
  proof: () => encodeProof(new Uint8Array(32).fill(0xaa)),
  welcome: () => encodeWelcome({ proof: new Uint8Array(32).fill(0xbb), refusal: undefined, detail: '' }),
  'welcome-refused': () =>
    encodeWelcome({ proof: new Uint8Array(32).fill(0xbb), refusal: 'duplicate-name', detail: 'taken' }),
  message: () => messageFrame(2, Lane.bulk, Buffer.from('header'), Buffer.from('payload')),
  fragment: () => fragmentFrame(2, Lane.bulk, 13, 6, Buffer.from('payload')),
  block: () => blockOf(messageFrame(2, Lane.bulk, Buffer.from('header'), Buffer.from('payload'))),
  ping: () => encodeBeat(FrameKind.ping, { timeMs: 1234.5, received: [1, 2 ** 32 + 2, 3] }),
  pong: () => encodeBeat(FrameKind.pong, { timeMs: 1234.5, received: [4, 5, Number.MAX_SAFE_INTEGER] }),
  goodbye: () => encodeGoodbye({ received: [7, 8, 9], reason: 'removed', detail: 'no longer configured' }),
}

/** A fragment frame: `piece` of a body of `totalBytes`, at `at`. */
export function fragmentFrame(
  channel: number,
  lane: number,
  totalBytes: number,
  at: number,
  piece: Uint8Array,
): Buffer {
  const frame = Buffer.alloc(headerBytes + fragmentHeadBytes + piece.length)
  writeHeader(frame, 0, fragmentHeadBytes + piece.length, FrameKind.fragment, lane, channel)
  frame.writeUInt32BE(totalBytes, headerBytes)
  frame.writeUInt32BE(at, headerBytes + 4)
  frame.set(piece, headerBytes + fragmentHeadBytes)
  return frame
}

/** The numbers that stand for close reasons, pinned like a frame. */
export const goldenReasons = () => closeReasons.map((reason, code) => `${code} ${reason}`).join('\n')

/** A message frame, as the queue writes it. */
export function messageFrame(channel: number, lane: Lane, header: Uint8Array, payload?: Uint8Array): Buffer {
  const queue = new Queue(2 ** 30, 1, { nowMs: () => 0 })
  queue.push(channel, lane, header, payload)
  const chunks: Uint8Array[] = []
  queue.take(2 ** 30, chunks, [0, 0, 0])
  return Buffer.concat(chunks)
}
