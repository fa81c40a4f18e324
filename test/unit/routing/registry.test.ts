/** The registry, incident by incident; the names in capitals are those of OTP's pg_SUITE. */
import { describe, expect, it } from 'vitest'
import { encode } from '../../../routing/codec.ts'
import { encodeHead, FrameKind } from '../../../routing/exchange.ts'
import {
  Channel,
  type GroupEvent,
  type Link,
  Pid,
  Registry,
  routingForTests,
} from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { texts, viewOf, World } from './world.ts'

/** Nodes a, b, ... of one world, all linked, and quiet. */
function linked(...names: string[]) {
  const world = new World()
  const nodes = names.map(name => world.start(name))
  world.linkAll()
  world.settle()
  return { world, nodes }
}

/** Watches all groups of a node; events as texts like `join room a/1/0/1`. */
function watched(node: ReturnType<World['start']>): string[] {
  const seen: string[] = []
  node.registry.monitor(undefined, ({ kind, group, pids }) =>
    seen.push(`${kind} ${group} ${texts(pids).join(' ')}`),
  )
  return seen
}

describe('groups of one node', () => {
  it('DOUBLE: a process that joined twice is listed twice and must leave twice', () => {
    const a = new World().start('a')
    const pid = a.pid(1)
    a.registry.join('room', pid)
    a.registry.join('room', pid)
    expect(a.registry.members('room')).toEqual([pid, pid])
    expect(a.registry.leave('room', pid)).toBe(true)
    expect(a.registry.members('room')).toEqual([pid])
    expect(a.registry.leave('room', pid)).toBe(true)
    expect(a.registry.leave('room', pid)).toBe(false)
  })

  it('has no empty groups', () => {
    const a = new World().start('a')
    a.registry.join('room', a.pid(1))
    a.registry.leave('room', a.pid(1))
    expect(a.registry.whichGroups()).toEqual([])
    expect(a.registry.members('room')).toEqual([])
  })

  it('LEAVE_EXIT_RACE: leaving before and after the end of a process come to the same', () => {
    const a = new World().start('a')
    for (const order of [
      ['leave', 'end'],
      ['end', 'leave'],
    ]) {
      a.registry.join('room', a.pid(1))
      const left = order.map(step =>
        step === 'leave' ? a.registry.leave('room', a.pid(1)) : a.registry.leaveAll(a.pid(1)),
      )
      expect(left.includes(order[0] === 'leave')).toBe(true)
      expect(a.registry.whichGroups()).toEqual([])
    }
  })

  it('the end of a process takes it out of all its groups, in every scope, however often it joined', () => {
    const a = new World().start('a')
    for (const group of ['x', 'y', 'y']) a.registry.join(group, a.pid(1))
    a.registry.scope('other').join('z', a.pid(1))
    a.registry.join('x', a.pid(2))
    const seen = watched(a)
    a.registry.leaveAll(a.pid(1))
    a.registry.leaveAll(a.pid(1))
    expect(seen).toEqual(['leave x a/1/0/1', 'leave y a/1/0/1 a/1/0/1'])
    expect(viewOf(a)).toEqual({ x: ['a/1/0/2'] })
    expect(a.registry.scope('other').whichGroups()).toEqual([])
  })

  it('PROCESS_OWNER_CHECK: only its own processes join', () => {
    const a = new World().start('a')
    expect(() => a.registry.join('room', new Pid('b', 1, 0, 1))).toThrow(
      "join room: only a's own processes may: b/1/0/1",
    )
    expect(() => a.registry.join('room', new Pid('a', 99, 0, 1))).toThrow('a/99/0/1')
    expect(a.registry.leave('room', new Pid('b', 1, 0, 1))).toBe(false)
    expect(a.registry.whichGroups()).toEqual([])
  })

  it('ERRORS: a group must have a name of 1 to 255 characters', () => {
    const a = new World().start('a')
    expect(() => a.registry.join('', a.pid(1))).toThrow(TypeError)
    expect(() => a.registry.join('x'.repeat(256), a.pid(1))).toThrow(TypeError)
    expect(() => a.registry.join('half a pair: \ud83d', a.pid(1))).toThrow(TypeError)
    expect(() => a.registry.scope('')).toThrow(TypeError)
    expect(() => a.registry.join('x'.repeat(255), a.pid(1))).not.toThrow()
  })

  it('a node has only so many members: more would get it cut off', () => {
    const a = new World({ limits: routingForTests }).start('a')
    for (let index = 1; index <= 64; index++) a.registry.join(`room-${index % 3}`, a.pid(index))
    expect(() => a.registry.join('room', a.pid(65))).toThrow('join room: this node has 64 members already')
    a.registry.leave('room-1', a.pid(1))
    expect(() => a.registry.join('room', a.pid(65))).not.toThrow()
  })

  it('a list that was handed out never changes', () => {
    const a = new World().start('a')
    a.registry.join('room', a.pid(1))
    const before = a.registry.members('room')
    a.registry.join('room', a.pid(2))
    expect(texts(before)).toEqual(['a/1/0/1'])
    expect(a.registry.members('room')).toHaveLength(2)
  })

  it('looking twice gives the very same list', () => {
    const { nodes } = linked('a', 'b')
    const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
    a.registry.join('room', a.pid(1))
    b.registry.join('room', b.pid(1))
    expect(a.registry.members('room')).toBe(a.registry.members('room'))
    expect(a.registry.localMembers('room')).toBe(a.registry.localMembers('room'))
    expect(a.registry.members('none')).toBe(a.registry.members('nothing'))
  })
})

