/** Long messages: cut as they leave, put together as they come, and in nobody's way. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ArrivalBudget } from '../../../transport/arrival-budget.ts'
import { featureMask, fragmentsFeature } from '../../../transport/features.ts'
import {
  FragmentCutter,
  fragmentedBytes,
  wholeFrameBytesLimit,
  wholeFrameBytesMax,
} from '../../../transport/fragments.ts'
import { Handshake } from '../../../transport/handshake.ts'
import { LAN, Lane, Sent, TEST } from '../../../transport/index.ts'
import { Ledger } from '../../../transport/ledger.ts'
import { Queue } from '../../../transport/queue.ts'
import { overflowed, Reassembly } from '../../../transport/reassembly.ts'
import { Splitter } from '../../../transport/splitter.ts'
import { FrameKind, headerBytes } from '../../../transport/wire.ts'
import { fragmentFrame, messageFrame } from './golden.ts'
import { seededRandom } from './manual-clock.ts'
import { expectBalance, greetingOf, linked, Stranger, World } from './world.ts'

const cut = 1_000
const clock = { nowMs: () => 0 }

/** A queue that cuts at 1,000 bytes. */
function cutting(bytesMax = 2 ** 24, ledger = new Ledger()): Queue {
  const queue = new Queue(bytesMax, 1, clock, ledger)
  queue.cutAt(cut, true, false)
  return queue
}

/** What a stream says at its other end: messages in order, and the kinds of its frames. */
class Reader {
  readonly messages: { lane: number; channel: number; text: string }[] = []
  readonly kinds: string[] = []
  readonly #reassembly = new Reassembly(2 ** 24, new ArrivalBudget(2 ** 25))
  readonly #splitter = new Splitter(
    {
      frame: (kind, lane, channel, body) => {
        this.kinds.push(`${kind === FrameKind.fragment ? 'fragment' : 'message'} ${lane}`)
        const whole = kind === FrameKind.fragment ? this.#reassembly.take(lane, channel, body) : body
        if (whole === overflowed) throw new Error('overflowed')
        if (whole !== undefined && 'wrong' in whole) throw new Error(whole.wrong)
        if (whole) this.messages.push({ lane, channel, text: Buffer.from(whole).toString('latin1') })
      },
    },
    2 ** 24,
  )

  read(chunks: Uint8Array[]): this {
    expect(this.#splitter.push(Buffer.concat(chunks))).toBeUndefined()
    return this
  }
}

describe('a long message', () => {
  test.each([1_257, 1_999, 2_000, 2_001, 9_999, 100_000])(
    'of %i bytes takes as many as were counted',
    bytes => {
      for (const headBytes of [0, 1, 32, 1_000, 1_257]) {
        const body = Buffer.from(Array.from({ length: bytes }, (_, at) => at % 251))
        const cutter = new FragmentCutter(1, 7, body.subarray(0, headBytes), body.subarray(headBytes), cut)
        const chunks: Uint8Array[] = []
        const counted = cutter.bytesLeft
        let came = 0
        while (!cutter.done) came += cutter.next(chunks, false)
        expect([came, cutter.bytesLeft]).toEqual([counted, 0])
        expect(counted).toBe(fragmentedBytes(bytes, cut))
        expect(new Reader().read(chunks).messages).toEqual([
          { lane: 1, channel: 7, text: body.toString('latin1') },
        ])
      }
    },
  )

  test('is not copied: fragments are views of the payload, and only the header may be reused', () => {
    const queue = cutting()
    const [header, payload] = [Buffer.from('head'), Buffer.alloc(10_000, 'p')]
    queue.push(1, Lane.ordinary, header, payload)
    header.fill('x')
    const chunks: Uint8Array[] = []
    queue.take(2 ** 24, chunks, [0, 0, 0])
    const views = chunks.filter(({ buffer }) => buffer === payload.buffer)
    expect(views.reduce((sum, { length }) => sum + length, 0)).toBe(10_000)
    expect(new Reader().read(chunks).messages[0]!.text.slice(0, 5)).toBe('headp')
  })

  test('is one that is longer than a fragment and a header', () => {
    const kinds = (bytes: number) => {
      const queue = cutting()
      queue.push(1, Lane.ordinary, Buffer.alloc(32), Buffer.alloc(bytes - 32))
      const chunks: Uint8Array[] = []
      queue.take(2 ** 24, chunks, [0, 0, 0])
      return new Reader().read(chunks).kinds
    }
    const whole = wholeFrameBytesMax(cut) - headerBytes
    expect(kinds(whole)).toEqual(['message 1'])
    expect(kinds(whole + 1)).toEqual(['fragment 1', 'fragment 1'])
  })

  test('goes whole to a node that takes no fragments', () => {
    const queue = cutting()
    queue.cutAt(cut, false, false)
    queue.push(1, Lane.bulk, Buffer.alloc(8), Buffer.alloc(9_000))
    const chunks: Uint8Array[] = []
    expect(queue.take(2 ** 24, chunks, [0, 0, 0])).toBe(headerBytes + 9_008)
    expect(new Reader().read(chunks).kinds).toEqual(['message 2'])
  })
})

