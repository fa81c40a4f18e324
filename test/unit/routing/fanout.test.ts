/** Casts to all members of a group: one frame for each node, and one fate for each member. */
import { describe, expect, it } from 'vitest'
import { encode } from '../../../routing/codec.ts'
import { runStart } from '../../../routing/fanout.ts'
import {
  Channel,
  Pid,
  type RoutingOptions,
  routingDefaults,
  routingForTests,
} from '../../../routing/index.ts'
import { Kind } from '../../../routing/message.ts'
import { Lane, Sent } from '../../../transport/index.ts'
import { bytesOf, listOf, messagesOf, printMessages } from './frames.ts'
import { type Node, World } from './world.ts'

/** Nodes a, b and c, linked; each has processes 1, 2 and 3 in the group `room`. */
function room(limits?: RoutingOptions, isGreeted = true) {
  const world = new World(limits ? { limits } : {})
  const nodes = ['a', 'b', 'c'].map(name => world.start(name)) as [Node, Node, Node]
  for (const node of nodes) for (const index of [1, 2, 3]) node.registry.join('room', node.pid(index))
  world.linkAll()
  world.settle()
  if (isGreeted) world.greet()
  world.carried.length = 0
  return { world, a: nodes[0], b: nodes[1], c: nodes[2] }
}

const indices = (node: Node) => node.envelopes.map(({ index }) => index).sort()

describe('a cast to all', () => {
  it('is one frame for each other node, whatever its members there', () => {
    const { world, a, b, c } = room()
    b.registry.join('room', b.pid(2))
    world.settle()
    world.carried.length = 0
    expect(a.router.castAll('room', { text: 'hello' }, { from: a.pid(9) })).toBe(10)
    world.settle()
    expect(printMessages(world).sort()).toEqual(['a>b fanout', 'a>c fanout'])
    expect([a, b, c].map(indices)).toEqual([
      [1, 2, 3],
      [1, 2, 2, 3],
      [1, 2, 3],
    ])
    for (const { envelope } of b.envelopes) {
      expect(envelope.message).toEqual({ text: 'hello' })
      expect(envelope).toMatchObject({ isCall: false, fromNode: 'a', from: a.pid(9) })
    }
    expect(a.router.counts).toMatchObject({ ok: 10, fannedOut: 2 })
    expect(b.router.counts).toMatchObject({ delivered: 4, undelivered: 0 })
  })

  it('is decoded once there, and its processes get the same message', () => {
    const { world, a, b } = room()
    a.router.castAll('room', { text: 'hello' })
    world.settle()
    expect(new Set(b.messages).size).toBe(1)
  })

  it('goes out on the lane that was asked for', () => {
    const { world, a } = room()
    a.router.castAll('room', 1, { lane: Lane.bulk })
    world.settle()
    expect(world.carried.map(({ lane }) => lane)).toEqual([Lane.bulk, Lane.bulk])
  })

  it('to a node with one member is a plain cast', () => {
    const { world, a, b } = room()
    for (const index of [1, 2]) b.registry.leave('room', b.pid(index))
    world.settle()
    world.carried.length = 0
    a.router.castAll('room', 'hello')
    world.settle()
    expect(printMessages(world).sort()).toEqual(['a>b cast "hello"', 'a>c fanout'])
    expect(indices(b)).toEqual([3])
  })

  it('carries one large byte string, and one that is empty, to all', () => {
    const { world, a, b } = room()
    const large = Buffer.alloc(20_000, 3)
    a.router.castAll('room', large)
    a.router.castAll('room', Buffer.alloc(0))
    world.settle()
    expect(b.messages).toHaveLength(6)
    for (const message of b.messages.slice(0, 3))
      expect(Buffer.from(message as Uint8Array).equals(large)).toBe(true)
    for (const message of b.messages.slice(3)) expect(message).toHaveLength(0)
  })

  it('of what cannot be encoded reaches nobody', () => {
    const { world, a } = room()
    expect(() => a.router.castAll('room', { run: () => 1 })).toThrow(/^send to room: failed/)
    expect(world.carried).toEqual([])
    expect(a.envelopes).toEqual([])
  })

  it('needs a second frame for members beyond the limit of one', () => {
    const { world, a, b } = room(routingForTests)
    for (const index of [4, 5, 6, 7]) b.registry.join('room', b.pid(index))
    world.settle()
    world.carried.length = 0
    a.router.castAll('room', 'hello')
    world.settle()
    expect(routingForTests.fanoutMembersMax).toBe(3)
    expect(printMessages(world).sort()).toEqual([
      'a>b cast "hello"',
      'a>b fanout',
      'a>b fanout',
      'a>c fanout',
    ])
    expect(indices(b)).toEqual([1, 2, 3, 4, 5, 6, 7])
  })
})

