import { describe, expect, test } from 'vitest'
import { blockHeadBytes, blockOf, sealBlock } from '../../../transport/block.ts'
import { Lane } from '../../../transport/index.ts'
import { Splitter } from '../../../transport/splitter.ts'
import { messageFrame } from './golden.ts'

/** What comes out of a stream of blocks, and what ended it. */
function read(stream: Uint8Array, size = stream.length): { seen: string[]; wrong: string | undefined } {
  const seen: string[] = []
  const splitter = new Splitter(
    {
      frame: (kind, lane, channel, body) => void seen.push(`${kind} ${lane} ${channel} ${Buffer.from(body)}`),
      earlyGoodbye: body => void seen.push(`early goodbye ${Buffer.from(body)}`),
    },
    1_024,
  )
  splitter.expectBlocks()
  let wrong: string | undefined
  for (let at = 0; at < stream.length && wrong === undefined; at += size)
    wrong = splitter.push(stream.subarray(at, at + size))
  return { seen, wrong }
}

/** A block of these frames, the last one behind the block's head in memory of its own. */
function block(...frames: Uint8Array[]): Buffer {
  const room = Buffer.concat([Buffer.alloc(blockHeadBytes), ...frames.slice(0, -1)])
  const rest = frames.at(-1)
  return Buffer.concat([sealBlock(room.subarray(blockHeadBytes), rest), rest ?? new Uint8Array(0)])
}

const one = messageFrame(1, Lane.ordinary, Buffer.from('one'))
const two = messageFrame(2, Lane.bulk, Buffer.from('two'))
const empty = messageFrame(3, Lane.control, new Uint8Array(0))
const seenOf = ['16 1 1 one', '16 2 2 two', '16 0 3 ']

test('the frames of a block come out in order, however it is read', () => {
  const stream = Buffer.concat([block(one, two, empty), blockOf(one)])
  for (let size = 1; size <= stream.length; size++)
    expect(read(stream, size)).toEqual({ seen: [...seenOf, '16 1 1 one'], wrong: undefined })
})

test('no bit of a block can turn over without ending the stream before a frame is handed on', () => {
  const whole = block(one, two, empty)
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const damaged = Buffer.from(whole)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    const { seen, wrong } = read(damaged)
    expect(seen, `bit ${bit}`).toEqual([])
    expect(wrong, `bit ${bit}`).toBeDefined()
  }
})

test('a length that was damaged is noticed with the header, not when the rest fails to come', () => {
  for (let bit = 0; bit < 32; bit++) {
    const header = Buffer.from(block(one, two)).subarray(0, 8)
    header[bit >> 3]! ^= 1 << (bit & 7)
    expect(read(header).wrong, `bit ${bit}`).toBeDefined()
  }
})

describe('it ends the stream', () => {
  const goodCheck = (frames: Uint8Array) => blockOf(frames)
  test.each([
    ['a frame outside of a block', one],
    ['a block of nothing', goodCheck(new Uint8Array(0))],
    ['a block with no frame in it', goodCheck(Buffer.alloc(8, 1))],
    ['a block with half a frame in it', goodCheck(one.subarray(0, 10))],
    ['a frame that is too long', block(Buffer.alloc(70_000), two)],
  ])('%s', (wrong, stream) => {
    expect(read(stream)).toEqual({ seen: [], wrong })
  })

  test('a block in a block', () => {
    expect(read(blockOf(blockOf(one))).seen).toEqual([
      `21 ${blockOf(one)[5]} ${blockOf(one)[6]} ${Buffer.from(blockOf(one).subarray(8))}`,
    ])
  })
})

test('a goodbye that left before its sender knew of blocks is heard', () => {
  const goodbye = Buffer.from([0, 0, 0, 1, 19, 0, 0, 0, 65])
  expect(read(goodbye)).toEqual({ seen: ['early goodbye A'], wrong: undefined })
})
