/** Registry frames: golden bytes, cutting into parts, and what hostile ones do: nothing, counted. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode } from '../../../routing/codec.ts'
import {
  creationOf,
  decodeFrame,
  encodeFrame,
  encodeHead,
  type Frame,
  FrameKind,
  frameHeadBytes,
} from '../../../routing/exchange.ts'
import { Channel, routingForTests } from '../../../routing/index.ts'
import { viewOf, World } from './world.ts'

interface GoldenFrame {
  readonly name: string
  readonly frame: Record<string, unknown>
  readonly head: string
  readonly fields: string
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/routing/registry-frames.json', import.meta.url), 'utf8'),
) as { readonly creation: number; readonly frames: readonly GoldenFrame[] }

function frameOf({ frame }: GoldenFrame): Frame {
  if (frame.kind === FrameKind.state) {
    const scopes = Object.entries(frame.scopes as object).map(
      ([scope, standing]) => [scope, standing ?? undefined] as const,
    )
    return { ...frame, scopes: new Map(scopes) } as unknown as Frame
  }
  if (frame.kind === FrameKind.discover) {
    const asks = (frame.asks as Record<string, unknown>[]).map(ask => ({
      ...ask,
      held: ask.held ?? undefined,
    }))
    return { ...frame, asks } as unknown as Frame
  }
  if (frame.kind === FrameKind.change)
    return { ...frame, digest: frame.digest ?? undefined } as unknown as Frame
  return frame as unknown as Frame
}

const head = encodeHead(FrameKind.change, 2)
const changeOf = (fields: unknown) => Buffer.concat([head, Buffer.from(encode(fields))])
/** A change of some entries. */
const entriesOf = (entries: unknown, from = 0, to = 100) => changeOf(['main', 0, from, to, entries])

describe('registry frames', () => {
  it('number their kinds for good, before five bytes of head; 1 to 4 are retired', () => {
    expect(FrameKind).toEqual({ discover: 5, state: 6, sync: 7, change: 8 })
    expect(frameHeadBytes).toBe(5)
  })

  it.each(golden.frames)('$name: golden bytes', each => {
    const frame = frameOf(each)
    expect(Buffer.from(encodeHead(frame.kind, golden.creation)).toString('hex')).toBe(each.head)
    expect(Buffer.from(encodeFrame(frame)).toString('hex')).toBe(each.fields)
    const body = Buffer.from(each.head + each.fields, 'hex')
    expect(creationOf(body)).toBe(golden.creation)
    expect(decodeFrame(body)).toEqual(frame)
  })

  it.each(golden.frames)(
    '$name: nothing comes of it when it is cut short or has something behind it',
    each => {
      const body = Buffer.from(each.head + each.fields, 'hex')
      for (let length = 0; length < body.length; length++) {
        expect(decodeFrame(body.subarray(0, length))).toBeUndefined()
      }
      expect(decodeFrame(Buffer.concat([body, Buffer.alloc(1)]))).toBeUndefined()
    },
  )
})

