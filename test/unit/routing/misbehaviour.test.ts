/** Peers that do what no honest one does: they are cut off with a reason, and harm nobody else. Where they cannot be cut off, all ends well too. */
import { describe, expect, it } from 'vitest'
import { encode } from '../../../routing/codec.ts'
import { type Entry, encodeHead, FrameKind } from '../../../routing/exchange.ts'
import {
  Channel,
  type Link,
  type RoutingOptions,
  routingDefaults,
  routingForTests,
} from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { texts, viewOf, World } from './world.ts'

/** A victim a, an evil b and an innocent c, all linked, each with a member. */
function besieged(limits: RoutingOptions = routingDefaults, cutsOff = true) {
  const world = new World({ limits })
  world.cutsOff = cutsOff
  const [a, b, c] = [world.start('a'), world.start('b'), world.start('c')]
  world.linkAll()
  for (const node of [a, b, c]) node.registry.join('room', node.pid(1))
  world.settle()
  const say = (kind: FrameKind, fields: unknown) =>
    world.forge('b', 'a', Channel.registry, Buffer.concat([encodeHead(kind, b.creation), encode(fields)]))
  return { world, a, b, c, say }
}

const members = (count: number, first = 100): Entry => [
  'flood',
  ...Array.from({ length: count }, (_, index) => [0, first + index, 1]).flat(),
]