describe('nodes that see each other', () => {
  it('TWO, INITIAL: members that joined before and after the link are seen on both', () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    a.registry.join('room', a.pid(1))
    world.link('a', 'b')
    world.settle()
    b.registry.join('room', b.pid(7, 2))
    world.settle()
    expect(viewOf(a)).toEqual({ room: ['a/1/0/1', 'b/2/2/7'] })
    expect(viewOf(b)).toEqual(viewOf(a))
    expect(texts(b.registry.localMembers('room'))).toEqual(['b/2/2/7'])
  })

  it('a link costs four frames a pair, and a turn of the loop one frame a peer', () => {
    const { world, nodes } = linked('a', 'b', 'c')
    const a = nodes[0]!
    expect(world.registryFrames).toHaveLength(3 * 4)
    world.carried.length = 0
    for (let index = 1; index <= 50; index++) a.registry.join(`room-${index}`, a.pid(index))
    world.settle()
    expect(world.registryFrames).toEqual(['a>b change', 'a>c change'])
    world.carried.length = 0
    for (let index = 1; index <= 50; index++) a.registry.leave(`room-${index}`, a.pid(index))
    a.registry.join('last', a.pid(1))
    world.settle()
    expect(world.registryFrames).toEqual(['a>b change', 'a>c change'])
  })

  it('what joins and leaves within one turn is never mentioned', () => {
    const { world, nodes } = linked('a', 'b')
    const a = nodes[0]!
    world.carried.length = 0
    a.registry.join('room', a.pid(1))
    a.registry.leave('room', a.pid(1))
    world.settle()
    expect(world.registryFrames).toEqual([])
  })

  it('EMPTY_GROUP_BY_REMOTE_LEAVE: a group whose last member left elsewhere is gone here', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    a.registry.join('room', a.pid(1))
    world.settle()
    a.registry.leave('room', a.pid(1))
    world.settle()
    expect(b.registry.whichGroups()).toEqual([])
  })

  it('GROUP_LEAVE: sixteen joins, four leaves, then the node stops and the group is gone', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    for (let index = 1; index <= 16; index++) b.registry.join('room', b.pid(index))
    world.settle()
    for (let index = 1; index <= 4; index++) b.registry.leave('room', b.pid(index))
    world.settle()
    expect(a.registry.members('room')).toHaveLength(12)
    world.cut('a', 'b')
    expect(a.registry.whichGroups()).toEqual([])
  })

  it('the death of a node costs no frame, and one event a group', () => {
    const { world, nodes } = linked('a', 'b', 'c')
    const [a, b] = [nodes[0]!, nodes[1]!]
    for (let index = 1; index <= 100; index++) b.registry.join('room', b.pid(index))
    b.registry.join('hall', b.pid(1))
    world.settle()
    const events: GroupEvent[] = []
    a.registry.monitor(undefined, event => events.push(event))
    world.carried.length = 0
    world.cut('a', 'b')
    world.cut('b', 'c')
    world.settle()
    expect(events.map(({ kind, group, pids }) => `${kind} ${group} ${pids.length}`)).toEqual([
      'leave room 100',
      'leave hall 1',
    ])
    expect(world.registryFrames).toEqual([])
  })

  it('never passes on what it learned: without a link there is no view', () => {
    const world = new World()
    const [a, b, c] = [world.start('a'), world.start('b'), world.start('c')]
    world.link('a', 'b')
    world.link('b', 'c')
    a.registry.join('room', a.pid(1))
    b.registry.join('room', b.pid(1))
    c.registry.join('room', c.pid(1))
    world.settle()
    expect(viewOf(a)).toEqual({ room: ['a/1/0/1', 'b/2/0/1'] })
    expect(viewOf(b)).toEqual({ room: ['a/1/0/1', 'b/2/0/1', 'c/3/0/1'] })
    expect(viewOf(c)).toEqual({ room: ['b/2/0/1', 'c/3/0/1'] })
  })

  it('DYN_DISTRIBUTION: a link to itself makes a node no peer of its own', () => {
    const world = new World()
    const a = world.start('a')
    a.registry.peerUp({ node: 'a', creation: a.creation, send: () => Sent.ok })
    world.settle()
    expect(world.carried).toEqual([])
  })
})