describe('the fates of a cast to all', () => {
  it('are one for each member: what a node refuses counts as often as it has members', () => {
    const { world, a, b, c } = room()
    world.admit = ({ to }) => (to === 'c' ? Sent.nosuspend : Sent.ok)
    expect(a.router.castAll('room', 1)).toBe(6)
    world.settle()
    expect(a.router.counts).toMatchObject({ ok: 6, nosuspend: 3, fannedOut: 1 })
    expect(b.router.counts.delivered + c.router.counts.delivered).toBe(3)
  })

  it('to members that have ended meanwhile are undelivered there, and to full ones', () => {
    const { world, a, b } = room()
    b.accept = (index, envelope) => {
      if (index === 2) envelope.refuse('overload')
      return index === 1
    }
    a.router.castAll('room', 1)
    world.settle()
    expect(indices(b)).toEqual([1])
    expect(b.router.counts).toMatchObject({ delivered: 1, undelivered: 2, answersLost: 0 })
  })

  it('are those of the members that the sender sees: who has just joined over there is not reached', () => {
    const { world, a, b } = room()
    a.router.castAll('room', 1)
    b.registry.join('room', b.pid(9))
    world.settle()
    expect(indices(b)).toEqual([1, 2, 3])
  })

  it('are none for members that are not published to the sender’s cluster', () => {
    const world = new World({ places: { b: { cluster: 'other', datacenter: 'dc2' } } })
    const [a, b] = [world.start('a'), world.start('b')]
    for (const index of [1, 2]) b.registry.join('hidden', b.pid(index))
    world.linkAll()
    world.settle()
    world.greet()
    expect(a.router.castAll('hidden', 1)).toBe(0)
    world.settle()
    expect(b.envelopes).toEqual([])
  })

  it('to a node whose link is lost are noconnect', () => {
    const { world, a } = room()
    world.lose('a', 'b')
    expect(a.registry.members('room')).toHaveLength(9)
    expect(a.router.castAll('room', 1)).toBe(6)
    expect(a.router.counts).toMatchObject({ ok: 6, noconnect: 3 })
  })
})

describe('a peer that has not said which kinds it takes', () => {
  it('gets a cast for each of its members', () => {
    const { world, a, b } = room(undefined, false)
    expect(a.router.castAll('room', 'hello')).toBe(9)
    world.settle()
    expect(new Set(messagesOf(world).map(({ header }) => header.kind))).toEqual(new Set([Kind.cast]))
    expect(messagesOf(world)).toHaveLength(6)
    expect(indices(b)).toEqual([1, 2, 3])
    expect(a.router.counts).toMatchObject({ ok: 9, fannedOut: 0 })
  })

  it('is believed once it says so, for all the links of that start', () => {
    const { world, a } = room(undefined, false)
    const kinds = (kindMax: number) => bytesOf({ kind: Kind.kinds, targetCreation: 1, targetIndex: kindMax })
    const fannedOut = () => {
      const before = a.router.counts.fannedOut
      a.router.castAll('room', 1)
      world.settle()
      return a.router.counts.fannedOut - before
    }
    world.forge('b', 'a', Channel.message, kinds(Kind.refusal))
    expect(fannedOut()).toBe(0)
    world.forge('b', 'a', Channel.message, kinds(Kind.fanout))
    expect(fannedOut()).toBe(1)
    world.lose('a', 'b')
    world.link('a', 'b')
    world.settle()
    expect(fannedOut()).toBe(1)
    const next = world.start('b')
    for (const index of [1, 2]) next.registry.join('room', next.pid(index))
    world.link('a', 'b')
    world.settle()
    expect(fannedOut()).toBe(0)
  })

  it('is told ours at every link, for what was said last may be lost with its link', () => {
    const { world, a, b } = room(undefined, false)
    for (const [self, other] of [[a, 'b'] as const, [b, 'a'] as const])
      self.router.peerUp(self.links.get(other)!)
    world.lose('a', 'b')
    world.link('a', 'b')
    world.greet()
    expect(b.router.counts.kindsHeard).toBe(2)
    world.carried.length = 0
    a.router.castAll('room', 1)
    expect(printMessages(world).filter(text => text.startsWith('a>b'))).toEqual(['a>b fanout'])
  })

  it('is told ours later when that was refused, as long as it is linked', () => {
    const { world, a, b, c } = room(undefined, false)
    world.admit = ({ from }) => (from === 'a' ? Sent.nosuspend : Sent.ok)
    world.greet()
    expect(b.router.counts.kindsHeard).toBe(1)
    world.lose('a', 'c')
    world.admit = () => Sent.ok
    world.advance(routingDefaults.retryMs)
    expect(b.router.counts.kindsHeard).toBe(2)
    expect(c.router.counts.kindsHeard).toBe(1)
    world.advance(60_000)
    expect(printMessages(world).filter(text => text === 'a>b kinds')).toHaveLength(1)
    expect(world.time.pendingTimers).toBe(0)
    expect(a.router.counts.kindsHeard).toBe(2)
  })

  it('is told nothing any more by a router that has stopped', () => {
    const { world, a } = room(undefined, false)
    world.admit = () => Sent.nosuspend
    world.greet()
    a.router.stop()
    expect(printMessages(world)).toEqual([])
    world.admit = () => Sent.ok
    world.advance(routingDefaults.retryMs)
    expect(printMessages(world).filter(text => text.startsWith('a>'))).toEqual([])
  })
})

