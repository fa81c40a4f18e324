/** Who is chosen from a group. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { keyHash, mix } from '../../../routing/hash.ts'
import { type MemberMeta, Pid, routingDefaults, type Target } from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { type Node, World } from './world.ts'

const places = {
  a: { cluster: 'dc1-main', datacenter: 'dc1' },
  b: { cluster: 'dc1-main', datacenter: 'dc1' },
  c: { cluster: 'dc1-main', datacenter: 'dc1' },
  d: { cluster: 'dc2-main', datacenter: 'dc2' },
}

/** Nodes a to d, linked; each has one process in the group `room` unless `without` names it. */
function worldOf(without: string[] = []) {
  const world = new World({ places, published: () => true })
  for (const name of Object.keys(places)) {
    const node = world.start(name)
    if (!without.includes(name)) node.registry.join('room', node.pid(1))
  }
  world.linkAll()
  world.settle()
  return world
}

function choices(world: World, name: string, target: Target, count: number): (string | undefined)[] {
  const { router } = world.nodes.get(name)!
  return Array.from({ length: count }, () => router.choose(target)?.node)
}

describe('the nearest member', () => {
  it('is the own one while there is one', () => {
    expect(new Set(choices(worldOf(), 'a', { group: 'room' }, 5))).toEqual(new Set(['a']))
  })

  it('comes in turn among those that are equally near', () => {
    const chosen = choices(worldOf(['a']), 'a', { group: 'room' }, 6)
    expect(chosen.slice(0, 2).sort()).toEqual(['b', 'c'])
    expect(chosen.slice(2)).toEqual([...chosen.slice(0, 2), ...chosen.slice(0, 2)])
  })

  it('is not the same first one for everybody, so that a new member is not flooded', () => {
    const firsts = new Set<string | undefined>()
    for (let step = 0; step < 20; step++) {
      const world = new World({ places })
      world.luck = (step + 0.5) / 20
      for (const name of ['a', 'b', 'c']) world.start(name)
      for (const name of ['b', 'c'])
        world.nodes.get(name)!.registry.join('room', world.nodes.get(name)!.pid(1))
      world.linkAll()
      world.settle()
      firsts.add(choices(world, 'a', { group: 'room' }, 1)[0])
    }
    expect([...firsts].sort()).toEqual(['b', 'c'])
  })

  it('is far away only when no nearer one is left', () => {
    expect(choices(worldOf(['a', 'b', 'c']), 'a', { group: 'room' }, 2)).toEqual(['d', 'd'])
  })

  it('is nobody in a group that does not exist', () => {
    expect(worldOf().nodes.get('a')!.router.choose({ group: 'none' })).toBeUndefined()
  })

  it('changes with the next join and leave', () => {
    const world = worldOf(['a'])
    const a = world.nodes.get('a')!
    expect(choices(world, 'a', { group: 'room' }, 1)).not.toEqual(['a'])
    a.registry.join('room', a.pid(1))
    expect(choices(world, 'a', { group: 'room' }, 1)).toEqual(['a'])
    a.registry.leave('room', a.pid(1))
    expect(choices(world, 'a', { group: 'room' }, 1)).not.toEqual(['a'])
  })
})

describe('the member of a key', () => {
  const keys = Array.from({ length: 400 }, (_, index) => `key-${index}`)
  const spreadOf = (world: World, name: string) =>
    keys.map(key => world.nodes.get(name)!.router.choose({ group: 'room', key })!.node)

  it('is the same on every node, however near', () => {
    const world = worldOf()
    for (const name of ['b', 'c', 'd']) expect(spreadOf(world, name)).toEqual(spreadOf(world, 'a'))
  })

  it('is everybody, evenly', () => {
    const chosen = spreadOf(worldOf(), 'a')
    for (const name of Object.keys(places)) {
      const share = chosen.filter(node => node === name).length / keys.length
      expect(share).toBeGreaterThan(0.18)
      expect(share).toBeLessThan(0.32)
    }
  })

  it('moves only if it was the one that left', () => {
    const world = worldOf()
    const before = spreadOf(world, 'a')
    const d = world.nodes.get('d')!
    d.registry.leave('room', d.pid(1))
    world.settle()
    const after = spreadOf(world, 'a')
    for (const [index, node] of before.entries()) if (node !== 'd') expect(after[index]).toBe(node)
    expect(after).not.toContain('d')
  })
})