describe('between the fragments of a long message', () => {
  test('every earlier lane passes, and its own lane keeps its order', () => {
    const queue = cutting()
    const [reader, counts] = [new Reader(), [0, 0, 0]]
    const step = () => {
      const chunks: Uint8Array[] = []
      queue.take(1, chunks, counts)
      reader.read(chunks)
    }
    queue.push(1, Lane.bulk, Buffer.alloc(3_000, 'B'), undefined)
    queue.push(1, Lane.bulk, Buffer.from('behind'), undefined)
    step()
    queue.push(1, Lane.ordinary, Buffer.alloc(2_000, 'O'), undefined)
    step()
    queue.push(1, Lane.control, Buffer.from('control'), undefined)
    while (!queue.empty) step()
    expect(reader.kinds).toEqual([
      'fragment 2',
      'fragment 1',
      'message 0',
      'fragment 1',
      'fragment 2',
      'fragment 2',
      'message 2',
    ])
    expect(reader.messages.map(({ text }) => text.slice(0, 7))).toEqual([
      'control',
      'OOOOOOO',
      'BBBBBBB',
      'behind',
    ])
    expect([counts, queue.frames, queue.bytes]).toEqual([[1, 1, 2], 0, 0])
  })
})

test('any mix of sizes comes out whole, once and in order per lane, however it is taken', () => {
  const random = seededRandom(11)
  for (let round = 0; round < 100; round++) {
    const queue = cutting()
    const pushed: string[][] = [[], [], []]
    const [reader, counts] = [new Reader(), [0, 0, 0]]
    const step = (bytes: number) => {
      const chunks: Uint8Array[] = []
      const before = queue.bytes
      expect(queue.take(bytes, chunks, counts)).toBe(before - queue.bytes)
      reader.read(chunks)
    }
    for (let at = 0; at < 40; at++) {
      if (random.next() < 0.7) {
        const lane = Math.floor(random.next() * 3) as Lane
        const text = `${round}.${at} `.padEnd(Math.floor(random.next() ** 3 * 12_000), '.')
        const head = Math.min(text.length, Math.floor(random.next() * 40))
        queue.push(1, lane, Buffer.from(text.slice(0, head)), Buffer.from(text.slice(head)))
        pushed[lane]!.push(text)
      } else step(1 + Math.floor(random.next() * 5_000))
    }
    while (!queue.empty) step(3_000)
    for (const lane of [0, 1, 2])
      expect(reader.messages.filter(message => message.lane === lane).map(({ text }) => text)).toEqual(
        pushed[lane],
      )
    expect([counts, queue.bytes]).toEqual([pushed.map(({ length }) => length), 0])
  }
})

describe('a full queue', () => {
  test('takes a long message at its low watermark, whatever its length, and control still passes', () => {
    const queue = new Queue(20_000, 2_000, clock, new Ledger())
    queue.cutAt(cut, true, false)
    queue.push(1, Lane.ordinary, Buffer.alloc(900), undefined)
    expect(queue.push(1, Lane.ordinary, Buffer.alloc(8), Buffer.alloc(50_000))).toBe(true)
    expect(queue.push(1, Lane.ordinary, Buffer.alloc(8), undefined)).toBe(false)
    expect(queue.push(1, Lane.ordinary, Buffer.alloc(8), Buffer.alloc(50_000))).toBe(false)
    expect(queue.push(1, Lane.control, Buffer.alloc(1_000), undefined)).toBe(true)
    while (!queue.empty) queue.take(1_000, [], [0, 0, 0])
    let bytes = 0
    while (queue.push(1, Lane.control, Buffer.alloc(992), undefined)) bytes += 1_000
    expect(bytes).toBe(20_000)
  })

  test('sheds a long message that has not begun, and never one that has', () => {
    const ledger = new Ledger()
    const queue = cutting(30_000, ledger)
    queue.push(1, Lane.bulk, Buffer.from('begun '), Buffer.alloc(9_000))
    queue.push(1, Lane.bulk, Buffer.from('waits '), Buffer.alloc(9_000))
    queue.take(1, [], [0, 0, 0])
    for (let count = 0; count < 20; count++) queue.push(1, Lane.ordinary, Buffer.alloc(1_000), undefined)
    expect(ledger.bulk.shed).toBe(1)
    expect(queue.framesOf(Lane.bulk)).toBe(1)
    const before = queue.framesOf(Lane.ordinary)
    while (queue.push(1, Lane.ordinary, Buffer.alloc(1_000), undefined));
    expect(queue.framesOf(Lane.ordinary)).toBeGreaterThanOrEqual(before)
    expect(queue.framesOf(Lane.bulk)).toBe(1)
  })
})

