import { describe, expect, test } from 'vitest'
import { Lane } from '../../../transport/index.ts'
import { Queue } from '../../../transport/queue.ts'
import { Splitter } from '../../../transport/splitter.ts'
import { headerBytes } from '../../../transport/wire.ts'
import { seededRandom } from './manual-clock.ts'

const nowMs = 0
const clock = { nowMs: () => nowMs }
const nothing = new Uint8Array(0)
const frames = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0)

function read(chunks: Uint8Array[]): { lane: number; text: string }[] {
  const seen: { lane: number; text: string }[] = []
  const sink = {
    frame: (_kind: number, lane: number, _channel: number, body: Uint8Array) =>
      void seen.push({ lane, text: Buffer.from(body).toString('latin1') }),
  }
  expect(new Splitter(sink, 2 ** 24).push(Buffer.concat(chunks))).toBeUndefined()
  return seen
}

describe('the bound', () => {
  test('counts headers, and is never passed', () => {
    const queue = new Queue(1_000, 200, clock)
    const frame = Buffer.alloc(92)
    let accepted = 0
    while (queue.push(1, Lane.ordinary, frame, undefined)) accepted++
    expect(accepted).toBe(8)
    expect(queue.bytes).toBe(800)
    expect(queue.frames).toBe(8)
  })

  test('leaves the reserve to the control lane', () => {
    const queue = new Queue(1_000, 200, clock)
    const frame = Buffer.alloc(92)
    while (queue.push(1, Lane.ordinary, frame, undefined));
    expect(queue.push(1, Lane.bulk, frame, undefined)).toBe(false)
    expect(queue.push(1, Lane.control, frame, undefined)).toBe(true)
    expect(queue.push(1, Lane.control, frame, undefined)).toBe(true)
    expect([queue.bytes, queue.framesOf(Lane.ordinary)]).toEqual([1_000, 8])
    expect(queue.push(1, Lane.control, nothing, undefined)).toBe(true)
    expect([queue.bytes, queue.framesOf(Lane.ordinary)]).toEqual([908, 7])
  })

  test('counts what the stream still holds', () => {
    const queue = new Queue(1_000, 100, clock)
    queue.push(1, Lane.ordinary, Buffer.alloc(792), undefined)
    const taken = queue.take(10_000, [], [0, 0, 0])
    expect(taken).toBe(800)
    queue.hold(taken)
    expect(queue.bytes).toBe(800)
    expect(queue.empty).toBe(true)
    expect(queue.push(1, Lane.ordinary, Buffer.alloc(100), undefined)).toBe(false)
    queue.hold(0)
    expect(queue.bytes).toBe(0)
    expect(queue.push(1, Lane.ordinary, Buffer.alloc(100), undefined)).toBe(true)
  })

  test('is told lane by lane, beside the most that was ever queued', () => {
    const queue = new Queue(2 ** 20, 1, clock)
    queue.push(1, Lane.ordinary, Buffer.from('head'), Buffer.alloc(5_000))
    queue.push(1, Lane.bulk, Buffer.from('head'), Buffer.alloc(96))
    const bytes = () => [Lane.control, Lane.ordinary, Lane.bulk].map(lane => queue.bytesOf(lane))
    const ordinary = headerBytes + 5_004
    const bulk = headerBytes + 100
    expect(bytes()).toEqual([0, ordinary, bulk])
    queue.hold(queue.take(ordinary, [], [0, 0, 0]))
    expect(bytes()).toEqual([0, 0, bulk])
    expect(queue.bytes).toBe(ordinary + bulk)
    queue.clear()
    expect(bytes()).toEqual([0, 0, 0])
    expect(queue.bytesHighest).toBe(ordinary + bulk)
  })

  test('is whole again after clear', () => {
    const queue = new Queue(1_000, 100, clock)
    queue.push(1, Lane.ordinary, Buffer.alloc(800), undefined)
    queue.clear()
    expect([queue.bytes, queue.frames, queue.empty]).toEqual([0, 0, true])
    expect(queue.take(1_000, [], [0, 0, 0])).toBe(0)
  })
})

describe('small frames', () => {
  test('share a chunk', () => {
    const queue = new Queue(2 ** 20, 1, clock)
    for (let count = 0; count < 50; count++)
      queue.push(1, Lane.ordinary, Buffer.from('h'), Buffer.from('payload'))
    const chunks: Uint8Array[] = []
    const counts = [0, 0, 0]
    queue.take(2 ** 20, chunks, counts)
    expect(chunks).toHaveLength(1)
    expect(counts).toEqual([0, 50, 0])
  })

  test('may be reused by their sender at once', () => {
    const queue = new Queue(2 ** 20, 1, clock)
    const header = Buffer.from('head')
    const payload = Buffer.from('tail')
    queue.push(1, Lane.ordinary, header, payload)
    header.fill('x')
    payload.fill('x')
    const chunks: Uint8Array[] = []
    queue.take(100, chunks, [0, 0, 0])
    expect(read(chunks)).toEqual([{ lane: 1, text: 'headtail' }])
  })
})