describe('netsplits', () => {
  it('NETSPLIT: what joined and left on either side is known on both after they met again', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    a.registry.join('room', a.pid(1))
    b.registry.join('room', b.pid(1))
    b.registry.join('hall', b.pid(1))
    world.settle()
    world.cut('a', 'b')
    a.registry.join('room', a.pid(2))
    b.registry.leave('room', b.pid(1))
    b.registry.join('cellar', b.pid(3))
    world.settle()
    expect(viewOf(a)).toEqual({ room: ['a/1/0/1', 'a/1/0/2'] })
    world.link('a', 'b')
    world.settle()
    expect(viewOf(a)).toEqual({
      cellar: ['b/2/0/3'],
      hall: ['b/2/0/1'],
      room: ['a/1/0/1', 'a/1/0/2'],
    })
    expect(viewOf(b)).toEqual(viewOf(a))
  })

  it('TRISPLIT, FOURSPLIT: four nodes fall apart, flap, and agree again', () => {
    const { world, nodes } = linked('a', 'b', 'c', 'd')
    for (const node of nodes) node.registry.join('room', node.pid(1))
    world.settle()
    for (const [one, other] of ['ab', 'ac', 'ad', 'bc', 'bd', 'cd']) world.cut(one!, other!)
    for (const node of nodes) {
      node.registry.join(`only-${node.name}`, node.pid(2))
      if (node.name < 'c') node.registry.leave('room', node.pid(1))
    }
    world.link('a', 'b')
    world.cut('a', 'b')
    world.linkAll()
    world.settle()
    expect(viewOf(nodes[0]!)).toEqual({
      'only-a': ['a/1/0/2'],
      'only-b': ['b/2/0/2'],
      'only-c': ['c/3/0/2'],
      'only-d': ['d/4/0/2'],
      room: ['c/3/0/1', 'd/4/0/1'],
    })
    for (const node of nodes) expect(viewOf(node)).toEqual(viewOf(nodes[0]!))
  })

  it('EXCHANGE: two nodes miss what happens elsewhere and get exactly that later', () => {
    const { world, nodes } = linked('a', 'b', 'c')
    const [a, b, c] = [nodes[0]!, nodes[1]!, nodes[2]!]
    for (let index = 1; index <= 30; index++) {
      const node = nodes[index % 3]!
      node.registry.join(`room-${index % 5}`, node.pid(index))
    }
    world.settle()
    world.cut('a', 'b')
    world.cut('a', 'c')
    for (const index of [3, 6, 9]) a.registry.leaveAll(a.pid(index))
    for (const index of [1, 4]) b.registry.leaveAll(b.pid(index))
    c.registry.join('room-9', c.pid(90))
    world.settle()
    world.link('a', 'b')
    world.link('a', 'c')
    world.settle()
    const all = Object.values(viewOf(a)).flat()
    expect(all).toHaveLength(30 - 5 + 1)
    expect(viewOf(b)).toEqual(viewOf(a))
    expect(viewOf(c)).toEqual(viewOf(a))
  })

  it('a restarted node brings its new processes, and none of the old start stays', () => {
    const { world, nodes } = linked('a', 'b')
    const a = nodes[0]!
    nodes[1]!.registry.join('room', nodes[1]!.pid(1))
    world.settle()
    const seen = watched(a)
    const b = world.start('b')
    b.registry.join('room', b.pid(1))
    world.link('a', 'b')
    world.settle()
    expect(viewOf(a)).toEqual({ room: ['b/3/0/1'] })
    expect(seen).toEqual(['leave room b/2/0/1', 'join room b/3/0/1'])
  })

  it('a peer that comes up again without having gone down is a new one', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    b.registry.join('room', b.pid(1))
    world.settle()
    a.registry.peerUp({ node: 'b', creation: 77, send: () => Sent.ok })
    expect(a.registry.whichGroups()).toEqual([])
  })
})

describe('syncs', () => {
  it('THUNDERING_HERD: 10,000 groups and 2,000 calls for a sync in one turn cost one sync', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    for (let index = 0; index < 10_000; index++) a.registry.join(`room-${index}`, a.pid(1))
    world.settle()
    const discover = world.carried.find(({ from, body }) => from === 'b' && body[0] === FrameKind.discover)!
    world.carried.length = 0
    const startedMs = performance.now()
    for (let count = 0; count < 2_000; count++) {
      world.forge('b', 'a', Channel.registry, Buffer.from(discover.body))
    }
    a.registry.join('local', a.pid(2))
    expect(texts(a.registry.members('local'))).toEqual(['a/1/0/2'])
    expect(performance.now() - startedMs).toBeLessThan(5_000)
    world.settle()
    expect(b.registry.whichGroups()).toHaveLength(10_001)
    const syncs = world.registryFrames
    expect(new Set(syncs)).toEqual(new Set(['a>b sync']))
    expect(syncs.length).toBeLessThanOrEqual(10)
  })

  it('THUNDERING_HERD, the other way: 2,000 syncs wait, and a join in between does not', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    for (let index = 0; index < 10_000; index++) a.registry.join(`room-${index}`, a.pid(1))
    b.registry.join('room-1', b.pid(1))
    b.registry.join('room-1', b.pid(1))
    world.settle()
    world.cut('a', 'b')
    world.link('a', 'b')
    world.settle()
    const sync = [...world.carried]
      .reverse()
      .find(({ from, body }) => from === 'b' && body[0] === FrameKind.sync)!
    const seen = watched(a)
    const startedMs = performance.now()
    for (let count = 0; count < 2_000; count++) {
      world.forge('b', 'a', Channel.registry, Buffer.from(sync.body))
      if (count === 1_000) a.registry.join('local', a.pid(2))
    }
    expect(performance.now() - startedMs).toBeLessThan(5_000)
    expect(seen).toEqual(['join local a/1/0/2'])
    expect(texts(a.registry.members('room-1'))).toEqual(['a/1/0/1', 'b/2/0/1', 'b/2/0/1'])
  })

  it('FORCED_SYNC: whatever a node was made to believe, the next sync corrects it, once', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    b.registry.join('room', b.pid(1))
    world.settle()
    const stale = [...world.carried]
      .reverse()
      .find(({ from, body }) => from === 'b' && body[0] === FrameKind.sync)!
    world.forge('b', 'a', Channel.registry, Buffer.from(stale.body))
    expect(viewOf(a)).toEqual({})
    const discover = world.carried.find(({ from, body }) => from === 'a' && body[0] === FrameKind.discover)!
    const seen = watched(a)
    for (let times = 0; times < 2; times++) {
      world.forge('a', 'b', Channel.registry, Buffer.from(discover.body))
      world.settle()
      expect(viewOf(a)).toEqual({ room: ['b/2/0/1'] })
    }
    expect(seen).toEqual(['join room b/2/0/1'])
  })

  it('a sync of many parts counts when it is whole', () => {
    const world = new World({ limits: routingForTests })
    const [a, b] = [world.start('a'), world.start('b')]
    for (let index = 1; index <= 10; index++) b.registry.join(index < 8 ? 'room' : 'hall', b.pid(index))
    world.link('a', 'b')
    const seen = watched(a)
    world.settle()
    expect(viewOf(a)).toEqual(viewOf(b))
    expect(world.registryFrames.filter(frame => frame === 'b>a sync')).toHaveLength(4)
    expect(seen).toHaveLength(2)
  })

  it('a part of a sync that does not follow the last one ends it', () => {
    const world = new World({ limits: routingForTests })
    const [a, b] = [world.start('a'), world.start('b')]
    for (let index = 1; index <= 9; index++) b.registry.join('room', b.pid(index))
    world.link('a', 'b')
    world.settle()
    const parts = world.carried.filter(({ from, body }) => from === 'b' && body[0] === FrameKind.sync)
    const seen = watched(a)
    for (const order of [[1], [0, 2], [0, 0, 2], [0, 1, 1, 2], [2]]) {
      for (const index of order) world.forge('b', 'a', Channel.registry, Buffer.from(parts[index]!.body))
    }
    expect(seen).toEqual([])
    expect(a.registry.counts.outOfOrder).toBe(6)
    expect(viewOf(a)).toEqual(viewOf(b))
  })

  it('frames of another start of a node are ignored', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    b.registry.join('room', b.pid(1))
    world.settle()
    const before = world.carried.filter(({ from }) => from === 'b')
    world.start('b')
    world.link('a', 'b')
    world.settle()
    for (const { body } of before) world.forge('b', 'a', Channel.registry, Buffer.from(body))
    expect(viewOf(a)).toEqual({})
    expect(a.registry.counts.stale).toBe(before.length)
  })

  it('BEFORE A SYNC: joins of a peer that has not told its members are ignored', () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    const { world: other, nodes } = linked('a', 'b')
    nodes[1]!.registry.join('room', nodes[1]!.pid(1))
    other.settle()
    const join = other.carried.find(({ body }) => body[0] === FrameKind.change)!
    world.link('a', 'b')
    world.forge('b', 'a', Channel.registry, Buffer.from(join.body))
    expect(a.registry.whichGroups()).toEqual([])
    expect(a.registry.counts.gaps).toBe(1)
    world.settle()
    expect(viewOf(a)).toEqual(viewOf(b))
  })
})

