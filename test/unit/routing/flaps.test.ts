/** Links that flap: what stays, what goes, and what it costs. */
import { describe, expect, it } from 'vitest'
import { FrameKind } from '../../../routing/exchange.ts'
import { type RoutingOptions, routingDefaults, routingForTests } from '../../../routing/index.ts'
import { texts, viewOf, World, type WorldOptions } from './world.ts'

const { graceMs } = routingDefaults

/** Nodes a, b, ... of one world, all linked, and quiet. */
function linked(names: string, options: WorldOptions = {}) {
  const world = new World(options)
  const nodes = [...names].map(name => world.start(name))
  world.linkAll()
  world.settle()
  return { world, nodes, a: nodes[0]!, b: nodes[1]! }
}

/** Watches all groups of a node; events as texts like `join room a/1/0/1`. */
function watched(node: ReturnType<World['start']>): string[] {
  const seen: string[] = []
  node.registry.monitor(undefined, ({ kind, group, pids }) =>
    seen.push(`${kind} ${group} ${texts(pids).join(' ')}`),
  )
  return seen
}

function flap(world: World, one: string, other: string): void {
  world.lose(one, other)
  world.settle()
  world.link(one, other)
  world.settle()
}

it.each([
  ['in service', routingDefaults],
  ['in tests', routingForTests],
])('the limits %s let a peer ask about all its scopes at once', (_, { asksBurst, scopesMax }) => {
  expect(asksBurst).toBeGreaterThanOrEqual(scopesMax)
})

