/** Whatever happens to a few nodes and their links, equal knowledge comes out once it is quiet. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Channel, routingDefaults, routingForTests } from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { type Node, texts, World } from './world.ts'

const names = ['a', 'b', 'c']
const scopes = ['main', 'games']
const groups = ['g', 'h']
/** Far nodes see group g only, or h only. */
const places = {
  a: { cluster: 'one', datacenter: 'dc1' },
  b: { cluster: 'one', datacenter: 'dc1' },
  c: { cluster: 'two', datacenter: 'dc2' },
}
const node = fc.constantFrom(...names)
const meta = fc.constantFrom({}, { weight: 2 }, { zone: 'z', draining: true })
const member = {
  node,
  scope: fc.constantFrom(...scopes),
  group: fc.constantFrom(...groups),
  process: fc.integer({ min: 1, max: 3 }),
}

/** What the network does to a frame on its way. */
const mischief = fc.constantFrom('lost' as const, 'twice' as const, 'damaged' as const, 'altered' as const)

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('join' as const), ...member }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('leave' as const), ...member }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('update' as const), ...member, meta }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), node, process: member.process }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), node, other: node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lose' as const), node, other: node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('link' as const), node, other: node }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('restart' as const), node, isCrash: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('publish' as const), group: fc.constantFrom(...groups) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('move' as const), node, cluster: fc.constantFrom('one', 'two') }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('room' as const), node, frames: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('mischief' as const), node, mischief }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 300 }) }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A world in which steps are taken. */
class Play {
  readonly world: World
  /** Frames that a node still takes before it refuses. */
  readonly #room = new Map<string, number>()
  /** What happens to the next frame for a node. */
  readonly #mischief = new Map<string, 'lost' | 'twice' | 'damaged' | 'altered'>()
  #published = 'g'

  constructor(isTiny: boolean, cutsOff: boolean) {
    this.world = new World({ limits: isTiny ? routingForTests : routingDefaults, places })
    const { world } = this
    world.cutsOff = cutsOff
    world.published = (_scope, group) => group === this.#published
    world.admit = ({ to }) => {
      const left = this.#room.get(to) ?? Number.POSITIVE_INFINITY
      this.#room.set(to, left - 1)
      return left > 0 ? Sent.ok : Sent.nosuspend
    }
    world.carries = ({ to, channel, body }) => {
      const what = channel === Channel.registry ? this.#mischief.get(to) : undefined
      this.#mischief.delete(to)
      if (what === 'lost') return []
      if (what === 'twice') return [body, body]
      if (what === 'damaged') return [Buffer.from(body).fill(0xff, 5, 7)]
      const copy = Buffer.from(body)
      if (what === 'altered') copy[copy.length - 1]! ^= 1
      return [copy]
    }
    for (const name of names) world.start(name)
    world.linkAll()
    world.settle()
  }

  take(now: Step): void {
    const { world } = this
    if (now.do === 'settle') world.settle()
    else if (now.do === 'advance') world.advance(now.ms)
    else if (now.do === 'cut') world.cut(now.node, now.other)
    else if (now.do === 'lose') world.lose(now.node, now.other)
    else if (now.do === 'restart') world.start(now.node, now.isCrash)
    else if (now.do === 'room') this.#room.set(now.node, now.frames)
    else if (now.do === 'mischief') this.#mischief.set(now.node, now.mischief)
    else if (now.do === 'link') this.#link(now.node, now.other)
    else if (now.do === 'publish') {
      this.#published = now.group
      for (const { registry } of world.nodes.values()) registry.reconfigured()
    } else if (now.do === 'move') {
      world.places.set(now.node, { cluster: now.cluster, datacenter: 'dc1' })
      for (const { registry } of world.nodes.values()) registry.reconfigured()
    } else this.#change(now)
  }

  /** No more faults; all are linked, and a while goes by. */
  calm(): void {
    this.#room.clear()
    this.#mischief.clear()
    for (let round = 0; round < 3; round++) {
      for (const one of names) for (const other of names) this.#link(one, other)
      this.world.advance(10_000)
    }
  }

