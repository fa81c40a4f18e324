/**
 * Good things to say on a live link, in each form: short messages, long ones in fragments of both data lanes side by side, heartbeats
 * between them, all together in blocks. What the mutator starts from.
 */
import { blockOf } from '../../../transport/block.ts'
import { Lane } from '../../../transport/index.ts'
import { encodeBeat, encodeGoodbye, FrameKind, headerBytes, writeHeader } from '../../../transport/wire.ts'
import { fragmentFrame } from '../transport/golden.ts'
import { seededRandom } from '../transport/manual-clock.ts'
import type { Mutator } from './mutator.ts'
import type { Form } from './reading.ts'

/** Most pieces that a long message comes in. */
const piecesMax = 6
/** What bodies are cut out of: no two alike, and made once. */
const text = Buffer.from(seededRandom(0).bytes(256 * 1024))

/** A conversation, as frames that are not in blocks yet. */
export function conversation(m: Mutator, form: Form): Uint8Array[] {
  if (form === 'whole') return Array.from({ length: 1 + m.below(4) }, () => brief(m, m.below(3)))
  const lanes = [Lane.ordinary, Lane.bulk].map(lane =>
    Array.from({ length: 1 + m.below(2) }, () =>
      m.below(4) === 0 ? [brief(m, lane)] : long(m, lane),
    ).flat(),
  )
  const frames: Uint8Array[] = []
  while (lanes.some(lane => lane.length > 0)) {
    const next = m.pick(lanes).shift() ?? (m.below(4) === 0 ? brief(m, Lane.control) : undefined)
    if (next !== undefined) frames.push(next)
  }
  return frames
}

/** Puts frames into blocks of a few each. */
export function inBlocks(m: Mutator, frames: readonly Uint8Array[]): Uint8Array[] {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < frames.length; ) {
    const next = at + 1 + m.below(4)
    blocks.push(blockOf(Buffer.concat(frames.slice(at, next))))
    at = next
  }
  return blocks
}

function brief(m: Mutator, lane: number): Uint8Array {
  switch (m.below(12)) {
    case 0:
      return encodeBeat(m.pick([FrameKind.ping, FrameKind.pong]), {
        timeMs: m.below(1_000),
        received: [0, 0, 0],
      })
    case 1:
      return encodeGoodbye({ received: [0, 0, 0], reason: 'goodbye', detail: 'that is all' })
    default:
      return message(m.below(4), lane, someText(m, m.below(m.below(16) === 0 ? 3_000 : 60)))
  }
}

/** A message in one frame. */
export function message(channel: number, lane: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + body.length)
  writeHeader(frame, 0, body.length, FrameKind.message, lane, channel)
  frame.set(body, headerBytes)
  return frame
}

function someText(m: Mutator, bytes: number): Buffer {
  const at = m.below(text.length - bytes)
  return text.subarray(at, at + bytes)
}

/** Now and then one whose pieces are as long as they may be. */
function long(m: Mutator, lane: number): Uint8Array[] {
  const pieceBytesMax = m.below(64) === 0 ? 65_536 : 200
  const pieces = Array.from({ length: 2 + m.below(piecesMax - 1) }, () =>
    someText(m, 1 + m.below(pieceBytesMax)),
  )
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const channel = m.below(4)
  let at = 0
  return pieces.map(piece => {
    const frame = fragmentFrame(channel, lane, total, at, piece)
    at += piece.length
    return frame
  })
}