describe('a flap', () => {
  it('in which nothing changed costs four frames, however many members, groups and scopes there are', () => {
    const { world, a, b } = linked('ab')
    for (const scope of ['main', 'games', 'chats']) {
      for (let index = 1; index <= 500; index++) {
        a.registry.scope(scope).join(`room-${index % 50}`, a.pid(index))
        b.registry.scope(scope).join(`room-${index % 50}`, b.pid(index))
      }
    }
    world.settle()
    const before = viewOf(a)
    world.carried.length = 0
    flap(world, 'a', 'b')
    expect(world.registryFrames.sort()).toEqual(['a>b discover', 'a>b state', 'b>a discover', 'b>a state'])
    expect(world.carried.every(({ body }) => body.length < 120)).toBe(true)
    expect(viewOf(a)).toEqual(before)
    expect(viewOf(b)).toEqual(before)
  })

  it('makes nobody leave, with as many scopes as there may be', () => {
    const { world, a, b } = linked('ab')
    const games = Array.from({ length: routingDefaults.scopesMax - 1 }, (_, index) => `game-${index}`)
    for (const { registry, pid } of [a, b].map(node => ({ registry: node.registry, pid: node.pid(1) }))) {
      for (const game of games) registry.scope(game).join('chess', pid)
    }
    world.settle()
    const left: string[] = []
    for (const game of games)
      a.registry.scope(game).monitor(undefined, ({ kind }) => left.push(`${kind} ${game}`))
    world.advance(60_000)
    flap(world, 'a', 'b')
    world.advance(60_000)
    expect(games.filter(game => a.registry.scope(game).members('chess').length < 2)).toEqual([])
    expect(left).toEqual([])
    expect(a.registry.counts.differences).toBe(0)
  })

  it('costs the difference when something changed, not the table', () => {
    const { world, a, b } = linked('ab')
    for (let index = 1; index <= 1_000; index++) a.registry.join(`room-${index % 50}`, a.pid(index))
    world.settle()
    world.lose('a', 'b')
    a.registry.leaveAll(a.pid(7))
    a.registry.join('hall', a.pid(2))
    // This one comes to nothing.
    a.registry.join('cellar', a.pid(3))
    a.registry.leave('cellar', a.pid(3))
    world.settle()
    const seen = watched(b)
    world.carried.length = 0
    world.link('a', 'b')
    world.settle()
    expect(seen.sort()).toEqual(['join hall a/1/0/2', 'leave room-7 a/1/0/7'])
    expect(world.registryFrames.sort()).toEqual(['a>b change', 'a>b discover', 'b>a discover', 'b>a state'])
    expect(world.carried.every(({ body }) => body.length < 120)).toBe(true)
    expect(viewOf(b)).toEqual(viewOf(a))
  })

  it('that lasts many turns is netted: each member that changed travels once', () => {
    const { world, a, b } = linked('ab')
    a.registry.join('room', a.pid(1))
    world.settle()
    world.lose('a', 'b')
    for (let turn = 0; turn < 100; turn++) {
      a.registry.join('room', a.pid(2))
      world.settle()
      if (turn < 99) a.registry.leave('room', a.pid(2))
      world.settle()
    }
    world.carried.length = 0
    world.link('a', 'b')
    world.settle()
    const change = world.carried.filter(({ body }) => body[0] === FrameKind.change)
    expect(change).toHaveLength(1)
    expect(change[0]!.body.length).toBeLessThan(60)
    expect(viewOf(b)).toEqual(viewOf(a))
  })

  it('in which more changed than is remembered costs a sync, and unchanged members are not told of', () => {
    const { world, a, b } = linked('ab', { limits: { ...routingDefaults, journalChangesMax: 10 } })
    for (let index = 1; index <= 5; index++) a.registry.join('room', a.pid(index))
    world.settle()
    world.lose('a', 'b')
    for (let index = 6; index <= 20; index++) a.registry.join('room', a.pid(index))
    a.registry.leave('room', a.pid(1))
    world.settle()
    const seen: string[] = []
    b.registry.monitor('room', ({ kind, pids }) => seen.push(`${kind} ${pids.length}`))
    world.carried.length = 0
    world.link('a', 'b')
    world.settle()
    expect(world.registryFrames).toContain('a>b sync')
    expect(seen.sort()).toEqual(['join 15', 'leave 1'])
    expect(viewOf(b)).toEqual(viewOf(a))
  })

  it('in the middle of a sync: the rest is not mixed with the next one', () => {
    const { world, a, b } = linked('ab', { limits: routingForTests })
    world.lose('a', 'b')
    for (let index = 1; index <= 20; index++) a.registry.join('room', a.pid(index))
    world.link('a', 'b')
    let parts = 0
    world.carries = ({ body }) => (body[0] === FrameKind.sync && ++parts > 3 ? [] : [body])
    world.settle()
    expect(parts).toBeGreaterThan(3)
    world.carries = ({ body }) => [body]
    a.registry.leave('room', a.pid(1))
    flap(world, 'a', 'b')
    expect(viewOf(b)).toEqual(viewOf(a))
  })

  it('of one of two peers does not touch the other', () => {
    const { world, a } = linked('abc')
    a.registry.join('room', a.pid(1))
    world.settle()
    world.carried.length = 0
    for (let times = 0; times < 5; times++) flap(world, 'a', 'b')
    expect(world.registryFrames.filter(frame => /c>|>c/.test(frame))).toEqual([])
  })

  it('is answered, and not compared with so soon after that', () => {
    const { world, a, b } = linked('ab')
    a.registry.join('room', a.pid(1))
    b.registry.join('room', b.pid(1))
    world.settle()
    world.carried.length = 0
    for (let times = 0; times < 20; times++) {
      flap(world, 'a', 'b')
      world.advance(routingDefaults.digestMs * 0.8)
    }
    expect(world.carried).toHaveLength(20 * 4)
    world.advance(routingDefaults.digestMs * 1.3)
    expect(world.carried).toHaveLength(20 * 4 + 2)
  })

  it('STORM of 2014: half of eight nodes lose all links twenty times: four frames a pair and flap, and what really changed', () => {
    const { world, nodes } = linked('abcdefgh')
    const names = nodes.map(({ name }) => name)
    for (const node of nodes) {
      for (let index = 1; index <= 200; index++) node.registry.join(`room-${index % 40}`, node.pid(index))
    }
    world.settle()
    const pairs = names.flatMap((one, at) => names.slice(at + 1).map(other => [one, other] as const))
    const flapping = pairs.filter(([one, other]) => one < 'e' || other < 'e')
    world.carried.length = 0
    for (let round = 1; round <= 20; round++) {
      for (const [one, other] of flapping) world.lose(one, other)
      // One change while all are apart: each of its peers hears of it in one frame more, at most.
      nodes[0]!.registry.join('late', nodes[0]!.pid(1_000 + round))
      world.settle()
      for (const [one, other] of flapping) world.link(one, other)
      world.settle()
    }
    expect(world.carried.length).toBeLessThanOrEqual(20 * (flapping.length * 4 + 7))
    for (const node of nodes) expect(viewOf(node)).toEqual(viewOf(nodes[0]!))
    for (const { registry } of nodes) expect(registry.counts.syncs).toBe(7)
  })
})