describe('two nodes', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.end())

  test('pass 64 MiB in one message, and refuse more as tooBig', async () => {
    const { frameBytesMax, fragmentBytesMax, queueBytesMax, queueBytesTotalMax, controlReserveBytes } = LAN
    const [a, b] = await world.pair({
      frameBytesMax,
      fragmentBytesMax,
      queueBytesMax,
      queueBytesTotalMax,
      controlReserveBytes,
      arrivalBytesTotalMax: LAN.arrivalBytesTotalMax,
    })
    const peer = a.mesh.peer('b')!
    const payload = Buffer.alloc(64 * 1024 * 1024, 'x')
    expect(peer.send(2, Lane.ordinary, Buffer.from('64 MiB'), payload)).toBe(Sent.ok)
    expect(peer.send(2, Lane.ordinary, Buffer.alloc(1_017), payload)).toBe(Sent.tooBig)
    world.clock.settle()
    expect(b.received).toHaveLength(1)
    expect(b.received[0]!.text.slice(0, 8)).toBe('64 MiBxx')
    world.clock.advance(500)
    expect(peer.ledger.ordinary).toMatchObject({ accepted: 1, written: 1, delivered: 1, refusedTooBig: 1 })
  })

  test('take a control message whole, or not at all', async () => {
    const [a, b] = await world.pair()
    const peer = a.mesh.peer('b')!
    const longest = wholeFrameBytesLimit - headerBytes
    expect(peer.send(2, Lane.control, Buffer.alloc(longest), undefined)).toBe(Sent.ok)
    expect(peer.send(2, Lane.control, Buffer.alloc(longest + 1), undefined)).toBe(Sent.tooBig)
    world.clock.settle()
    expect(b.received).toHaveLength(1)
  })

  test('lose a message whose link ends in its middle, and the next link starts anew', async () => {
    const [a, b] = await world.pair()
    const peer = a.mesh.peer('b')!
    peer.send(2, Lane.ordinary, Buffer.from('cut off '), Buffer.alloc(200_000))
    world.clock.turn()
    expect(peer.queueFrames).toBe(1)
    world.network.reset('a', 'b')
    world.clock.until(() => !linked(a, b))
    expect(peer.ledger.ordinary).toMatchObject({ accepted: 1, written: 0, lost: 1 })
    world.clock.until(() => linked(a, b))
    peer.send(2, Lane.ordinary, Buffer.from('whole '), Buffer.alloc(200_000))
    world.clock.advance(500)
    expect(b.received.map(({ text }) => text.slice(0, 5))).toEqual(['whole'])
    expectBalance(peer)
  })
})

describe('long messages that come in', () => {
  const fragments = (lane: Lane, totalBytes: number, bytes: number) =>
    Array.from({ length: bytes / 65_536 }, (_, at) =>
      fragmentFrame(1, lane, totalBytes, at * 65_536, Buffer.alloc(65_536, at)).subarray(headerBytes),
    )
  const MiB = 1024 * 1024

  test('take memory as their bytes come, four times as much at most', () => {
    const budget = new ArrivalBudget(1024 * MiB)
    const reassembly = new Reassembly(65 * MiB, budget)
    let came = 0
    for (const fragment of fragments(Lane.bulk, 64 * MiB, 64 * MiB)) {
      const whole = reassembly.take(Lane.bulk, 1, fragment)
      came += 65_536
      if (came < 64 * MiB) expect(budget.takenBytes).toBeLessThanOrEqual(Math.max(256 * 1024, 4 * came))
      else expect((whole as Uint8Array).length).toBe(64 * MiB)
    }
    expect(budget.takenBytes).toBe(0)
  })

  test('come out as they were sent, however often their memory grew', () => {
    const reassembly = new Reassembly(65 * MiB, new ArrivalBudget(64 * MiB))
    const all = fragments(Lane.ordinary, 3 * MiB, 3 * MiB)
    const whole = all.map(fragment => reassembly.take(Lane.ordinary, 1, fragment)).at(-1) as Uint8Array
    expect(Buffer.from(whole).equals(Buffer.concat(all.map(fragment => fragment.subarray(8))))).toBe(true)
  })

  test('are read and not kept when others hold the memory, and told so at their end', () => {
    const budget = new ArrivalBudget(2 * MiB)
    const [hoarder, other] = [new Reassembly(65 * MiB, budget), new Reassembly(65 * MiB, budget)]
    for (const fragment of fragments(Lane.bulk, 64 * MiB, MiB)) hoarder.take(Lane.bulk, 1, fragment)
    const outcomes = fragments(Lane.bulk, 2 * MiB, 2 * MiB).map(fragment =>
      other.take(Lane.bulk, 1, fragment),
    )
    expect(new Set(outcomes.slice(0, -1))).toEqual(new Set([undefined]))
    expect(outcomes.at(-1)).toBe(overflowed)
    hoarder.clear()
    expect(budget.takenBytes).toBe(0)
    const again = fragments(Lane.bulk, MiB, MiB).map(fragment => other.take(Lane.bulk, 1, fragment))
    expect((again.at(-1) as Uint8Array).length).toBe(MiB)
  })
})

