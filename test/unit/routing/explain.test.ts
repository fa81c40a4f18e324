/** Why a message goes where it goes, as data. */
import { describe, expect, it } from 'vitest'
import { encode } from '../../../routing/codec.ts'
import { Channel, type Target } from '../../../routing/index.ts'
import { Kind } from '../../../routing/message.ts'
import { bytesOf } from './frames.ts'
import { type Node, World } from './world.ts'

const places = {
  a: { cluster: 'dc1-main', datacenter: 'dc1' },
  b: { cluster: 'dc1-main', datacenter: 'dc1' },
  c: { cluster: 'global', datacenter: 'dc1' },
  d: { cluster: 'dc2-main', datacenter: 'dc2' },
}

function four() {
  const world = new World({ places, published: () => true })
  const [a, b, c, d] = Object.keys(places).map(name => world.start(name)) as [Node, Node, Node, Node]
  world.linkAll()
  world.settle()
  return { world, a, b, c, d }
}

describe('the explanation of a group', () => {
  it('has the candidates in order, with all that decides', () => {
    const { world, a, b, c, d } = four()
    a.registry.join('room', a.pid(1), { draining: true, version: '1.2' })
    b.registry.join('room', b.pid(1), { weight: 2, zone: 'rack-3' })
    for (let count = 0; count < 2; count++) c.registry.join('room', c.pid(1))
    d.registry.join('room', d.pid(1))
    world.settle()
    world.lose('a', 'd')
    world.queueBytes.set('a>b', 77)
    a.queued.set(1, 2)
    const explanation = a.router.explain({ group: 'room' })
    expect(explanation).toEqual({
      target: 'room',
      from: 'a',
      group: 'room',
      service: null,
      chosen: 'b/2/0/1',
      why: 'nearest',
      candidates: [
        {
          pid: 'b/2/0/1',
          node: 'b',
          distance: 'cluster',
          times: 1,
          weight: 2,
          draining: false,
          suspect: false,
          last: false,
          reachable: true,
          queueBytes: 77,
          zone: 'rack-3',
          version: null,
          role: null,
        },
        {
          pid: 'c/3/0/1',
          node: 'c',
          distance: 'datacenter',
          times: 2,
          weight: 1,
          draining: false,
          suspect: false,
          last: false,
          reachable: true,
          queueBytes: 0,
          zone: null,
          version: null,
          role: null,
        },
        {
          pid: 'a/1/0/1',
          node: 'a',
          distance: 'self',
          times: 1,
          weight: 1,
          draining: true,
          suspect: false,
          last: true,
          reachable: true,
          queueBytes: 512,
          zone: null,
          version: '1.2',
          role: null,
        },
        {
          pid: 'd/4/0/1',
          node: 'd',
          distance: 'far',
          times: 1,
          weight: 1,
          draining: false,
          suspect: true,
          last: true,
          reachable: false,
          queueBytes: null,
          zone: null,
          version: null,
          role: null,
        },
      ],
    })
  })

  it('is plain data, which survives JSON as it is', () => {
    const { world, a, b } = four()
    world.serve('mailbox', 3, { solo: ['b'] })
    b.registry.join('room', b.pid(1))
    world.settle()
    const targets: Target[] = [
      { group: 'room' },
      { group: 'none', key: 'x' },
      { service: 'mailbox', key: 'x' },
      b.pid(1),
    ]
    for (const target of targets) {
      const explanation = a.router.explain(target)
      expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation)
    }
  })

  it('takes nobody’s turn, and names whom the next message goes to, by every policy', () => {
    const { world, a, b, c, d } = four()
    for (const [count, node] of [b, c, d].entries()) {
      for (let index = 1; index <= count + 1; index++) node.registry.join('room', node.pid(index))
      node.registry.join('weighed', node.pid(9), { weight: count + 1 })
    }
    world.settle()
    for (const group of ['room', 'weighed']) {
      for (const pick of ['nearest', 'round-robin', 'least-queue'] as const) {
        for (let turn = 0; turn < 10; turn++) {
          const { chosen, why } = a.router.explain({ group, pick })
          expect(a.router.explain({ group, pick }).chosen).toBe(chosen)
          expect(String(a.router.choose({ group, pick }))).toBe(chosen)
          expect(why).toBe(pick)
        }
      }
      for (const key of ['x', 'y', 'z']) {
        const { chosen, why } = a.router.explain({ group, key })
        expect([chosen, why]).toEqual([String(a.router.choose({ group, key })), 'key'])
      }
    }
  })

  it('of nobody, or of a pid, says so', () => {
    const { a, b } = four()
    expect(a.router.explain({ group: 'none' })).toMatchObject({
      chosen: null,
      why: 'no member',
      candidates: [],
    })
    expect(a.router.explain(b.pid(4))).toMatchObject({ chosen: 'b/2/0/4', why: 'pid', group: null })
  })
})