test('a payload over 4 KiB is not copied, and one of 4 KiB is', () => {
  const queue = new Queue(2 ** 20, 1, clock)
  const big = Buffer.alloc(4_097, 'b')
  const small = Buffer.alloc(4_096, 's')
  queue.push(1, Lane.ordinary, Buffer.from('h'), big)
  queue.push(1, Lane.ordinary, Buffer.from('h'), small)
  const chunks: Uint8Array[] = []
  queue.take(2 ** 20, chunks, [0, 0, 0])
  expect(chunks).toContain(big)
  expect(chunks).not.toContain(small)
  expect(read(chunks).map(({ text }) => text.length)).toEqual([4_098, 4_097])
})

test('lanes leave in strict order, each in its own', () => {
  const queue = new Queue(2 ** 20, 1, clock)
  for (const [lane, text] of [
    [Lane.bulk, 'b1'],
    [Lane.ordinary, 'o1'],
    [Lane.control, 'c1'],
    [Lane.bulk, 'b2'],
    [Lane.control, 'c2'],
    [Lane.ordinary, 'o2'],
  ] as const)
    queue.push(1, lane, Buffer.from(text), undefined)
  const chunks: Uint8Array[] = []
  queue.take(2 ** 20, chunks, [0, 0, 0])
  expect(read(chunks).map(({ text }) => text)).toEqual(['c1', 'c2', 'o1', 'o2', 'b1', 'b2'])
})

test('any mix of sizes comes out whole, once and in order per lane, however it is taken', () => {
  const random = seededRandom(7)
  for (let round = 0; round < 200; round++) {
    const queue = new Queue(2 ** 24, 1, clock)
    const pushed: string[][] = [[], [], []]
    const came: string[][] = [[], [], []]
    const stream: Uint8Array[] = []
    let waiting = 0
    const counts = [0, 0, 0]
    for (let step = 0; step < 40; step++) {
      if (random.next() < 0.7) {
        const lane = Math.floor(random.next() * 3) as Lane
        const text = `${round}.${step} `.padEnd(Math.floor(random.next() ** 3 * 12_000), '.')
        const cut = Math.min(text.length, Math.floor(random.next() * 40))
        queue.push(1, lane, Buffer.from(text.slice(0, cut)), Buffer.from(text.slice(cut)))
        pushed[lane]!.push(text)
        waiting += headerBytes + text.length
      } else waiting -= queue.take(1 + Math.floor(random.next() * 20_000), stream, counts)
      expect(queue.bytes).toBe(waiting)
      expect(queue.bytesOf(0) + queue.bytesOf(1) + queue.bytesOf(2)).toBe(waiting)
    }
    while (!queue.empty) queue.take(5_000, stream, counts)
    for (const { lane, text } of read(stream)) came[lane]!.push(text)
    expect(came).toEqual(pushed)
    expect(frames(counts)).toBe(frames(pushed.map(lane => lane.length)))
    expect([queue.bytes, queue.frames]).toEqual([0, 0])
  }
})

describe('the memory of full batches', () => {
  /** Takes 200 KiB of small frames and says which memory they lay in. */
  function blast(queue: Queue, fill: number): { memory: Set<ArrayBufferLike>; chunks: Uint8Array[] } {
    for (let count = 0; count < 200; count++)
      queue.push(2, Lane.ordinary, Buffer.alloc(1_024, fill), undefined)
    const chunks: Uint8Array[] = []
    queue.take(2 ** 24, chunks, [0, 0, 0])
    const full = chunks.map(chunk => chunk.buffer).filter(memory => memory.byteLength === 64 * 1024)
    return { memory: new Set(full), chunks }
  }

  test('serves the next ones once the stream is done with it', () => {
    const queue = new Queue(2 ** 24, 1, clock)
    blast(queue, 1)
    queue.written(true)
    const before = blast(queue, 2).memory
    queue.written(true)
    const after = blast(queue, 3).memory
    queue.written(true)
    expect(before.size).toBeGreaterThanOrEqual(3)
    expect([...after].filter(memory => before.has(memory))).toHaveLength(before.size)
  })

  test('is left alone while the stream may still need it', () => {
    const queue = new Queue(2 ** 24, 1, clock)
    const { memory, chunks } = blast(queue, 1)
    const sent = Buffer.concat(chunks)
    queue.written(false)
    const after = blast(queue, 2).memory
    queue.written(true)
    blast(queue, 3)
    expect([...after].some(buffer => memory.has(buffer))).toBe(false)
    expect(Buffer.concat(chunks).equals(sent)).toBe(true)
  })
})