describe('a peer without room', () => {
  it('gets the whole truth later, when a change was refused', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    world.admit = () => Sent.nosuspend
    a.registry.join('room', a.pid(1))
    world.settle()
    a.registry.join('hall', a.pid(2))
    a.registry.leave('room', a.pid(1))
    world.settle()
    expect(a.registry.counts.refused).toBe(1)
    expect(viewOf(b)).toEqual({})
    world.admit = () => Sent.ok
    world.advance(1_000)
    expect(viewOf(b)).toEqual({ hall: ['a/1/0/2'] })
    expect(world.time.pendingTimers).toBe(0)
  })

  it('gets it even if nothing changes any more', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    world.admit = () => Sent.nosuspend
    a.registry.join('room', a.pid(1))
    world.settle()
    world.admit = () => Sent.ok
    world.advance(1_000)
    expect(viewOf(b)).toEqual({ room: ['a/1/0/1'] })
  })

  it('gets a long sync bit by bit, with what changes meanwhile', () => {
    const world = new World({ limits: routingForTests })
    const [a, b] = [world.start('a'), world.start('b')]
    for (let index = 1; index <= 30; index++) a.registry.join(`room-${index}`, a.pid(index))
    let room = 2
    world.admit = ({ from }) => (from !== 'a' || room-- > 0 ? Sent.ok : Sent.nosuspend)
    world.link('a', 'b')
    for (let round = 1; round <= 4; round++) {
      world.advance(routingForTests.retryMs)
      a.registry.leave(`room-${round}`, a.pid(round))
      a.registry.join('late', a.pid(round))
      world.settle()
      room = 2
    }
    expect(b.registry.whichGroups()).toEqual([])
    room = Number.POSITIVE_INFINITY
    world.advance(1_000)
    expect(viewOf(b)).toEqual(viewOf(a))
    expect(world.registryFrames.filter(frame => frame === 'a>b sync')).toHaveLength(10)
  })

  it('gets a long sync only as fast as its control lane drains, and changes of other scopes meanwhile', () => {
    const { syncQueueBytesMax, syncPauseMs, frameBytesMax } = routingForTests
    const world = new World({ limits: routingForTests })
    const [a, b] = [world.start('a'), world.start('b')]
    for (const { registry } of [a, b]) registry.scope('games')
    for (let index = 1; index <= 60; index++) a.registry.join(`${'room'.repeat(20)}-${index}`, a.pid(index))
    let waiting = 0
    let most = 0
    let pauses = 0
    world.controlBytesOf = from => (from === 'a' ? waiting : 0)
    world.admit = ({ from, body }) => {
      if (from === 'a') waiting += body.length
      most = Math.max(most, waiting)
      return Sent.ok
    }
    world.link('a', 'b')
    world.settle()
    const sentAtOnce = world.registryFrames.filter(frame => frame === 'a>b sync').length
    expect(sentAtOnce).toBeGreaterThan(1)
    // Nothing drains: a timer looks again, and sends nothing.
    world.advance(5 * syncPauseMs)
    expect(world.registryFrames.filter(frame => frame === 'a>b sync')).toHaveLength(sentAtOnce)
    expect(b.registry.whichGroups()).toEqual([])
    for (let pause = 0; pause < 40 && b.registry.whichGroups().length === 0; pause++) {
      waiting = 0
      a.registry.scope('games').join('chess', a.pid(pause + 1))
      world.advance(syncPauseMs)
      expect(b.registry.scope('games').members('chess')).toHaveLength(pause + 1)
      pauses += 1
    }
    expect(pauses).toBeGreaterThan(3)
    expect(most).toBeLessThan(syncQueueBytesMax + 2 * frameBytesMax)
    expect(viewOf(b)).toEqual(viewOf(a))
    expect(a.registry.counts.refused).toBe(0)
    a.registry.stop()
    b.registry.stop()
    expect(world.time.pendingRegistryTimers).toBe(0)
  })

  it('gets a new sync when more has changed meanwhile than is kept for it', () => {
    const world = new World({ limits: routingForTests })
    const [a, b] = [world.start('a'), world.start('b')]
    for (let index = 1; index <= 9; index++) a.registry.join('room', a.pid(index))
    let room = 2
    world.admit = ({ from }) => (from !== 'a' || room-- > 0 ? Sent.ok : Sent.nosuspend)
    world.link('a', 'b')
    world.settle()
    for (let index = 1; index <= 20; index++) {
      a.registry.join(`late-${index}`, a.pid(index))
      world.settle()
    }
    room = Number.POSITIVE_INFINITY
    world.advance(1_000)
    expect(viewOf(b)).toEqual(viewOf(a))
    // One question, one part of the first sync, then all 29 members anew in parts of three: no backlog of joins.
    const frames = world.registryFrames.filter(frame => frame.startsWith('a>b') && frame !== 'a>b state')
    expect(frames).toEqual(['a>b discover', ...Array(11).fill('a>b sync')])
  })

  it('leaves the others alone', () => {
    const { world, nodes } = linked('a', 'b', 'c')
    const [a, b, c] = [nodes[0]!, nodes[1]!, nodes[2]!]
    world.admit = ({ to }) => (to === 'b' ? Sent.nosuspend : Sent.ok)
    a.registry.join('room', a.pid(1))
    world.settle()
    expect(viewOf(c)).toEqual({ room: ['a/1/0/1'] })
    expect(viewOf(b)).toEqual({})
  })

  it('is still asked for its members when the first question was refused', () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    b.registry.join('room', b.pid(1))
    world.admit = ({ from }) => (from === 'a' ? Sent.nosuspend : Sent.ok)
    world.link('a', 'b')
    world.settle()
    expect(viewOf(a)).toEqual({})
    world.admit = () => Sent.ok
    world.advance(1_000)
    expect(viewOf(a)).toEqual({ room: ['b/2/0/1'] })
  })
})

