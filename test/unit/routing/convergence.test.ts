/** Whatever happens to a few nodes and their links, equal knowledge comes out once it is quiet. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { routingDefaults, routingForTests } from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { type Node, texts, World } from './world.ts'

const names = ['a', 'b', 'c']
const scopes = ['main', 'games']
const node = fc.constantFrom(...names)
const member = {
  node,
  scope: fc.constantFrom(...scopes),
  group: fc.constantFrom('g', 'h'),
  process: fc.integer({ min: 1, max: 3 }),
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('join' as const), ...member }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('leave' as const), ...member }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), node, process: member.process }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), node, other: node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('link' as const), node, other: node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), node }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('room' as const), node, frames: fc.nat({ max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 300 }) }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Members by scope and group, as `see` shows them. */
function membersBy(
  see: (scope: string, group: string) => readonly string[],
): Record<string, readonly string[]> {
  const all = scopes.flatMap(scope =>
    ['g', 'h'].map(group => [`${scope}/${group}`, see(scope, group)] as const),
  )
  return Object.fromEntries(all)
}

/** What a node sees of the scopes that it has opened. */
function seenBy({ registry }: Node): Record<string, readonly string[]> {
  const open = registry.whichScopes()
  return membersBy((scope, group) =>
    open.includes(scope) ? texts(registry.scope(scope).members(group)) : [],
  )
}

/** What it should see: the own members of all nodes. */
function truthFor({ registry }: Node, nodes: readonly Node[]): Record<string, readonly string[]> {
  const open = registry.whichScopes()
  return membersBy((scope, group) =>
    open.includes(scope)
      ? nodes
          .filter(other => other.registry.whichScopes().includes(scope))
          .flatMap(other => texts(other.registry.scope(scope).localMembers(group)))
          .sort()
      : [],
  )
}

function take(world: World, room: Map<string, number>, now: Step): void {
  if (now.do === 'settle') world.settle()
  else if (now.do === 'advance') world.advance(now.ms)
  else if (now.do === 'cut') world.cut(now.node, now.other)
  else if (now.do === 'restart') world.start(now.node)
  else if (now.do === 'room') room.set(now.node, now.frames)
  else if (now.do === 'link') linkOnce(world, now.node, now.other)
  else {
    const self = world.nodes.get(now.node)!
    const pid = self.pid(now.process)
    if (now.do === 'end') self.registry.leaveAll(pid)
    else if (now.do === 'join') self.registry.scope(now.scope).join(now.group, pid)
    else if (self.registry.whichScopes().includes(now.scope))
      self.registry.scope(now.scope).leave(now.group, pid)
  }
}

function linkOnce(world: World, one: string, other: string): void {
  if (one !== other && !world.nodes.get(one)!.links.has(other)) world.link(one, other)
}

it('any sequence of joins, leaves, flaps, restarts and refusals converges to equal views', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), fc.boolean(), (steps, isTiny) => {
      const world = new World({ limits: isTiny ? routingForTests : routingDefaults })
      const room = new Map<string, number>()
      world.admit = ({ to }) => {
        const left = room.get(to) ?? Number.POSITIVE_INFINITY
        room.set(to, left - 1)
        return left > 0 ? Sent.ok : Sent.nosuspend
      }
      for (const name of names) world.start(name)
      world.linkAll()
      world.settle()
      for (const now of steps) take(world, room, now)

      room.clear()
      for (const one of names) for (const other of names) linkOnce(world, one, other)
      world.advance(2_000)
      const nodes = [...world.nodes.values()]
      for (const each of nodes) expect(seenBy(each)).toEqual(truthFor(each, nodes))
      expect(world.time.pendingTimers).toBe(0)
    }),
    { numRuns: 500 },
  )
})