describe('a node whose link is lost', () => {
  it('keeps its members as suspects, and nobody hears a word when it comes back in time', () => {
    const { world, a, b } = linked('ab')
    b.registry.join('room', b.pid(1))
    world.settle()
    const list = a.registry.members('room')
    const seen = watched(a)
    world.lose('a', 'b')
    expect(texts(a.registry.members('room'))).toEqual(['b/2/0/1'])
    expect(a.registry.digests()).toContainEqual(
      expect.objectContaining({ node: 'b', creation: 2, members: 1, isSuspect: true }),
    )
    world.advance(graceMs - 1)
    world.link('a', 'b')
    world.advance(graceMs * 3)
    expect(a.registry.members('room')).toEqual(list)
    expect(a.registry.digests().find(({ node }) => node === 'b')?.isSuspect).toBe(false)
    expect(seen).toEqual([])
    expect(a.events).toEqual(['linked b: 0 members', 'suspected b: 1 members', 'linked b: 1 members'])
  })

  it('loses its members in one step when the grace runs out', () => {
    const { world, a, b } = linked('ab')
    for (let index = 1; index <= 3; index++) b.registry.join('room', b.pid(index))
    b.registry.scope('games').join('chess', b.pid(1))
    a.registry.scope('games')
    world.settle()
    const seen = watched(a)
    world.lose('a', 'b')
    world.advance(graceMs - 1)
    expect(seen).toEqual([])
    world.advance(1)
    expect(seen).toEqual(['leave room b/2/0/1 b/2/0/2 b/2/0/3'])
    expect(a.registry.whichGroups()).toEqual([])
    expect(a.registry.scope('games').whichGroups()).toEqual([])
    expect(a.events.slice(1)).toEqual(['suspected b: 4 members', 'gone b: 4 members, grace'])
  })

  it('loses them at once after a goodbye', () => {
    const { world, a, b } = linked('ab')
    b.registry.join('room', b.pid(1))
    world.settle()
    world.cut('a', 'b')
    expect(a.registry.whichGroups()).toEqual([])
    expect(a.events.slice(1)).toEqual(['gone b: 1 members, orderly'])
  })

  it('is given the time for which our own loop stood still', () => {
    const { world, a, b } = linked('ab')
    b.registry.join('room', b.pid(1))
    world.settle()
    world.lose('a', 'b')
    world.advance(graceMs - 1)
    world.time.stall(1_000)
    world.advance(0)
    expect(a.registry.members('room')).toHaveLength(1)
    world.advance(998)
    expect(a.registry.members('room')).toHaveLength(1)
    world.advance(2)
    expect(a.registry.members('room')).toHaveLength(0)
  })

  it('is not waited for without end by a loop that is always late', () => {
    const { world, a, b } = linked('ab')
    b.registry.join('room', b.pid(1))
    world.settle()
    const timers = world.time.forRegistries
    const { after } = timers
    timers.after = (delayMs, run) =>
      after(delayMs, () => {
        world.time.stall(200)
        run()
      })
    world.lose('a', 'b')
    world.advance(graceMs)
    expect(a.registry.members('room')).toHaveLength(1)
    // Once more its length, of which each part of 200 ms is 200 ms late again.
    world.advance(3 * graceMs)
    expect(a.registry.members('room')).toHaveLength(0)
  })

  it('loses them at once where there is no grace, as with pg', () => {
    const { world, a, b } = linked('ab', { limits: { ...routingDefaults, graceMs: 0 } })
    b.registry.join('room', b.pid(1))
    world.settle()
    world.lose('a', 'b')
    expect(a.registry.whichGroups()).toEqual([])
  })

  it('and that has started anew brings its new processes, and none of the old start stays for a moment', () => {
    const { world, a, b } = linked('ab')
    b.registry.join('room', b.pid(1))
    world.settle()
    const seen = watched(a)
    const again = world.start('b', true)
    expect(texts(a.registry.members('room'))).toEqual(['b/2/0/1'])
    again.registry.join('room', again.pid(1))
    world.link('a', 'b')
    expect(a.registry.whichGroups()).toEqual([])
    world.settle()
    expect(seen).toEqual(['leave room b/2/0/1', 'join room b/3/0/1'])
    expect(a.events.slice(1)).toEqual([
      'suspected b: 1 members',
      'gone b: 1 members, restarted',
      'linked b: 0 members',
    ])
  })

  it('has a grace for each flap, not one for all', () => {
    const { world, a, b } = linked('ab')
    b.registry.join('room', b.pid(1))
    world.settle()
    for (let times = 0; times < 5; times++) {
      world.lose('a', 'b')
      world.advance(graceMs * 0.9)
      world.link('a', 'b')
      world.settle()
    }
    world.lose('a', 'b')
    world.advance(graceMs - 1)
    expect(a.registry.members('room')).toHaveLength(1)
    world.advance(1)
    expect(a.registry.members('room')).toHaveLength(0)
  })

  it('and that comes back without a word loses its members after all', () => {
    const { world, a, b } = linked('ab')
    b.registry.join('room', b.pid(1))
    world.settle()
    world.lose('a', 'b')
    world.carries = ({ from, body }) => (from === 'b' ? [] : [body])
    world.link('a', 'b')
    world.advance(graceMs - 1)
    expect(a.registry.members('room')).toHaveLength(1)
    world.advance(1)
    expect(a.registry.whichGroups()).toEqual([])
    expect(a.events.at(-1)).toBe('gone b: 1 members, silent')
  })

  it('stands where it stood in the lists, marked, and is not chosen while there are others', () => {
    const { world, a, nodes } = linked('abc')
    for (const node of nodes) node.registry.join('room', node.pid(1))
    world.settle()
    const chosen = () => texts(a.registry.view('room')!.picks.eligible)
    expect(chosen()).toEqual(['a/1/0/1', 'b/2/0/1', 'c/3/0/1'])
    world.lose('a', 'b')
    expect(chosen()).toEqual(['a/1/0/1', 'c/3/0/1'])
    world.link('a', 'b')
    expect(chosen()).toEqual(['a/1/0/1', 'b/2/0/1', 'c/3/0/1'])
    world.lose('a', 'b')
    const isSuspect = Object.fromEntries(a.registry.digests().map(row => [row.node, row.isSuspect]))
    expect(isSuspect).toEqual({ a: false, b: true, c: false })
    expect(texts(a.registry.members('room'))).toEqual(['a/1/0/1', 'b/2/0/1', 'c/3/0/1'])
  })

  it('waits no more once the registry has stopped', () => {
    const { world, a, b } = linked('ab')
    b.registry.join('room', b.pid(1))
    world.settle()
    world.lose('a', 'b')
    a.registry.stop()
    b.registry.stop()
    expect(world.time.pendingRegistryTimers).toBe(0)
    expect(a.registry.whichGroups()).toEqual([])
  })
})