describe('the explanation of a service’s key', () => {
  function served() {
    const parts = four()
    const { world, a, b, c, d } = parts
    const table = world.serve('mailbox', 2, { pair: ['b', 'd'] })
    for (const node of [a, c, d, b]) node.registry.join('mailbox/0', node.pid(5))
    world.settle()
    const key = ['u', 'v', 'w', 'x', 'y'].find(each => table.partitionOf(each) === 0)!
    const target = { service: 'mailbox', key }
    const why = () => {
      const { chosen, why } = a.router.explain(target)
      expect(chosen).toBe(a.router.choose(target)?.toString() ?? null)
      return [why, chosen]
    }
    return { ...parts, target, why, key }
  }

  it('has partition, island and owners, and the candidates as they are tried', () => {
    const { a, target, key } = served()
    const { service, group, candidates } = a.router.explain(target)
    expect(service).toEqual({
      service: 'mailbox',
      key,
      partition: 0,
      partitions: 2,
      island: 'pair',
      overridden: false,
      primary: 'b',
      secondary: 'd',
    })
    expect(group).toBe('mailbox/0')
    expect(candidates.map(({ node, role }) => [node, role])).toEqual([
      ['b', 'primary'],
      ['d', 'secondary'],
      ['a', null],
      ['c', null],
    ])
  })

  it('says which of them it is, as one after the other goes', () => {
    const { world, a, b, c, d, why } = served()
    expect(why()).toEqual(['primary', 'b/2/0/5'])
    world.lose('a', 'b')
    expect(why()).toEqual(['secondary', 'd/4/0/5'])
    d.registry.leave('mailbox/0', d.pid(5))
    world.settle()
    expect(why()).toEqual(['nearest', 'a/1/0/5'])
    a.registry.leave('mailbox/0', a.pid(5))
    c.registry.leave('mailbox/0', c.pid(5))
    world.settle()
    expect(why()).toEqual(['primary', 'b/2/0/5'])
    world.cut('a', 'b')
    world.link('a', 'b')
    b.registry.leave('mailbox/0', b.pid(5))
    world.settle()
    expect(why()).toEqual(['no member', null])
  })

  it('has a primary that drains behind all others', () => {
    const { world, a, b, target, why } = served()
    b.registry.update('mailbox/0', b.pid(5), { draining: true })
    world.settle()
    expect(a.router.explain(target).candidates.map(({ node }) => node)).toEqual(['d', 'a', 'c', 'b'])
    expect(why()).toEqual(['secondary', 'd/4/0/5'])
  })

  it('names a hint when one decides', () => {
    const { world, why } = served()
    const moved = { kind: Kind.moved, targetCreation: 1, sourceIndex: 5 } as const
    world.forge('b', 'a', Channel.message, bytesOf(moved, encode(['mailbox/0', 'd/4/0/5'])))
    expect(why()).toEqual(['hint', 'd/4/0/5'])
  })

  it('tells an override, and an unknown service', () => {
    const { world, a } = four()
    world.serve('mailbox', 1, { x: ['b'], y: ['c'] }, { 0: 'y' })
    expect(a.router.explain({ service: 'mailbox', key: 'any' }).service).toMatchObject({
      island: 'y',
      overridden: true,
      secondary: null,
    })
    expect(a.router.explain({ service: 'none', key: 'any' })).toMatchObject({
      why: 'no such service',
      chosen: null,
    })
  })
})