describe('clusters and datacenters', () => {
  const places = {
    a: { cluster: 'dc1-main', datacenter: 'dc1' },
    b: { cluster: 'dc1-main', datacenter: 'dc1' },
    c: { cluster: 'global', datacenter: 'dc1' },
    d: { cluster: 'dc2-main', datacenter: 'dc2' },
  }

  it('members go to another cluster only if their group is published', () => {
    const world = new World({
      places,
      published: (scope, group) => scope === 'main' && group === 'mailbox/1',
    })
    const nodes = ['a', 'b', 'd'].map(name => world.start(name))
    const [a, b, d] = [nodes[0]!, nodes[1]!, nodes[2]!]
    a.registry.join('mailbox/1', a.pid(1))
    a.registry.join('secret', a.pid(1))
    world.linkAll()
    world.settle()
    a.registry.join('mailbox/1', a.pid(2))
    a.registry.join('secret', a.pid(2))
    world.settle()
    expect(viewOf(b)).toEqual(viewOf(a))
    expect(viewOf(d)).toEqual({ 'mailbox/1': ['a/1/0/1', 'a/1/0/2'] })
    a.registry.leave('secret', a.pid(1))
    world.carried.length = 0
    world.settle()
    expect(world.registryFrames).toEqual(['a>b change'])
  })

  it('a group that is published later becomes visible when the configuration changes', () => {
    const world = new World({ places })
    const [a, d] = [world.start('a'), world.start('d')]
    a.registry.join('room', a.pid(1))
    world.link('a', 'd')
    world.settle()
    expect(viewOf(d)).toEqual({})
    world.published = () => true
    a.registry.reconfigured()
    world.settle()
    expect(viewOf(d)).toEqual({ room: ['a/1/0/1'] })
    world.published = () => false
    a.registry.reconfigured()
    world.settle()
    expect(viewOf(d)).toEqual({})
  })

  it('a group that is hidden while a sync is under way does not leave any more', () => {
    const published = new Set(['p1', 'p2', 'p3', 'p4'])
    const world = new World({
      places,
      published: (_, group) => published.has(group),
      limits: routingForTests,
    })
    const [a, d] = [world.start('a'), world.start('d')]
    for (const group of published) {
      for (const index of [1, 2, 3]) a.registry.join(group, a.pid(index))
    }
    a.registry.flush()
    let room = 3
    world.admit = ({ from, body }) =>
      from === 'a' && body[0] === FrameKind.sync && room-- <= 0 ? Sent.nosuspend : Sent.ok
    world.link('a', 'd')
    world.settle()
    const seen: string[] = []
    d.registry.monitor(undefined, ({ kind, group }) => seen.push(`${kind} ${group}`))
    const sentBefore = world.carried.length
    published.delete('p4')
    a.registry.reconfigured()
    room = Number.POSITIVE_INFINITY
    world.advance(10 * routingForTests.retryMs)
    expect(seen).toEqual(['join p1', 'join p2', 'join p3'])
    expect(world.carried.slice(sentBefore).filter(({ body }) => Buffer.from(body).includes('p4'))).toEqual([])
  })

  it('a node that is not configured counts as another cluster', () => {
    const world = new World({ places })
    const [a, x] = [world.start('a'), world.start('x')]
    world.places.delete('x')
    a.registry.join('room', a.pid(1))
    world.link('a', 'x')
    world.settle()
    expect(viewOf(x)).toEqual({})
  })

  it('lists this node first, then its cluster, its datacenter, and the far ones', () => {
    const world = new World({ places, published: () => true })
    const nodes = ['d', 'c', 'b', 'a'].map(name => world.start(name))
    for (const node of nodes) node.registry.join('room', node.pid(1))
    world.linkAll()
    world.settle()
    const order = (name: string) =>
      world.nodes
        .get(name)!
        .registry.members('room')
        .map(pid => pid.node)
    expect(order('a')).toEqual(['a', 'b', 'c', 'd'])
    expect(order('d')).toEqual(['d', 'a', 'b', 'c'])
    expect(order('c')).toEqual(['c', 'a', 'b', 'd'])
  })

  it('lists are put in order again when the configuration changes', () => {
    const world = new World({ places, published: () => true })
    for (const name of ['a', 'c', 'd']) {
      const node = world.start(name)
      node.registry.join('room', node.pid(1))
    }
    world.linkAll()
    world.settle()
    const a = world.nodes.get('a')!
    expect(a.registry.members('room').map(pid => pid.node)).toEqual(['a', 'c', 'd'])
    world.places.set('d', { cluster: 'dc1-main', datacenter: 'dc2' })
    a.registry.reconfigured()
    expect(a.registry.members('room').map(pid => pid.node)).toEqual(['a', 'd', 'c'])
  })
})

