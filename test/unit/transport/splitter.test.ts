import { describe, expect, test } from 'vitest'
import { Lane } from '../../../transport/index.ts'
import { Splitter } from '../../../transport/splitter.ts'
import { goldenFrames, messageFrame } from './golden.ts'

interface Seen {
  readonly seen: string[]
  readonly splitter: Splitter
}

function splitter(frameBytesMax = 1_024): Seen {
  const seen: string[] = []
  const sink = {
    frame: (kind: number, lane: number, channel: number, body: Uint8Array) =>
      void seen.push(`${kind} ${lane} ${channel} ${Buffer.from(body).toString('hex')}`),
  }
  return { seen, splitter: new Splitter(sink, frameBytesMax) }
}

/** Reads of `size` bytes until one is refused; says why. */
function pushAll(splitter: Splitter, bytes: Uint8Array, size: number): string | undefined {
  for (let at = 0; at < bytes.length; at += size) {
    const wrong = splitter.push(bytes.subarray(at, at + size))
    if (wrong !== undefined) return wrong
  }
  return undefined
}

const frames = [
  ...Object.values(goldenFrames).map(encode => encode()),
  messageFrame(1, Lane.control, new Uint8Array(0)),
  messageFrame(2, Lane.ordinary, Buffer.alloc(700, 1)),
  messageFrame(3, Lane.bulk, Buffer.alloc(1, 2)),
]
const stream = Buffer.concat(frames)
const whole = splitter()
whole.splitter.push(stream)

test('a stream in one read gives every frame', () => {
  expect(whole.seen).toHaveLength(frames.length)
})

test('two reads give the same frames, wherever they were cut', () => {
  for (let cut = 0; cut <= stream.length; cut++) {
    const { seen, splitter: halves } = splitter()
    halves.push(stream.subarray(0, cut))
    halves.push(stream.subarray(cut))
    expect(seen).toEqual(whole.seen)
  }
})

test.each([1, 2, 3, 7, 8, 9, 64, 1_000])('reads of %i bytes give the same frames', size => {
  const { seen, splitter: sliced } = splitter()
  for (let at = 0; at < stream.length; at += size) sliced.push(stream.subarray(at, at + size))
  expect(seen).toEqual(whole.seen)
})

test('a read buffer may be used again at once', () => {
  const { seen, splitter: reused } = splitter()
  const buffer = Buffer.alloc(5)
  for (let at = 0; at < stream.length; at += 5) {
    const read = stream.copy(buffer, 0, at, at + 5)
    reused.push(buffer.subarray(0, read))
    buffer.fill(0xee)
  }
  expect(seen).toEqual(whole.seen)
})

/** As a carrier that reads where it is told to, at most `size` bytes at a time. */
function readIntoRoom(splitter: Splitter, bytes: Uint8Array, size: number): void {
  const shared = Buffer.alloc(size)
  for (let at = 0; at < bytes.length; ) {
    const into = splitter.room() ?? shared
    const read = bytes.subarray(at, at + Math.min(size, into.length))
    into.set(read)
    expect(splitter.push(into.subarray(0, read.length))).toBeUndefined()
    shared.fill(0xee)
    at += read.length
  }
}

describe('a carrier that reads where it is told to', () => {
  const long = (bytes: number, fill: number) => messageFrame(2, Lane.ordinary, Buffer.alloc(bytes, fill))
  const mixed = Buffer.concat([
    stream,
    long(40_000, 1),
    long(40_000, 2),
    stream,
    long(30_000, 3),
    long(50_000, 4),
    long(50_000, 5),
    long(50_000, 6),
    stream,
  ])

  test.each([7, 1_000, 40_008, 65_536, 1_000_000])('sees the same frames, %i bytes at a time', size => {
    const [told, untold] = [splitter(60_000), splitter(60_000)]
    untold.splitter.push(mixed)
    readIntoRoom(told.splitter, mixed, size)
    expect(told.seen).toEqual(untold.seen)
  })

  test('gives frames like the last one memory of their own, in which they stay as they are', () => {
    const kept: Uint8Array[] = []
    const own = new Splitter(
      { frame: (_kind, _lane, _channel, body, isOwn) => void (isOwn && kept.push(body)) },
      60_000,
    )
    readIntoRoom(own, Buffer.concat([stream, long(50_000, 4), long(50_000, 5), long(50_000, 6)]), 32_768)
    expect(kept.map(body => body.length)).toEqual([50_000, 50_000, 50_000])
    for (const body of kept) expect(new Set(body).size).toBe(1)
  })

  test('finds no room with a stream of short frames, or of none', () => {
    const { splitter: idle } = splitter()
    expect(idle.room()).toBeUndefined()
    idle.push(stream.subarray(0, 3))
    expect(idle.room()).toBeUndefined()
  })

  test('takes a guess back with the next short frame', () => {
    const { splitter: once } = splitter(60_000)
    readIntoRoom(once, Buffer.concat([long(40_000, 1), frames[0]!]), 65_536)
    expect(once.room()).toBeUndefined()
  })
})

test('a complete frame is handed on without a copy', () => {
  const bodies: Uint8Array[] = []
  const frame = messageFrame(1, Lane.ordinary, Buffer.from('here'))
  const sink = { frame: (_k: number, _l: number, _c: number, bytes: Uint8Array) => void bodies.push(bytes) }
  new Splitter(sink, 1_024).push(frame)
  frame.write('THERE', 8)
  expect(Buffer.from(bodies[0]!).toString()).toBe('THER')
})

describe('a frame is refused', () => {
  test.each([1, 7, 8, 4_000])('when it is longer than allowed, in reads of %i bytes', size => {
    const { seen, splitter: strict } = splitter(100)
    const long = messageFrame(1, Lane.ordinary, Buffer.alloc(93))
    const bytes = Buffer.concat([messageFrame(1, Lane.ordinary, Buffer.alloc(92)), long])
    expect(pushAll(strict, bytes, size)).toBe('a frame that is too long')
    expect(seen).toHaveLength(1)
  })

  test.each([1, 8, 100])('when its reserved byte is set, in reads of %i bytes', size => {
    const { seen, splitter: strict } = splitter()
    const bytes = messageFrame(1, Lane.ordinary, Buffer.from('x'))
    bytes[7] = 1
    expect(pushAll(strict, bytes, size)).toBe('a frame with a reserved byte set')
    expect(seen).toEqual([])
  })

  test('before anything is set aside for it', () => {
    const { splitter: strict } = splitter(1_024)
    expect(strict.push(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toBe('a frame that is too long')
  })
})

test('the limit can rise between two frames of one read', () => {
  const seen: number[] = []
  const splitter: Splitter = new Splitter(
    {
      frame: (_kind, _lane, _channel, body) => {
        seen.push(body.length)
        splitter.frameBytesMax = 10_000
      },
    },
    100,
  )
  const bytes = Buffer.concat([
    messageFrame(1, Lane.ordinary, Buffer.alloc(10)),
    messageFrame(1, Lane.ordinary, Buffer.alloc(5_000)),
  ])
  expect(splitter.push(bytes)).toBeUndefined()
  expect(seen).toEqual([10, 5_000])
})

test('nothing more comes after a stop, not even from the same read', () => {
  let seen = 0
  const splitter: Splitter = new Splitter(
    {
      frame: () => {
        seen++
        splitter.stop()
      },
    },
    1_024,
  )
  splitter.push(stream)
  splitter.push(stream)
  expect(seen).toBe(1)
})