test('an end that did not say so sends no fragments', async () => {
  const world = new World()
  const c = await world.node('c')
  c.mesh.configure([{ node: 'mallory', address: 'nowhere:1' }])
  const handshake = new Handshake(
    { greeting: greetingOf('mallory', { target: 'c' }), secrets: ['secret'] },
    'c',
    () => undefined,
  )
  const mallory = new Stranger(world.network.carrier('mallory').dial('c:1'), handshake.hello())
  mallory.hears = (kind, body) => {
    if (kind === FrameKind.goodbye) return
    const step = handshake.receive(kind, body)
    if (step.do === 'send') mallory.stream.write([step.frame])
    if (step.do === 'open') mallory.stream.write([fragmentFrame(1, 1, 5, 0, Buffer.from('piece'))])
  }
  world.clock.advance(TEST.closeTimeoutMs + 50)
  expect(c.log).toEqual(['up mallory', 'down mallory bad-frame'])
  await world.end()
})

describe('a proven peer whose fragments cannot be is closed as bad-frame, and harms nobody else', () => {
  const piece = Buffer.from('piece')
  const first = fragmentFrame(1, 1, 15, 0, piece)
  test.each<[string, Uint8Array[]]>([
    ['an orphan', [fragmentFrame(1, 1, 15, 5, piece)]],
    ['a gap', [first, fragmentFrame(1, 1, 15, 10, piece)]],
    ['a first one again', [first, first]],
    ['another total', [first, fragmentFrame(1, 1, 16, 5, piece)]],
    ['another channel', [first, fragmentFrame(2, 1, 15, 5, piece)]],
    ['a message of its lane in the middle', [first, messageFrame(1, Lane.ordinary, piece)]],
    ['more than the total', [first, fragmentFrame(1, 1, 15, 5, Buffer.alloc(11))]],
    ['nothing in it', [first, fragmentFrame(1, 1, 15, 5, Buffer.alloc(0))]],
    ['no room for its head', [fragmentFrame(1, 1, 15, 0, piece).fill(4, 3, 4).subarray(0, 12)]],
    ['a total that is too long', [fragmentFrame(1, 1, TEST.frameBytesMax - headerBytes + 1, 0, piece)]],
    ['a total of 4 GiB', [fragmentFrame(1, 1, 0xffff_ffff, 0, piece)]],
    ['the control lane', [fragmentFrame(1, 0, 15, 0, piece)]],
    ['no lane', [fragmentFrame(1, 3, 15, 0, piece)]],
  ])('%s', async (_what, frames) => {
    const world = new World()
    const [healthy, c] = [await world.node('healthy'), await world.node('c')]
    healthy.mesh.configure([{ node: 'c', address: 'c:1' }])
    c.mesh.configure([
      { node: 'mallory', address: 'nowhere:1' },
      { node: 'healthy', address: 'healthy:1' },
    ])
    world.clock.until(() => linked(healthy, c))
    const greeting = greetingOf('mallory', { target: 'c', features: featureMask([fragmentsFeature]) })
    const self = { greeting, secrets: ['secret'] }
    const handshake = new Handshake(
      self,
      'c',
      () => undefined,
      () => undefined,
    )
    const mallory = new Stranger(world.network.carrier('mallory').dial('c:1'), handshake.hello())
    mallory.hears = (kind, body) => {
      if (kind === FrameKind.goodbye) return
      const step = handshake.receive(kind, body)
      if (step.do === 'send') mallory.stream.write([step.frame])
      if (step.do === 'open') mallory.stream.write(frames)
    }
    world.clock.advance(TEST.closeTimeoutMs + 50)
    expect(c.log).toEqual(['up healthy', 'up mallory', 'down mallory bad-frame'])
    expect(c.received).toEqual([])
    expect(healthy.mesh.peer('c')!.send(1, Lane.ordinary, piece, Buffer.alloc(50_000))).toBe(Sent.ok)
    world.clock.settle()
    expect(c.received).toHaveLength(1)
    await world.end()
  })
})