describe('a fan-out that should not be', () => {
  const header = { kind: Kind.fanout, targetCreation: 2, targetIndex: 2 } as const
  const hello = Buffer.from(encode('hello'))

  it.each([
    ['claims a million members', { targetIndex: 1_000_000 }, hello, { bad: 1 }],
    ['claims more than there can be', { targetIndex: 0xffff_ffff }, hello, { bad: 1 }],
    ['lists nobody', { targetIndex: 0 }, hello, { bad: 1 }],
    ['ends within its list', {}, Buffer.alloc(9), { bad: 1 }],
    ['has a reference', { reference: 1 }, Buffer.concat([Buffer.alloc(10), hello]), { bad: 1 }],
    [
      'has a flag that must be understood',
      { flags: 0x10 },
      Buffer.concat([Buffer.alloc(10), hello]),
      { bad: 1 },
    ],
    ['has a list and no message', {}, Buffer.alloc(10), { malformed: 2 }],
    ['has a message that cannot be read', {}, Buffer.alloc(11, 0xff), { malformed: 2 }],
    ['is for another start', { targetCreation: 9 }, Buffer.concat([Buffer.alloc(10), hello]), { stale: 2 }],
  ])('%s: counted, and harmless', (_, fields, payload, counts) => {
    const { world, b } = room()
    const before = { ...b.router.counts }
    world.forge('a', 'b', Channel.message, bytesOf({ ...header, ...fields }, payload))
    world.settle()
    expect(b.router.counts).toEqual({ ...before, ...counts })
    expect(b.envelopes).toEqual([])
    expect(world.carried).toEqual([])
  })

  it('that really lists more members than one frame may is refused whole', () => {
    const { world, b } = room(routingForTests)
    const list = listOf(...[1, 2, 3, 1].map(index => b.pid(index)))
    world.forge(
      'a',
      'b',
      Channel.message,
      bytesOf({ ...header, targetIndex: 4 }, Buffer.concat([list, hello])),
    )
    expect(b.router.counts.bad).toBe(1)
    expect(b.envelopes).toEqual([])
  })

  it('reaches, at worst, processes that its sender could have named one by one', () => {
    const { world, b } = room()
    b.accept = index => index === 1
    const list = listOf(b.pid(1), b.pid(0xffff_ffff, 255))
    world.forge('a', 'b', Channel.message, bytesOf(header, Buffer.concat([list, hello])))
    expect(b.messages).toEqual(['hello'])
    expect(b.router.counts).toMatchObject({ delivered: 1, undelivered: 1 })
  })
})

it('a run of members ends where another node begins, though it was started in the same moment', () => {
  const targets = ['b', 'b', 'c', 'c', 'c'].map((node, index) => new Pid(node, 7, 0, index + 1))
  expect(runStart(targets, 5, 0)).toBe(2)
  expect(runStart(targets, 2, 0)).toBe(0)
  expect(runStart(targets, 5, 3)).toBe(3)
  expect(runStart([new Pid('b', 6, 0, 1), ...targets.slice(0, 1)], 2, 0)).toBe(1)
})
