/** Who is chosen from a group. */
import { describe, expect, it } from 'vitest'
import { keyHash } from '../../../routing/hash.ts'
import type { Target } from '../../../routing/index.ts'
import { World } from './world.ts'

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