it('members whose hashes are alike are told apart alike on all nodes', () => {
  const world = new World()
  const [a, b] = [world.start('a'), world.start('b')]
  const indexByHash = new Map<number, number>()
  for (let index = 1; index < 200_000; index++) indexByHash.set(keyHash(String(a.pid(index))), index)
  let index = 1
  while (!indexByHash.has(keyHash(String(b.pid(index))))) index++
  a.registry.join('room', a.pid(indexByHash.get(keyHash(String(b.pid(index))))!))
  b.registry.join('room', b.pid(index))
  world.link('a', 'b')
  world.settle()
  for (const key of ['x', 'y', 'z']) {
    expect(String(b.router.choose({ group: 'room', key }))).toBe(
      String(a.router.choose({ group: 'room', key })),
    )
  }
})

describe('the owner of a service’s key', () => {
  function served() {
    const world = new World({ places, published: () => true })
    for (const name of Object.keys(places)) world.start(name)
    const table = world.serve('mailbox', 8, { island: ['b', 'd'] })
    for (let partition = 0; partition < 8; partition++) {
      for (const name of ['d', 'b', 'c']) {
        const node = world.nodes.get(name)!
        node.registry.join(table.group(partition), node.pid(partition + 1))
      }
    }
    world.linkAll()
    world.settle()
    return { world, table }
  }
  const keys = Array.from({ length: 50 }, (_, index) => `user-${index}`)

  it('is the primary’s process, however far, and of the key’s partition', () => {
    const { world, table } = served()
    for (const name of ['a', 'c', 'd']) {
      const { router } = world.nodes.get(name)!
      for (const key of keys) {
        const partition = router.partition('mailbox', key)
        const pid = router.choose({ service: 'mailbox', key })!
        expect(pid.node).toBe(table.owners(partition)[0])
        expect(pid.index).toBe(partition + 1)
      }
    }
  })

  it('is the secondary’s when the primary is gone, then anybody’s, then nobody’s, and the primary’s again', () => {
    const { world, table } = served()
    const { router } = world.nodes.get('a')!
    const key = keys.find(candidate => table.owners(table.partitionOf(candidate))[0] === 'b')!
    const owner = () => router.choose({ service: 'mailbox', key })?.node
    expect(owner()).toBe('b')
    world.cut('a', 'b')
    expect(owner()).toBe('d')
    world.cut('a', 'd')
    expect(owner()).toBe('c')
    world.cut('a', 'c')
    expect(owner()).toBeUndefined()
    world.link('a', 'b')
    world.settle()
    expect(owner()).toBe('b')
  })

  it('follows a new placement', () => {
    const { world } = served()
    const { router } = world.nodes.get('a')!
    const next = world.serve('mailbox', 8, { other: ['gone', 'c'] })
    const key = keys.find(candidate => next.owners(next.partitionOf(candidate))[0] === 'gone')!
    expect(router.choose({ service: 'mailbox', key })!.node).toBe('c')
    world.serve('mailbox', 8, { other: ['gone', 'd'] })
    expect(router.choose({ service: 'mailbox', key })!.node).toBe('d')
    world.serve('mailbox', 8, { other: ['b', 'd'] })
    expect(router.choose({ service: 'mailbox', key })!.node).toBe('b')
  })

  it('is nobody for a service that is not configured', () => {
    const { router } = served().world.nodes.get('a')!
    expect(router.choose({ service: 'none', key: 'x' })).toBeUndefined()
    expect(() => router.partition('none', 'x')).toThrow('partition of none:x: no such service')
  })
})