describe('scopes', () => {
  it('are apart', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    for (const node of nodes) node.registry.scope('games')
    a.registry.scope('games').join('room', a.pid(1))
    a.registry.join('room', a.pid(2))
    world.settle()
    expect(texts(b.registry.scope('games').members('room'))).toEqual(['a/1/0/1'])
    expect(texts(b.registry.members('room'))).toEqual(['a/1/0/2'])
    expect(b.registry.whichScopes()).toEqual(['main', 'games'])
  })

  it('MISSING_SCOPE_JOIN: what is said of a scope that is not open here is ignored, and caught up on when it opens', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    a.registry.scope('games').join('room', a.pid(1))
    world.settle()
    expect(b.registry.counts.unknownScope).toBe(1)
    b.registry.scope('games').join('room', b.pid(2))
    world.settle()
    const both = ['a/1/0/1', 'b/2/0/2']
    expect(texts(a.registry.scope('games').members('room'))).toEqual(both)
    expect(texts(b.registry.scope('games').members('room'))).toEqual(both)
  })
})

describe('scopes that come and go', () => {
  it('SCOPE_RESTART: a closed scope has no members anywhere, and a new one has those that join it', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    for (const node of [a, b]) node.registry.scope('games').join('chess', node.pid(1))
    world.settle()
    const seen: string[] = []
    const closed = a.registry.scope('games')
    closed.monitor('chess', ({ kind, pids }) => seen.push(`${kind} ${texts(pids).join(' ')}`))
    expect(a.registry.closeScope('games')).toBe(true)
    expect(a.registry.closeScope('games')).toBe(false)
    expect(a.registry.whichScopes()).toEqual(['main'])
    expect(seen).toEqual(['leave a/1/0/1 b/2/0/1'])
    world.settle()
    expect(texts(b.registry.scope('games').members('chess'))).toEqual(['b/2/0/1'])
    expect(a.registry.scope('games').members('chess')).toEqual([])
    world.settle()
    expect(texts(a.registry.scope('games').members('chess'))).toEqual(['b/2/0/1'])
    a.registry.scope('games').join('chess', a.pid(2))
    // The old one takes nobody in.
    expect(() => closed.join('chess', a.pid(3))).toThrow('join chess: the scope is closed: games')
    expect(closed.members('chess')).toEqual([])
    world.settle()
    expect(texts(b.registry.scope('games').members('chess'))).toEqual(['a/1/0/2', 'b/2/0/1'])
    expect(seen).toHaveLength(1)
  })

  it('one that is closed by a monitor tells all its monitors of all who leave', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    for (const node of [a, b]) node.registry.scope('games').join('chess', node.pid(1))
    world.settle()
    const games = a.registry.scope('games')
    games.monitor('end', () => a.registry.closeScope('games'))
    const seen: string[] = []
    games.monitor(undefined, ({ kind, group, pids }) =>
      seen.push(`${kind} ${group} ${texts(pids).join(' ')}`),
    )
    b.registry.scope('games').join('end', b.pid(2))
    world.settle()
    expect(seen).toEqual(['join end b/2/0/2', 'leave chess a/1/0/1 b/2/0/1', 'leave end b/2/0/2'])
    expect(texts(b.registry.scope('games').members('chess'))).toEqual(['b/2/0/1'])
  })

  it.each(['a change', 'a sync'])('one may be closed by a monitor that %s tells', what => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    const games = a.registry.scope('games')
    games.monitor(undefined, () => a.registry.closeScope('games'))
    if (what === 'a change') {
      b.registry.scope('games')
      world.settle()
    }
    b.registry.scope('games').join('chess', b.pid(1))
    world.settle()
    expect(a.registry.whichScopes()).toEqual(['main'])
    expect(games.members('chess')).toEqual([])
    expect(world.cutOffs).toEqual([])
  })

  it('one that is closed by a monitor has changed before it is forgotten', () => {
    const { time, random } = new World()
    const told: string[] = []
    const registry = new Registry({
      node: 'a',
      creation: 1,
      place: () => ({ cluster: 'main', datacenter: 'dc1' }),
      published: () => false,
      ports: { clock: time, timers: time, random },
      events: {
        appeared: ({ node }) => told.push(`appeared ${node}`),
        changed: ({ node }) => told.push(`changed ${node}`),
        forgot: ({ node }) => told.push(`forgot ${node}`),
      },
    })
    const games = registry.scope('games')
    games.monitor(undefined, () => registry.closeScope('games'))
    const link: Link = { node: 'b', creation: 2, send: () => Sent.ok }
    registry.peerUp(link)
    const hear = (kind: FrameKind, fields: unknown) =>
      registry.receive(link, Buffer.concat([encodeHead(kind, 2), encode(fields)]))
    hear(FrameKind.sync, ['games', 0, 0, 0, 0, 0, true, []])
    hear(FrameKind.change, ['games', 0, 0, 1, [['chess', 0, 1, 1]]])
    expect(told).toEqual(['appeared b', 'changed b', 'forgot a', 'forgot b'])
  })

  it('one that is closed by a monitor while a process leaves all groups lets it go', () => {
    const a = new World().start('a')
    const games = a.registry.scope('games')
    for (const group of ['chess', 'go']) games.join(group, a.pid(1))
    games.monitor('chess', () => a.registry.closeScope('games'))
    a.registry.leaveAll(a.pid(1))
    expect(games.whichGroups()).toEqual([])
  })

  it('one that is closed and opened while a peer is away is not taken for the old one', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    b.registry.scope('games')
    for (let index = 1; index <= 3; index++) a.registry.scope('games').join('chess', a.pid(index))
    world.settle()
    world.lose('a', 'b')
    a.registry.closeScope('games')
    for (let index = 4; index <= 8; index++) a.registry.scope('games').join('chess', a.pid(index))
    world.link('a', 'b')
    world.settle()
    expect(texts(b.registry.scope('games').members('chess'))).toEqual(
      [4, 5, 6, 7, 8].map(index => `a/1/0/${index}`),
    )
    expect(b.registry.counts.differences).toBe(0)
  })

  it('MISSING_SCOPE_JOIN after a flap: who closed a scope says so when it is asked for it', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    b.registry.scope('games')
    a.registry.scope('games').join('chess', a.pid(1))
    world.settle()
    world.lose('a', 'b')
    a.registry.closeScope('games')
    // So that there is no other reason to send a state.
    a.registry.join('room', a.pid(1))
    world.link('a', 'b')
    world.settle()
    expect(b.registry.scope('games').members('chess')).toEqual([])
  })

  it('main cannot be closed, and there are only so many', () => {
    const a = new World({ limits: routingForTests }).start('a')
    expect(() => a.registry.closeScope('main')).toThrow(TypeError)
    for (const name of ['one', 'two', 'three']) a.registry.scope(name)
    expect(() => a.registry.scope('four')).toThrow('open scope four: 4 are open already')
    a.registry.closeScope('one')
    expect(() => a.registry.scope('four')).not.toThrow()
  })
})

