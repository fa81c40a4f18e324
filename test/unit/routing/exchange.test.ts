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
  inParts,
} from '../../../routing/exchange.ts'
import { Channel, Pid, routingForTests } from '../../../routing/index.ts'
import { viewOf, World } from './world.ts'

interface GoldenFrame {
  readonly name: string
  readonly frame: Record<string, unknown> & {
    readonly kind: FrameKind
    readonly entries?: readonly { readonly group: string; readonly members: readonly [number, number][] }[]
  }
  readonly head: string
  readonly fields: string
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/routing/registry-frames.json', import.meta.url), 'utf8'),
) as { readonly node: string; readonly creation: number; readonly frames: readonly GoldenFrame[] }

function frameOf({ frame }: GoldenFrame): Frame {
  const { entries, ...rest } = frame
  if (!entries) return rest as unknown as Frame
  const pidOf = ([worker, index]: [number, number]) => new Pid(golden.node, golden.creation, worker, index)
  const real = entries.map(({ group, members }) => ({ group, pids: members.map(pidOf) }))
  return { ...rest, entries: real } as unknown as Frame
}

const head = encodeHead(FrameKind.join, 2)
const joinOf = (fields: unknown) => Buffer.concat([head, Buffer.from(encode(fields))])

describe('registry frames', () => {
  it('number their kinds for good, before five bytes of head', () => {
    expect(FrameKind).toEqual({ discover: 1, sync: 2, join: 3, leave: 4 })
    expect(frameHeadBytes).toBe(5)
  })

  it.each(golden.frames)('$name: golden bytes', each => {
    const frame = frameOf(each)
    expect(Buffer.from(encodeHead(frame.kind, golden.creation)).toString('hex')).toBe(each.head)
    expect(Buffer.from(encodeFrame(frame)).toString('hex')).toBe(each.fields)
    const body = Buffer.from(each.head + each.fields, 'hex')
    expect(creationOf(body)).toBe(golden.creation)
    expect(decodeFrame(body, golden.node, golden.creation)).toEqual(frame)
  })

  it.each(golden.frames)(
    '$name: nothing comes of it when it is cut short or has something behind it',
    each => {
      const body = Buffer.from(each.head + each.fields, 'hex')
      for (let length = 0; length < body.length; length++) {
        expect(decodeFrame(body.subarray(0, length), 'b', 1)).toBeUndefined()
      }
      expect(decodeFrame(Buffer.concat([body, Buffer.alloc(1)]), 'b', 1)).toBeUndefined()
    },
  )
})

describe('cutting into parts', () => {
  const entry = (group: string, count: number) => ({
    group,
    pids: Array.from({ length: count }, (_, index) => new Pid('a', 1, 0, index + 1)),
  })

  it('lets a group stretch over several', () => {
    const parts = [...inParts([entry('x', 4), entry('y', 1), entry('z', 7)], routingForTests)]
    const shape = parts.map(part => part.map(({ group, pids }) => `${group}${pids.length}`).join(' '))
    expect(shape).toEqual(['x3', 'x1 y1 z1', 'z3', 'z3'])
  })

  it('keeps to the bytes too, but for a group whose name alone is longer', () => {
    const long = 'n'.repeat(100)
    const parts = [...inParts([entry(long, 2), entry('y', 1), entry('z', 1)], routingForTests)]
    expect(parts.map(part => part.map(({ group }) => group.slice(0, 1)).join(' '))).toEqual(['n', 'n', 'y z'])
  })

  it('makes nothing of nothing', () => {
    expect([...inParts([], routingForTests)]).toEqual([])
  })
})