describe('members that are chosen last', () => {
  const all = ['nearest', 'round-robin', 'least-queue'] as const

  it.each(all)('are the draining ones: %s', pick => {
    const world = worldOf(['b'])
    const a = world.nodes.get('a')!
    a.registry.leave('room', a.pid(1))
    a.registry.join('room', a.pid(1), { draining: true })
    world.settle()
    expect(choices(world, 'a', { group: 'room', pick }, 20)).not.toContain('a')
    for (const name of ['c', 'd']) world.nodes.get(name)!.registry.leaveAll(world.nodes.get(name)!.pid(1))
    world.settle()
    expect(choices(world, 'a', { group: 'room', pick }, 3)).toEqual(['a', 'a', 'a'])
  })

  it.each(all)('are those of a node whose link has just been lost: %s', pick => {
    const world = worldOf(['a'])
    world.lose('a', 'b')
    expect(
      world.nodes
        .get('a')!
        .registry.members('room')
        .map(({ node }) => node),
    ).toContain('b')
    expect(choices(world, 'a', { group: 'room', pick }, 20)).not.toContain('b')
    world.lose('a', 'c')
    world.lose('a', 'd')
    expect(new Set(choices(world, 'a', { group: 'room', pick }, 20))).toContain('b')
    world.link('a', 'b')
    world.settle()
    expect(choices(world, 'a', { group: 'room', pick }, 3)).toEqual(['b', 'b', 'b'])
  })

  it.each(all)('are those that want a weight of 0: %s', pick => {
    const world = worldOf(['a', 'b', 'd'])
    const b = world.nodes.get('b')!
    b.registry.join('room', b.pid(1), { weight: 0 })
    world.settle()
    expect(choices(world, 'a', { group: 'room', pick }, 10)).not.toContain('b')
  })

  it('do not own keys, while there are others: on all nodes alike', () => {
    const keys = Array.from({ length: 100 }, (_, index) => ({ group: 'room', key: `key-${index}` }))
    const ownersOn = (world: World, name: string) =>
      keys.map(target => world.nodes.get(name)!.router.choose(target)!.node)
    const world = worldOf(['a'])
    const before = ownersOn(world, 'b')
    const a = world.nodes.get('a')!
    a.registry.join('room', a.pid(1), { draining: true })
    world.settle()
    for (const name of Object.keys(places)) expect(ownersOn(world, name)).toEqual(before)
    a.registry.leave('room', a.pid(1))
    a.registry.join('room', a.pid(1))
    world.settle()
    const after = ownersOn(world, 'd')
    expect(after).toContain('a')
    for (const [index, node] of after.entries()) if (node !== 'a') expect(node).toBe(before[index])
  })

  it('own a partition only when nobody else serves it: a draining primary comes after its secondary', () => {
    const world = worldOf()
    const table = world.serve('mailbox', 1, { island: ['b', 'c'] })
    const target = { service: 'mailbox', key: 'x' }
    const [b, c, d] = ['b', 'c', 'd'].map(name => world.nodes.get(name)!) as [Node, Node, Node]
    const owner = () => world.nodes.get('a')!.router.choose(target)?.node
    expect(table.owners(0)).toEqual(['b', 'c'])
    b.registry.join('mailbox/0', b.pid(2), { draining: true })
    c.registry.join('mailbox/0', c.pid(2))
    world.settle()
    expect(owner()).toBe('c')
    world.lose('a', 'c')
    expect(owner()).toBe('b')
    d.registry.join('mailbox/0', d.pid(2))
    world.settle()
    expect(owner()).toBe('d')
  })
})