describe('a peer that', () => {
  it('sends garbage is cut off, and its members wait for its return as after any loss', () => {
    const { world, a, say } = besieged()
    say(FrameKind.sync, 'garbage')
    expect(world.cutOffs).toEqual([expect.stringContaining('a cut off b: garbage')])
    expect(a.events).toContain('cut off b: garbage')
    expect(a.registry.counts.cutOffGarbage).toBe(1)
    expect(viewOf(a)).toEqual({ room: ['a/1/0/1', 'b/2/0/1', 'c/3/0/1'] })
    world.advance(routingDefaults.graceMs)
    expect(viewOf(a)).toEqual({ room: ['a/1/0/1', 'c/3/0/1'] })
  })

  it('says a smaller number than before is cut off', () => {
    const { world, say } = besieged()
    say(FrameKind.state, [['main', 0, 0, 0, 0]])
    expect(world.cutOffs).toEqual(['a cut off b: numbers: main went back from 1 to 0'])
  })

  it('skips numbers is asked again, and corrected', () => {
    const { world, a, b, say } = besieged()
    say(FrameKind.change, ['main', 0, 7, 8, [['hall', 0, 9, 1]]])
    expect(a.registry.counts.gaps).toBe(1)
    expect(a.registry.whichGroups()).toEqual(['room'])
    world.settle()
    expect(a.events.slice(-2)).toEqual(['differed b main: gap', 'repaired b main: gap'])
    expect(world.cutOffs).toEqual([])
    expect(viewOf(a)).toEqual(viewOf(b))
  })

  it('claims members that it later knows nothing of is corrected by its own digest', () => {
    const { world, a, b, say } = besieged()
    say(FrameKind.change, ['main', 0, 1, 2, [['hall', 0, 9, 1]]])
    expect(a.registry.whichGroups()).toContain('hall')
    world.cutsOff = false
    world.advance(routingDefaults.digestMs * 1.3)
    world.link('a', 'b')
    world.advance(routingDefaults.digestMs * 1.3)
    expect(viewOf(a)).toEqual(viewOf(b))
  })

  it('skips numbers again and again is cut off', () => {
    const { world, a, say } = besieged()
    for (let times = 0; times < 100; times++) {
      say(FrameKind.state, [['main', 0, 100 + times, 1, 2]])
      world.settle()
    }
    expect(world.cutOffs).toEqual(['a cut off b: numbers: main still differs: behind'])
    expect(a.registry.counts.differences).toBe(routingDefaults.asksBurst)
  })

  it('sends syncs whose digest is wrong is asked for another, and in the end cut off', () => {
    const { world, a, say } = besieged()
    for (let times = 0; times < 100; times++) {
      say(FrameKind.sync, ['main', 0, 100 + times, 1, 2, 0, true, [['hall', 0, 9, 1]]])
    }
    expect(a.registry.whichGroups()).toEqual(['room'])
    expect(a.registry.counts.damaged).toBe(routingDefaults.asksBurst + 1)
    expect(world.cutOffs).toEqual(['a cut off b: numbers: main still differs: damaged'])
  })

  it('sends more bytes than anyone needs is cut off', () => {
    const { world, a, say } = besieged(routingForTests)
    for (let times = 0; times < 10_000; times++) say(FrameKind.discover, [])
    expect(world.cutOffs).toEqual(['a cut off b: flood: too many bytes'])
    expect(a.registry.counts.cutOffFlood).toBe(1)
  })

  it('joins and leaves without end is cut off', () => {
    const { world, say } = besieged({ ...routingForTests, peerBytesBurst: 1e9 })
    for (let number = 1; number < 1_000; number++) {
      say(FrameKind.change, ['main', 0, number * 50, number * 50 + 50, [members(50)]])
    }
    expect(world.cutOffs).toEqual(['a cut off b: flood: too many members'])
  })

  it('lets one process join and leave a thousand times over without end is cut off', () => {
    const limits = { ...routingForTests, nodeMembersMax: 5_000, peerBytesBurst: 1e9 }
    const { world, say } = besieged(limits)
    for (let number = 1; number < 20; number++) {
      say(FrameKind.change, ['main', 0, number, number + 1, [['hall', 0, 9, number % 2 === 0 ? 1 : 1_000]]])
    }
    expect(world.cutOffs).toEqual(['a cut off b: flood: too many members'])
  })

  it('asks without end gets no more than a few answers', () => {
    const { world, say } = besieged()
    world.carried.length = 0
    for (let times = 0; times < 1_000; times++) {
      say(FrameKind.discover, [['main', false]])
      world.settle()
    }
    const syncs = world.registryFrames.filter(frame => frame === 'a>b sync')
    expect(syncs.length).toBeLessThanOrEqual(routingDefaults.asksBurst)
    world.advance(10_000)
    const later = world.registryFrames.filter(frame => frame === 'a>b sync')
    expect(later.length - syncs.length).toBe(1)
  })

  it('is cut off is not listened to any more, and comes back as if nothing had been', () => {
    const { world, a, b, say } = besieged()
    say(FrameKind.change, 7)
    const { received } = a.registry.counts
    b.registry.join('hall', b.pid(2))
    world.settle()
    expect(a.registry.counts.received).toBe(received)
    world.link('a', 'b')
    world.settle()
    expect(viewOf(a)).toEqual(viewOf(b))
  })

  it('is cut off is heard no more, even while its link still ends', () => {
    const { a } = besieged()
    const cutOffs: string[] = []
    const link: Link = { node: 'x', creation: 9, send: () => Sent.ok, cutOff: detail => cutOffs.push(detail) }
    a.registry.peerUp(link)
    const garbage = Buffer.concat([encodeHead(FrameKind.sync, 9), encode(7)])
    const empty = Buffer.concat([encodeHead(FrameKind.sync, 9), encode(['main', 0, 0, 0, 0, 0, true, []])])
    for (const frame of [garbage, garbage, empty]) a.registry.receive(link, frame)
    expect(cutOffs).toEqual(['garbage: no frame: 6 bytes, kind 7'])
    expect(a.registry.counts.bad).toBe(1)
    expect(a.registry.digests().some(({ node }) => node === 'x')).toBe(false)
  })

  it('does any of this where links cannot be cut off changes nothing in the end', () => {
    const { world, a, b, c, say } = besieged(routingForTests, false)
    for (let number = 1; number < 50; number++) {
      say(FrameKind.change, ['main', 0, number, number + 9, [['hall', 0, number, 1]]])
      say(FrameKind.sync, ['main', 0, number, 1, 2, 0, true, [members(5)]])
      say(FrameKind.state, [['main', 0, number * 3, 1, 2]])
      say(FrameKind.state, [])
      say(FrameKind.change, [members(5)])
      world.settle()
      expect(viewOf(c)).toEqual({ room: ['a/1/0/1', 'b/2/0/1', 'c/3/0/1'] })
    }
    world.advance(60_000)
    expect(viewOf(a)).toEqual(viewOf(b))
    expect(viewOf(a)).toEqual(viewOf(c))
  })
})

