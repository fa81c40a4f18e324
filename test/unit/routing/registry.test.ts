import { describe, expect, it } from 'vitest'
import { viewOf, World } from './world.ts'

describe('groups of one node', () => {
  it('counts joins: a process that joined twice must leave twice', () => {
    const a = new World().start('a')
    const pid = a.pid(1)
    a.registry.join('room', pid)
    a.registry.join('room', pid)
    expect(a.registry.members('room')).toEqual([pid, pid])
    expect(a.registry.leave('room', pid)).toBe(true)
    expect(a.registry.members('room')).toEqual([pid])
    expect(a.registry.leave('room', pid)).toBe(true)
    expect(a.registry.leave('room', pid)).toBe(false)
    expect(a.registry.whichGroups()).toEqual([])
  })
})

describe('two nodes', () => {
  it('two: members that join before and after the link are seen on both', () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    a.registry.join('room', a.pid(1))
    world.link('a', 'b')
    world.settle()
    b.registry.join('room', b.pid(7))
    world.settle()
    expect(viewOf(a)).toEqual({ room: ['a/1/0/1', 'b/2/0/7'] })
    expect(viewOf(b)).toEqual(viewOf(a))
  })
})