describe('round robin', () => {
  it('takes all in turn, however near', () => {
    const chosen = choices(worldOf(), 'a', { group: 'room', pick: 'round-robin' }, 12)
    expect(chosen.slice(0, 4).sort()).toEqual(['a', 'b', 'c', 'd'])
    expect(chosen.slice(4)).toEqual([...chosen.slice(0, 4), ...chosen.slice(0, 4)])
  })

  it.each(['round-robin', 'nearest'] as const)(
    'gives each its weight’s share, evenly over time: %s',
    pick => {
      const world = new World({ places })
      for (const [name, weight] of Object.entries({ a: undefined, b: 4, c: 1, d: undefined })) {
        const node = world.start(name)
        if (weight) node.registry.join('room', node.pid(1), { weight })
      }
      world.linkAll()
      world.settle()
      const chosen = choices(world, 'a', { group: 'room', pick }, 500)
      expect(chosen.filter(name => name === 'b').length).toBeGreaterThan(395)
      expect(chosen.filter(name => name === 'b').length).toBeLessThan(405)
      for (let start = 0; start < 490; start++) {
        const heavy = chosen.slice(start, start + 10).filter(name => name === 'b').length
        expect(heavy).toBeGreaterThanOrEqual(6)
      }
    },
  )

  it('does not start with the same one everywhere, with weights either', () => {
    const firsts = new Set<string | undefined>()
    for (let step = 0; step < 20; step++) {
      const world = new World({ places })
      world.luck = (step + 0.5) / 20
      for (const name of ['a', 'b', 'c']) world.start(name)
      for (const [name, weight] of [
        ['b', 2],
        ['c', 3],
      ] as const) {
        world.nodes.get(name)!.registry.join('room', world.nodes.get(name)!.pid(1), { weight })
      }
      world.linkAll()
      world.settle()
      firsts.add(choices(world, 'a', { group: 'room' }, 1)[0])
    }
    expect([...firsts].sort()).toEqual(['b', 'c'])
  })

  it('goes on when weights come and go', () => {
    const world = worldOf(['a'])
    const b = world.nodes.get('b')!
    const chosen = new Set<string | undefined>()
    for (let round = 0; round < 12; round++) {
      if (round % 2 === 0) b.registry.join('room', b.pid(2), { weight: 5 })
      else b.registry.leave('room', b.pid(2))
      world.settle()
      for (const name of choices(world, 'a', { group: 'room', pick: 'round-robin' }, 6)) chosen.add(name)
    }
    expect([...chosen].sort()).toEqual(['b', 'c', 'd'])
  })
})

describe('the least queue', () => {
  const target = { group: 'room', pick: 'least-queue' } as const

  it('is that of the node for which least waits here, wherever it is', () => {
    const world = worldOf(['a'])
    for (const [to, bytes] of [
      ['b', 300],
      ['c', 200],
      ['d', 100],
    ] as const)
      world.queueBytes.set(`a>${to}`, bytes)
    expect(choices(world, 'a', target, 2)).toEqual(['d', 'd'])
    world.queueBytes.set('a>d', 250)
    expect(choices(world, 'a', target, 2)).toEqual(['c', 'c'])
  })

  it('is, among equals, that of the nearest, and among the nearest in turn', () => {
    const world = worldOf(['a'])
    expect(choices(world, 'a', target, 4).sort()).toEqual(['b', 'b', 'c', 'c'])
    const nodes = worldOf()
    expect(choices(nodes, 'a', target, 3)).toEqual(['a', 'a', 'a'])
  })

  it('of a process of this node is its messages, each counted as some bytes', () => {
    const world = worldOf()
    const a = world.nodes.get('a')!
    a.registry.join('room', a.pid(2))
    a.queued.set(1, 3)
    a.queued.set(2, 1)
    for (const to of ['b', 'c', 'd']) world.queueBytes.set(`a>${to}`, 600)
    expect(a.router.choose(target)).toEqual(a.pid(2))
    a.queued.set(2, 3)
    expect(a.router.choose(target)!.node).not.toBe('a')
    expect(a.router.queueOf(a.pid(2))).toBe(3 * routingDefaults.queuedMessageBytes)
    expect(a.router.queueOf(world.nodes.get('b')!.pid(1))).toBe(600)
    world.cut('a', 'b')
    expect(a.router.queueOf(world.nodes.get('b')!.pid(1))).toBe(Number.POSITIVE_INFINITY)
  })

  it('counts for its weight: twice the weight may have twice the queue', () => {
    const world = new World({ places })
    for (const [name, weight] of Object.entries({ a: undefined, b: 2, c: 1 })) {
      const node = world.start(name)
      if (weight) node.registry.join('room', node.pid(1), { weight })
    }
    world.linkAll()
    world.settle()
    world.queueBytes.set('a>b', 190).set('a>c', 100)
    expect(choices(world, 'a', target, 2)).toEqual(['b', 'b'])
    world.queueBytes.set('a>b', 210)
    expect(choices(world, 'a', target, 2)).toEqual(['c', 'c'])
  })

  it('is of the links that can tell: others count as empty', () => {
    const world = worldOf(['a'])
    const { links } = world.nodes.get('a')!
    for (const [name, link] of links) {
      links.set(name, { node: link.node, creation: link.creation, send: () => Sent.ok })
    }
    expect(choices(world, 'a', target, 4).sort()).toEqual(['b', 'b', 'c', 'c'])
  })
})