describe('metadata', () => {
  it('comes with a join, changes by an update, goes with the last leave, and is told everywhere', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    const seen = [watched(a), watched(b)]
    const pid = a.pid(1)
    const metas: unknown[] = []
    const look = () => {
      world.settle()
      expect(b.registry.meta('room', pid)).toEqual(a.registry.meta('room', pid))
      metas.push(b.registry.meta('room', pid))
    }
    a.registry.join('room', pid, { weight: 2, zone: 'dc1-a' })
    look()
    a.registry.join('room', pid)
    look()
    expect(a.registry.update('room', pid, { draining: true })).toBe(true)
    look()
    expect(a.registry.update('room', pid, { draining: true })).toBe(true)
    look()
    a.registry.leave('room', pid)
    look()
    a.registry.leave('room', pid)
    look()
    expect(metas).toEqual([
      { weight: 2, zone: 'dc1-a' },
      { weight: 2, zone: 'dc1-a' },
      { draining: true },
      { draining: true },
      { draining: true },
      undefined,
    ])
    expect(a.registry.update('room', pid, { weight: 1 })).toBe(false)
    const events = ['join', 'join', 'update', 'leave', 'leave'].map(kind => `${kind} room a/1/0/1`)
    expect(seen).toEqual([events, events])
  })

  it('is told whichever field changes', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    const all = { weight: 1, zone: 'z', version: 'v', draining: false }
    a.registry.join('room', a.pid(1), all)
    for (const change of [{ weight: 2 }, { zone: 'y' }, { version: 'w' }, { draining: true }]) {
      a.registry.update('room', a.pid(1), { ...all, ...change })
      world.settle()
      expect(b.registry.meta('room', a.pid(1))).toEqual({ ...all, ...change })
      a.registry.update('room', a.pid(1), all)
      world.settle()
      expect(b.registry.meta('room', a.pid(1))).toEqual(all)
    }
  })

  it('comes with a sync, and can be taken back', () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    a.registry.join('room', a.pid(1), { version: '1.4.0', weight: 0, draining: false })
    world.link('a', 'b')
    world.settle()
    expect(b.registry.meta('room', a.pid(1))).toEqual({ version: '1.4.0', weight: 0, draining: false })
    a.registry.update('room', a.pid(1), undefined)
    world.settle()
    expect(b.registry.meta('room', a.pid(1))).toBeUndefined()
    expect(b.registry.counts.differences).toBe(0)
  })

  it.each([
    { weight: -1 },
    { weight: Number.NaN },
    { weight: Number.POSITIVE_INFINITY },
    { zone: 'x'.repeat(65) },
    { version: '\ud800' },
    { draining: 1 as unknown as boolean },
  ])('out of range is a bug: %o', meta => {
    const a = new World().start('a')
    expect(() => a.registry.join('room', a.pid(1), meta)).toThrow(TypeError)
    expect(a.registry.whichGroups()).toEqual([])
    a.registry.join('room', a.pid(1))
    expect(() => a.registry.update('room', a.pid(1), meta)).toThrow(TypeError)
  })
})