describe('a far peer', () => {
  const places = {
    a: { cluster: 'one', datacenter: 'dc1' },
    b: { cluster: 'two', datacenter: 'dc1' },
    c: { cluster: 'one', datacenter: 'dc1' },
  }
  const limits: RoutingOptions = routingDefaults

  it('resumes by numbers of its own: what it may not see costs it nothing', () => {
    const { world, a, b } = linked('ab', { limits, places, published: (_scope, group) => group === 'open' })
    for (let index = 1; index <= 100; index++) a.registry.join('secret', a.pid(index))
    a.registry.join('open', a.pid(1))
    world.settle()
    world.lose('a', 'b')
    a.registry.leave('secret', a.pid(1))
    world.settle()
    world.carried.length = 0
    world.link('a', 'b')
    world.settle()
    expect(world.registryFrames.sort()).toEqual(['a>b discover', 'a>b state', 'b>a discover', 'b>a state'])
    expect(viewOf(b)).toEqual({ open: ['a/1/0/1'] })
  })

  it('is told the difference when the answer for a group changes, also after a flap', () => {
    const { world, a, b } = linked('ab', { limits, places, published: (_scope, group) => group === 'open' })
    for (const group of ['open', 'hall', 'secret']) a.registry.join(group, a.pid(1))
    world.settle()
    world.carried.length = 0
    world.published = (_scope, group) => group !== 'secret'
    a.registry.reconfigured()
    world.settle()
    expect(world.registryFrames).toEqual(['a>b change'])
    expect(viewOf(b)).toEqual({ hall: ['a/1/0/1'], open: ['a/1/0/1'] })
    world.lose('a', 'b')
    world.published = (_scope, group) => group === 'secret'
    a.registry.reconfigured()
    world.settle()
    world.link('a', 'b')
    world.settle()
    expect(viewOf(b)).toEqual({ secret: ['a/1/0/1'] })
    expect(b.registry.counts.syncs).toBe(1)
    expect(b.registry.counts.differences).toBe(0)
  })

  it('that becomes a near one gets a sync, for its numbers mean nothing there', () => {
    const { world, a, b } = linked('abc', { limits, places, published: () => false })
    for (let index = 1; index <= 9; index++) a.registry.join('room', a.pid(index))
    world.settle()
    expect(viewOf(b)).toEqual({})
    world.lose('a', 'b')
    world.places.set('b', places.a)
    for (const { registry } of world.nodes.values()) registry.reconfigured()
    world.link('a', 'b')
    world.settle()
    expect(b.registry.members('room')).toHaveLength(9)
    world.places.set('b', places.b)
    for (const { registry } of world.nodes.values()) registry.reconfigured()
    world.settle()
    expect(viewOf(b)).toEqual({})
    expect(b.registry.counts.differences).toBe(0)
  })

  it('that becomes far while it is linked gets a sync, also where its number exists there too', () => {
    let isOpen = true
    const { world, a, nodes } = linked('acb', {
      limits,
      places: { ...places, b: places.a, c: { cluster: 'two', datacenter: 'dc1' } },
      published: (_scope, group) => isOpen && group === 'open',
    })
    const near = nodes[2]!
    a.registry.join('open', a.pid(1))
    a.registry.join('secret', a.pid(1))
    world.settle()
    // For far nodes the group comes and goes, and their number with it.
    for (let times = 0; times < 6; times++) {
      isOpen = !isOpen
      a.registry.reconfigured()
      world.settle()
    }
    expect(viewOf(near)).toEqual({ open: ['a/1/0/1'], secret: ['a/1/0/1'] })
    world.places.set('b', places.b)
    a.registry.reconfigured()
    world.settle()
    expect(viewOf(near)).toEqual({ open: ['a/1/0/1'] })
    expect(near.registry.counts.differences).toBe(0)
  })

  it('of which a group is gone may see others than before', () => {
    let open = 'room'
    const { world, a, b } = linked('ab', { limits, places, published: (_scope, group) => group === open })
    a.registry.join('room', a.pid(1))
    a.registry.join('hall', a.pid(1))
    world.settle()
    a.registry.leave('room', a.pid(1))
    world.settle()
    open = 'hall'
    a.registry.reconfigured()
    world.settle()
    expect(viewOf(b)).toEqual({ hall: ['a/1/0/1'] })
  })

  it('is asked about a group again when it comes to be again, even within a turn', () => {
    let isOpen = false
    const { world, a, b } = linked('ab', { limits, places, published: () => isOpen })
    a.registry.join('kept', a.pid(1))
    world.settle()
    a.registry.join('room', a.pid(1))
    a.registry.leave('room', a.pid(1))
    world.settle()
    isOpen = true
    a.registry.join('room', a.pid(1))
    world.settle()
    expect(viewOf(b)).toEqual({ room: ['a/1/0/1'] })
    expect(b.registry.counts.differences).toBe(0)
  })
})