describe('golden choices by key', () => {
  interface Golden {
    readonly name: string
    readonly members: readonly (readonly [pid: string, meta: MemberMeta | null])[]
    readonly chosen: Record<string, string>
  }
  const file = new URL('../../golden/routing/members-of-keys.json', import.meta.url)
  const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden[]

  it.each(golden)('$name', ({ members, chosen }) => {
    const world = new World()
    const nodes = ['a', 'b', 'c'].map(name => world.start(name))
    for (const [text, meta] of members) {
      const pid = Pid.parse(text)!
      world.nodes.get(pid.node)!.registry.join('room', pid, meta ?? undefined)
    }
    world.linkAll()
    world.settle()
    for (const [key, text] of Object.entries(chosen)) {
      for (const { router } of nodes) expect(String(router.choose({ group: 'room', key })), key).toBe(text)
    }
  })

  it('are what PROTOCOL.md tells a second implementation to compute', () => {
    for (const { members, chosen } of golden) {
      const isLast = (meta: MemberMeta | null) => meta?.draining === true || meta?.weight === 0
      const fresh = members.filter(([, meta]) => !isLast(meta))
      const some = fresh.length > 0 ? fresh : members.map(([pid]) => [pid, null] as const)
      for (const [key, text] of Object.entries(chosen)) {
        const scores = some.map(([pid, meta]) => {
          const drawn = mix((keyHash(key) ^ keyHash(pid)) >>> 0)
          return { pid, score: Math.log((drawn + 0.5) / 2 ** 32) / (meta?.weight ?? 1) }
        })
        expect(scores.sort((one, other) => other.score - one.score)[0]!.pid).toBe(text)
      }
    }
  })
})

it('a key’s members are had by weight, and alike on all nodes', () => {
  const world = new World({ places, published: () => true })
  for (const [name, weight] of Object.entries({ a: 1, b: 2, c: 0.5, d: 4 })) {
    const node = world.start(name)
    node.registry.join('room', node.pid(1), { weight })
  }
  world.linkAll()
  world.settle()
  const keys = Array.from({ length: 3_000 }, (_, index) => ({ group: 'room', key: `key-${index}` }))
  const ownersOn = (name: string) => keys.map(key => world.nodes.get(name)!.router.choose(key)!.node)
  const owners = ownersOn('a')
  for (const name of ['b', 'c', 'd']) expect(ownersOn(name)).toEqual(owners)
  for (const [name, share] of Object.entries({ a: 1 / 7.5, b: 2 / 7.5, c: 0.5 / 7.5, d: 4 / 7.5 })) {
    const found = owners.filter(owner => owner === name).length / keys.length
    expect(found).toBeGreaterThan(0.85 * share)
    expect(found).toBeLessThan(1.15 * share)
  }
})

it('a key has a member also where all weigh next to nothing, the same on all nodes', () => {
  const world = new World({ places, published: () => true })
  for (const [name, weight] of Object.entries({ a: 1e-310, b: 2e-310, c: 5e-324 })) {
    const node = world.start(name)
    node.registry.join('room', node.pid(1), { weight })
  }
  world.linkAll()
  world.settle()
  const keys = Array.from({ length: 300 }, (_, index) => ({ group: 'room', key: `key-${index}` }))
  const ownersOn = (name: string) => keys.map(key => world.nodes.get(name)!.router.choose(key)?.node)
  expect(ownersOn('a')).not.toContain(undefined)
  for (const name of ['b', 'c']) expect(ownersOn(name)).toEqual(ownersOn('a'))
})

it('a pick that does not exist is a bug, and said so', () => {
  const { router } = worldOf().nodes.get('a')!
  expect(() => router.choose({ group: 'room', pick: 'random' as 'nearest' })).toThrow('no such pick')
  expect(() => router.explain({ group: 'room', pick: 'random' as 'nearest' })).toThrow('no such pick')
})