describe('an honest peer', () => {
  it('with a storm of 100,000 joins, leaves and joins again is never cut off', () => {
    const { world, a, b } = besieged()
    for (let round = 0; round < 2; round++) {
      for (let index = 1; index <= 100_000; index++) b.registry.join(`room-${index % 100}`, b.pid(index))
      world.settle()
      if (round > 0) break
      for (let index = 1; index <= 100_000; index++) b.registry.leave(`room-${index % 100}`, b.pid(index))
      world.settle()
    }
    expect(world.cutOffs).toEqual([])
    expect(a.registry.counts.differences).toBe(0)
    expect(viewOf(a)).toEqual(viewOf(b))
  })

  it('with as many members as it may have, in groups with the longest names and metadata, is no flood', () => {
    const thousandth = (limit: number) => limit / 1_000
    const { nodeMembersMax, peerBytesPerSecond, peerBytesBurst, peerMembersPerSecond, peerMembersBurst } =
      routingDefaults
    const world = new World({
      limits: {
        ...routingDefaults,
        nodeMembersMax: thousandth(nodeMembersMax),
        peerBytesPerSecond: thousandth(peerBytesPerSecond),
        peerBytesBurst: thousandth(peerBytesBurst),
        peerMembersPerSecond: thousandth(peerMembersPerSecond),
        peerMembersBurst: thousandth(peerMembersBurst),
      },
    })
    world.cutsOff = true
    const [a, b] = [world.start('a'), world.start('b')]
    const meta = { weight: 0.1, zone: '語'.repeat(64), version: '版'.repeat(64), draining: false }
    for (let index = 0; index < thousandth(nodeMembersMax); index++) {
      b.registry.join('組'.repeat(251) + (1_000 + index), b.pid(0xffff_0000 + index, 200), meta)
    }
    world.link('a', 'b')
    world.settle()
    expect(world.cutOffs).toEqual([])
    expect(a.registry.held('main', 'b')?.size).toBe(thousandth(nodeMembersMax))
  })

  it('that counts references, with one process that joined ten thousand times, may change that as often as any', () => {
    const { world, a, b } = besieged()
    const process = b.pid(2)
    for (let times = 0; times < 10_000; times++) b.registry.join('room', process)
    world.settle()
    for (let times = 0; times < 1_000; times++) {
      if (times % 2 === 0) b.registry.leave('room', process)
      else b.registry.join('room', process)
      world.settle()
    }
    expect(world.cutOffs).toEqual([])
    expect(a.registry.members('room')).toHaveLength(10_003)
  })

  it('that is compared with for an hour agrees each time', () => {
    const { world, a, b } = besieged()
    world.advance(3_600_000)
    expect(world.cutOffs).toEqual([])
    for (const { registry } of [a, b]) {
      expect(registry.counts.differences).toBe(0)
      // Two peers, every 3.75 to 6.25 s.
      expect(registry.counts.agreed).toBeGreaterThan((2 * 3_600_000) / 6_250)
    }
  })

  it('whose changes come twice, and late once more, is believed once', () => {
    const { world, a, b } = besieged()
    const seen: string[] = []
    a.registry.monitor(undefined, ({ kind, group }) => seen.push(`${kind} ${group}`))
    const changes: Uint8Array[] = []
    world.carries = ({ from, to, body }) => {
      if (from !== 'b' || to !== 'a' || body[0] !== FrameKind.change) return [body]
      changes.push(body)
      return [body, body]
    }
    for (const group of ['hall', 'cellar']) {
      b.registry.join(group, b.pid(2))
      world.settle()
    }
    b.registry.leave('hall', b.pid(2))
    world.settle()
    world.forge('b', 'a', Channel.registry, Buffer.from(changes[0]!))
    world.settle()
    expect(seen).toEqual(['join hall', 'join cellar', 'leave hall'])
    expect(a.registry.counts.duplicates).toBe(4)
    expect(a.registry.counts.differences).toBe(0)
    expect(viewOf(a)).toEqual(viewOf(b))
  })

  it('whose last frame was lost is found out by its next state', () => {
    const { world, a, b } = besieged()
    // In the first round nothing is compared: the link is too young.
    world.advance(routingDefaults.digestMs * 1.3)
    world.carries = ({ from, to, body }) => (from === 'b' && to === 'a' ? [] : [body])
    b.registry.join('hall', b.pid(2))
    world.settle()
    world.carries = ({ body }) => [body]
    expect(a.registry.whichGroups()).toEqual(['room'])
    world.advance(routingDefaults.digestMs * 1.3)
    expect(viewOf(a)).toEqual(viewOf(b))
    expect(a.events.slice(-2)).toEqual(['differed b main: behind', 'repaired b main: behind'])
    // The difference came by number, not as a sync.
    expect(a.registry.counts.syncs).toBe(2)
  })

  it('of whom something else is held at the same number is asked for a sync, and nobody else', () => {
    const { world, a, b, c } = besieged(routingDefaults, false)
    world.advance(routingDefaults.digestMs * 1.3)
    world.carries = ({ from, to, body }) => {
      if (from !== 'b' || to !== 'a' || body[0] !== FrameKind.change) return [body]
      // The group's name, in which one letter is another now; and no digest, as in a frame that more follow.
      const fields = ['main', 0, 1, 2, [['hull', 0, 2, 1]]]
      return [Buffer.concat([encodeHead(FrameKind.change, b.creation), encode(fields)])]
    }
    b.registry.join('hall', b.pid(2))
    world.settle()
    world.carries = ({ body }) => [body]
    expect(viewOf(a).hull).toEqual(['b/2/0/2'])
    const { syncs } = a.registry.counts
    world.advance(routingDefaults.digestMs * 1.3)
    expect(a.registry.counts.syncs).toBe(syncs + 1)
    expect(viewOf(a)).toEqual(viewOf(b))
    expect(a.events.slice(-2)).toEqual(['differed b main: digest', 'repaired b main: digest'])
    expect(c.registry.counts.differences).toBe(0)
  })

  it('that never stops changing is repaired all the same: a wrong digest is asked about without a standing', () => {
    const { world, a, b } = besieged()
    let changes = 0
    const churn = () => {
      if (changes++ % 2 === 0) b.registry.join('other', b.pid(5))
      else b.registry.leave('other', b.pid(5))
    }
    let isDamaged = false
    world.carries = ({ from, to, body }) => {
      // While the question is under way, the owner changes something else.
      if (from === 'a' && to === 'b' && body[0] === FrameKind.discover) {
        churn()
        b.registry.flush()
      }
      if (from !== 'b' || to !== 'a' || body[0] !== FrameKind.change || isDamaged) return [body]
      isDamaged = true
      const copy = Buffer.from(body)
      // The index of the process that joined.
      copy[copy.length - 2] = 9
      return [copy]
    }
    b.registry.join('room', b.pid(2))
    world.settle()
    expect(isDamaged).toBe(true)
    for (let round = 0; round < 20; round++) {
      churn()
      world.advance(100)
    }
    expect(texts(a.registry.members('room'))).toEqual(texts(b.registry.members('room')))
    expect(a.events.slice(-2)).toEqual(['differed b main: digest', 'repaired b main: digest'])
    expect(a.registry.counts.differences).toBe(1)
  })
})