describe('hostile frames', () => {
  const u32 = 0x1_0000_0000
  const bad: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['a head only', head],
    ['no array', changeOf({ 0: 'main', 1: [] })],
    ['no scope', changeOf([7, 0, 0, 1, []])],
    ['an empty scope', changeOf(['', 0, 0, 1, []])],
    ['too many fields', changeOf(['main', 0, 0, 1, [], 1])],
    ['an audience that is none', changeOf(['main', 2, 0, 1, []])],
    ['a number that goes back', entriesOf([], 7, 6)],
    ['a number that stays', entriesOf([], 7, 7)],
    ['a negative number', entriesOf([], -1, 7)],
    ['half a number', entriesOf([], 0, 1.5)],
    ['a number beyond all counting', entriesOf([], 0, 2 ** 60)],
    ['more members than changes', entriesOf([['room', 0, 1, 1, 0, 2, 1]], 0, 1)],
    ['half a digest', changeOf(['main', 0, 0, 1, 7, []])],
    ['a digest beyond u32', changeOf(['main', 0, 0, 1, u32, 0, []])],
    ['entries that are none', entriesOf('room')],
    ['an entry without members', entriesOf([['room']])],
    ['half a member', entriesOf([['room', 0, 1]])],
    ['a group without a name', entriesOf([['', 0, 1, 1]])],
    ['a group with too long a name', entriesOf([['x'.repeat(256), 0, 1, 1]])],
    ['a group that is an object', entriesOf([[{}, 0, 1, 1]])],
    ['a worker beyond 255', entriesOf([['room', 256, 1, 1]])],
    ['an index beyond u32', entriesOf([['room', 0, u32, 1]])],
    ['a negative index', entriesOf([['room', 0, -1, 1]])],
    ['half an index', entriesOf([['room', 0, 1.5, 1]])],
    ['an index as text', entriesOf([['room', 0, '1', 1]])],
    ['joined less than never', entriesOf([['room', 0, 1, -1]])],
    ['joined beyond u32', entriesOf([['room', 0, 1, u32]])],
    ['metadata of one who left', entriesOf([['room', 0, 1, [0, 2, null, null, null]]])],
    ['metadata that says nothing', entriesOf([['room', 0, 1, [1, null, null, null, null]]])],
    ['metadata with too few fields', entriesOf([['room', 0, 1, [1, 2]]])],
    ['a weight below zero', entriesOf([['room', 0, 1, [1, -2, null, null, null]]])],
    ['a weight that is no number', entriesOf([['room', 0, 1, [1, Number.NaN, null, null, null]]])],
    ['a zone of a megabyte', entriesOf([['room', 0, 1, [1, null, 'x'.repeat(1e6), null, null]]])],
    ['draining as a number', entriesOf([['room', 0, 1, [1, null, null, null, 1]]])],
    [
      'a good entry before a bad one',
      entriesOf([
        ['room', 0, 1, 1],
        ['hall', 0],
      ]),
    ],
    [
      'a sync with one who left',
      Buffer.concat([
        encodeHead(FrameKind.sync, 2),
        encode(['main', 0, 1, 0, 0, 0, true, [['room', 0, 1, 0]]]),
      ]),
    ],
    ['a question without a scope', Buffer.concat([encodeHead(FrameKind.discover, 2), encode([[true]])])],
    ['half a standing', Buffer.concat([encodeHead(FrameKind.state, 2), encode([['main', 0, 1]])])],
    ['an array of four billion', Buffer.concat([head, Buffer.from('82646d61696e9affffffff', 'hex')])],
    ['a text of a gigabyte', Buffer.concat([head, Buffer.from('827a40000000', 'hex')])],
    ['a deep nest', Buffer.concat([head, Buffer.alloc(100_000, 0x81), Buffer.from([0])])],
    ['a record definition', Buffer.concat([head, Buffer.from('d9dfff83196000816161f5', 'hex')])],
    ['a tag that builds things', entriesOf([['room', 0, /x/, 1]])],
  ]

  it.each(bad)('%s: its sender is cut off, and nothing else', (_, bytes) => {
    const world = new World()
    world.cutsOff = true
    const [a, b] = [world.start('a'), world.start('b')]
    world.link('a', 'b')
    b.registry.join('kept', b.pid(1))
    world.settle()
    world.forge('b', 'a', Channel.registry, Buffer.from(bytes))
    expect(a.registry.counts.bad).toBe(1)
    expect(world.cutOffs).toEqual([
      expect.stringMatching(/^a cut off b: garbage: no frame: \d+ bytes, kind /),
    ])
    expect(viewOf(a)).toEqual({ kept: ['b/2/0/1'] })
  })

  it.each([0, 1, 2, 3, 4, 9, 255])('kind %i: counted and ignored, as a newer version may send it', kind => {
    const world = new World()
    world.cutsOff = true
    const [a, b] = [world.start('a'), world.start('b')]
    world.link('a', 'b')
    b.registry.join('kept', b.pid(1))
    world.settle()
    const frame = Buffer.concat([encodeHead(kind as FrameKind, 2), encode(['main', []])])
    world.forge('b', 'a', Channel.registry, frame)
    expect(a.registry.counts.unknownKind).toBe(1)
    expect(world.cutOffs).toEqual([])
    expect(viewOf(a)).toEqual({ kept: ['b/2/0/1'] })
  })

  it('__proto__ and its like are group names as any other', () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    world.link('a', 'b')
    for (const group of ['__proto__', 'constructor', 'toString']) b.registry.join(group, b.pid(1))
    world.settle()
    expect(a.registry.whichGroups().sort()).toEqual(['__proto__', 'constructor', 'toString'])
    expect(({} as { pids?: unknown }).pids).toBeUndefined()
  })

  it('a frame from a node without a link is ignored', () => {
    const world = new World()
    const a = world.start('a')
    const stranger = { node: 'x', creation: 9, send: () => 0 as const }
    a.registry.receive(stranger, Buffer.concat([encodeHead(FrameKind.discover, 9), encode([['main', true]])]))
    expect(a.registry.counts.stale).toBe(1)
  })

  it('a peer cannot have more members than the limit, by changes or by a sync', () => {
    for (const isSync of [false, true]) {
      const world = new World({ limits: routingForTests })
      world.cutsOff = true
      const [a, b] = [world.start('a'), world.start('b')]
      world.link('a', 'b')
      b.registry.join('kept', b.pid(1))
      world.settle()
      const members = Array.from({ length: 64 }, (_, index) => [0, index + 10, 1]).flat()
      const sync = ['main', 0, 9, 0, 0, 0, true, [['flood', ...members, 0, 1, 1]]]
      const flood = isSync
        ? Buffer.concat([encodeHead(FrameKind.sync, 2), encode(sync)])
        : entriesOf([['flood', ...members]], 1, 99)
      world.forge('b', 'a', Channel.registry, flood)
      expect(a.registry.counts.overLimit).toBe(1)
      expect(a.registry.counts.cutOffMembers).toBe(1)
      expect(world.cutOffs).toEqual(['a cut off b: members: more than 64 members in main'])
      expect(viewOf(a)).toEqual({ kept: ['b/2/0/1'] })
    }
  })

  it('one who claims to be in a group four billion times is one too many', () => {
    const world = new World()
    world.cutsOff = true
    const [a] = [world.start('a'), world.start('b')]
    world.link('a', 'b')
    world.settle()
    world.forge('b', 'a', Channel.registry, entriesOf([['room', 0, 1, 0xffff_ffff]]))
    expect(a.registry.members('room')).toEqual([])
    expect(world.cutOffs).toHaveLength(1)
  })

  it('a leave of who was never in changes nothing', () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    world.link('a', 'b')
    b.registry.join('kept', b.pid(1))
    world.settle()
    const events: unknown[] = []
    a.registry.monitor(undefined, event => events.push(event))
    const entries = [
      ['kept', 0, 9, 0],
      ['none', 0, 1, 0],
    ]
    world.forge('b', 'a', Channel.registry, entriesOf(entries, 1, 3))
    expect(events).toEqual([])
    expect(viewOf(a)).toEqual({ kept: ['b/2/0/1'] })
  })

  it('any bytes at all are decoded to a frame or to nothing, never to an error', () => {
    const fields = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.anything().map(safely))
    fc.assert(
      fc.property(fc.nat({ max: 9 }), fields, (kind, bytes) => {
        const frame = decodeFrame(Buffer.concat([Buffer.from([kind, 0, 0, 0, 2]), bytes]))
        if (frame) expect(frame.kind).toBe(kind)
      }),
      { numRuns: 2_000 },
    )
  })
})

function safely(value: unknown): Uint8Array {
  try {
    return Buffer.from(encode(value))
  } catch {
    return Buffer.alloc(0)
  }
}