describe('hostile frames', () => {
  const u32 = 0x1_0000_0000
  const bad: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['a head only', head],
    ['an unknown kind', Buffer.concat([encodeHead(9 as FrameKind, 2), Buffer.from(encode(['main', []]))])],
    ['kind 0', Buffer.concat([encodeHead(0 as FrameKind, 2), Buffer.from(encode(['main', []]))])],
    ['no array', joinOf({ 0: 'main', 1: [] })],
    ['no scope', joinOf([7, []])],
    ['an empty scope', joinOf(['', []])],
    ['too many fields', joinOf(['main', [], 1])],
    ['entries that are none', joinOf(['main', 'room'])],
    ['an entry without members', joinOf(['main', [['room']]])],
    ['half a member', joinOf(['main', [['room', 0]]])],
    ['a group without a name', joinOf(['main', [['', 0, 1]]])],
    ['a group with too long a name', joinOf(['main', [['x'.repeat(256), 0, 1]]])],
    ['a group that is an object', joinOf(['main', [[{}, 0, 1]]])],
    ['a worker beyond 255', joinOf(['main', [['room', 256, 1]]])],
    ['an index beyond u32', joinOf(['main', [['room', 0, u32]]])],
    ['a negative index', joinOf(['main', [['room', 0, -1]]])],
    ['half an index', joinOf(['main', [['room', 0, 1.5]]])],
    ['an index as text', joinOf(['main', [['room', 0, '1']]])],
    [
      'a good entry before a bad one',
      joinOf([
        'main',
        [
          ['room', 0, 1],
          ['hall', 0],
        ],
      ]),
    ],
    ['an array of four billion', Buffer.concat([head, Buffer.from('82646d61696e9affffffff', 'hex')])],
    ['a text of a gigabyte', Buffer.concat([head, Buffer.from('827a40000000', 'hex')])],
    ['a deep nest', Buffer.concat([head, Buffer.alloc(100_000, 0x81), Buffer.from([0])])],
    ['a record definition', Buffer.concat([head, Buffer.from('d9dfff83196000816161f5', 'hex')])],
    ['a tag that builds things', joinOf(['main', [['room', 0, /x/]]])],
  ]

  it.each(bad)('%s: counted, and nothing else', (_, bytes) => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    world.link('a', 'b')
    b.registry.join('kept', b.pid(1))
    world.settle()
    world.forge('b', 'a', Channel.registry, Buffer.from(bytes))
    expect(a.registry.counts.bad).toBe(1)
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
    a.registry.receive(stranger, Buffer.concat([encodeHead(FrameKind.discover, 9), encode(['main', true])]))
    expect(a.registry.counts.stale).toBe(1)
  })

  it('a peer cannot have more members than the limit, by joins or by a sync', () => {
    const world = new World({ limits: routingForTests })
    const [a, b] = [world.start('a'), world.start('b')]
    world.link('a', 'b')
    b.registry.join('kept', b.pid(1))
    world.settle()
    const members = Array.from({ length: 64 }, (_, index) => [0, index + 10]).flat()
    world.forge('b', 'a', Channel.registry, joinOf(['main', [['flood', ...members]]]))
    const sync = [
      Buffer.from(encodeHead(FrameKind.sync, 2)),
      encode(['main', 9, 0, true, [['flood', ...members, 0, 1]]]),
    ]
    world.forge('b', 'a', Channel.registry, Buffer.concat(sync))
    expect(a.registry.counts.overLimit).toBe(2)
    expect(viewOf(a)).toEqual({ kept: ['b/2/0/1'] })
  })

  it('a leave of who was never in changes nothing', () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    world.link('a', 'b')
    b.registry.join('kept', b.pid(1))
    world.settle()
    const events: unknown[] = []
    a.registry.monitor(undefined, event => events.push(event))
    const leave = Buffer.concat([
      encodeHead(FrameKind.leave, 2),
      encode([
        'main',
        [
          ['kept', 0, 9],
          ['none', 0, 1],
        ],
      ]),
    ])
    world.forge('b', 'a', Channel.registry, leave)
    expect(events).toEqual([])
    expect(viewOf(a)).toEqual({ kept: ['b/2/0/1'] })
  })

  it('any bytes at all are decoded to a frame or to nothing, never to an error', () => {
    const fields = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.anything().map(safely))
    fc.assert(
      fc.property(fc.nat({ max: 6 }), fields, (kind, bytes) => {
        const frame = decodeFrame(Buffer.concat([Buffer.from([kind, 0, 0, 0, 2]), bytes]), 'b', 2)
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