describe('monitors', () => {
  it('are shown the members first, and then told of exactly what comes after', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    a.registry.join('room', a.pid(1))
    b.registry.join('room', b.pid(1))
    b.registry.join('hall', b.pid(1))
    world.settle()
    const shown: unknown[] = []
    const show = (snapshot: ReadonlyMap<string, readonly Pid[]>) =>
      shown.push(Object.fromEntries(Array.from(snapshot, ([group, pids]) => [group, texts(pids)])))
    const told: string[] = []
    // In the midst of a change: who starts to listen now has seen it, and does not hear of it.
    const stop = a.registry.monitor('cellar', () => {
      a.registry.monitor(undefined, ({ kind, group }) => told.push(`${kind} ${group}`), show)
      a.registry.monitor('none', () => {}, show)
    })
    a.registry.join('cellar', a.pid(1))
    stop()
    expect(shown).toEqual([{ cellar: ['a/1/0/1'], hall: ['b/2/0/1'], room: ['a/1/0/1', 'b/2/0/1'] }, {}])
    a.registry.leave('cellar', a.pid(1))
    expect(told).toEqual(['leave cellar'])
  })

  it('hear of a change when the lists already show it', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    const sizes: number[] = []
    b.registry.monitor('room', () => sizes.push(b.registry.members('room').length))
    a.registry.join('room', a.pid(1))
    a.registry.join('hall', a.pid(1))
    world.settle()
    b.registry.join('room', b.pid(1))
    b.registry.leave('room', b.pid(1))
    expect(sizes).toEqual([1, 2, 1])
  })

  it('are never called within a change that another one makes', () => {
    const a = new World().start('a')
    const seen: string[] = []
    a.registry.monitor('room', event => {
      seen.push(`first ${event.kind}`)
      if (event.kind === 'join') a.registry.leave('room', a.pid(1))
      seen.push('first done')
    })
    a.registry.monitor('room', event => seen.push(`second ${event.kind}`))
    a.registry.join('room', a.pid(1))
    expect(seen).toEqual([
      'first join',
      'first done',
      'second join',
      'first leave',
      'first done',
      'second leave',
    ])
  })

  it('hear nothing of what happened before them, nor after they stopped', () => {
    const a = new World().start('a')
    const seen: string[] = []
    let stop = () => {}
    a.registry.monitor(undefined, () => {
      stop = a.registry.monitor(undefined, event => seen.push(event.group))
    })()
    a.registry.monitor(undefined, event => {
      if (event.group === 'one') stop = a.registry.monitor(undefined, later => seen.push(later.group))
    })
    a.registry.join('one', a.pid(1))
    expect(seen).toEqual([])
    a.registry.join('two', a.pid(1))
    stop()
    a.registry.join('three', a.pid(1))
    expect(seen).toEqual(['two'])
  })

  it('that fail harm neither the change nor each other', () => {
    const world = new World()
    const a = world.start('a')
    const seen = watched(a)
    a.registry.monitor(undefined, () => {
      throw new Error('listener failed')
    })
    const after = watched(a)
    a.registry.join('room', a.pid(1))
    expect(seen).toEqual(['join room a/1/0/1'])
    expect(after).toEqual(seen)
    expect(() => world.settle()).toThrow('listener failed')
  })
})

describe('a registry that has stopped', () => {
  it('has forgotten its peers, runs no timer and sends nothing more', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    a.registry.join('room', a.pid(1))
    b.registry.join('room', b.pid(1))
    world.admit = () => Sent.nosuspend
    world.settle()
    a.registry.stop()
    world.carried.length = 0
    a.registry.join('room', a.pid(2))
    b.registry.stop()
    world.settle()
    expect(texts(a.registry.members('room'))).toEqual(['a/1/0/1', 'a/1/0/2'])
    expect(world.carried).toEqual([])
    expect(world.time.pendingTimers).toBe(0)
  })

  it('can send what this turn changed before its mesh stops', () => {
    const { world, nodes } = linked('a', 'b')
    const [a, b] = [nodes[0]!, nodes[1]!]
    a.registry.join('room', a.pid(1))
    world.settle()
    a.registry.leaveAll(a.pid(1))
    a.registry.flush()
    a.registry.stop()
    world.settle()
    expect(b.registry.whichGroups()).toEqual([])
  })
})