  /** Members by scope and group, as a node sees them. */
  seenBy({ registry }: Node): Record<string, readonly string[]> {
    return this.#byGroup((scope, group) => {
      if (!registry.whichScopes().includes(scope)) return []
      const open = registry.scope(scope)
      return open.members(group).map(pid => `${pid} ${JSON.stringify(open.meta(group, pid) ?? {})}`)
    })
  }

  /** What it should see: its own members, and of the others' those that it may see. */
  truthFor(self: Node): Record<string, readonly string[]> {
    const clusterOf = (name: string) => this.world.places.get(name)?.cluster
    return this.#byGroup((scope, group) => {
      if (!self.registry.whichScopes().includes(scope)) return []
      return [...this.world.nodes.values()]
        .filter(({ registry }) => registry.whichScopes().includes(scope))
        .filter(({ name }) => group === this.#published || clusterOf(name) === clusterOf(self.name))
        .flatMap(({ registry }) => {
          const open = registry.scope(scope)
          return open.localMembers(group).map(pid => `${pid} ${JSON.stringify(open.meta(group, pid) ?? {})}`)
        })
    })
  }

  #byGroup(see: (scope: string, group: string) => string[]): Record<string, readonly string[]> {
    const all = scopes.flatMap(scope =>
      groups.map(group => [`${scope}/${group}`, see(scope, group).sort()] as const),
    )
    return Object.fromEntries(all)
  }

  #link(one: string, other: string): void {
    if (one !== other && !this.world.nodes.get(one)!.links.has(other)) this.world.link(one, other)
  }

  #change(now: Step & { do: 'join' | 'leave' | 'update' | 'end' | 'close' }): void {
    const self = this.world.nodes.get(now.node)!
    if (now.do === 'close') self.registry.closeScope('games')
    else if (now.do === 'end') self.registry.leaveAll(self.pid(now.process))
    else {
      const pid = self.pid(now.process)
      if (now.do === 'join') self.registry.scope(now.scope).join(now.group, pid)
      else if (!self.registry.whichScopes().includes(now.scope)) return
      else if (now.do === 'leave') self.registry.scope(now.scope).leave(now.group, pid)
      else self.registry.scope(now.scope).update(now.group, pid, now.meta)
    }
  }
}

it.each([
  ['where links can be cut off', true],
  ['where they cannot', false],
])(
  'any sequence of joins, leaves, flaps, restarts, refusals and lost frames converges to equal views, %s',
  (_where, cutsOff) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), fc.boolean(), (steps, isTiny) => {
        const play = new Play(isTiny, cutsOff)
        for (const now of steps) play.take(now)
        play.calm()
        for (const each of play.world.nodes.values()) expect(play.seenBy(each)).toEqual(play.truthFor(each))
        // And it stays quiet: whoever differs would be asked again.
        const differences = () =>
          [...play.world.nodes.values()].map(({ registry }) => registry.counts.differences)
        const before = differences()
        play.world.advance(10_000)
        expect(differences()).toEqual(before)
      }),
      { numRuns: 120 },
    )
  },
)

it('what monitors were told, applied to what they were shown first, is what the lists show', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat({ max: 40 }), (steps, begin) => {
      const play = new Play(true, true)
      for (const now of steps.slice(0, begin)) play.take(now)
      const { registry } = play.world.nodes.get('a')!
      const told = new Map<string, string[]>()
      registry.monitor(
        undefined,
        ({ kind, group, pids }) => {
          const list = told.get(group) ?? []
          for (const pid of pids) {
            if (kind === 'join') list.push(String(pid))
            else if (kind === 'leave') list.splice(list.indexOf(String(pid)), 1)
          }
          if (list.length > 0) told.set(group, list)
          else told.delete(group)
        },
        first => {
          for (const [group, pids] of first) told.set(group, pids.map(String))
        },
      )
      for (const now of steps.slice(begin)) {
        if (!(now.do === 'restart' && now.node === 'a')) play.take(now)
        const seen = registry.whichGroups().map(group => [group, texts(registry.members(group))])
        expect(Object.fromEntries([...told].map(([group, list]) => [group, list.toSorted()]))).toEqual(
          Object.fromEntries(seen),
        )
      }
    }),
    { numRuns: 100 },
  )
})
