import { describe, expect, test } from 'vitest'
import type { PlannedNode } from '../../../ops/upgrade/plan.ts'
import { type NodeLook, type NoLook, obstacles, type RollPorts, roll } from '../../../ops/upgrade/roll.ts'

const options = { readyMs: 60_000, drainMs: 30_000, lookEveryMs: 1_000 }
const steps: readonly PlannedNode[] = ['a', 'b', 'c'].map(node => ({ node, datacenter: 'dc1', islands: [] }))

const ready: NodeLook = {
  state: 'ready',
  creation: 1,
  version: '0.1.0',
  inSync: true,
  left: '',
  peers: 2,
  unseenBy: [],
  detail: undefined,
}
/** It does not answer; those that answer say nothing of it. */
const silent: NodeLook = { ...ready, state: 'silent', creation: 0, peers: 0 }

/** It does not answer, and each of its peers has lost its link with it. */
function gone(node: string): NodeLook {
  return { ...silent, unseenBy: steps.map(step => step.node).filter(other => other !== node) }
}

/** A meta-cluster of three nodes whose clock only moves while the roll sleeps; it notes what is done to it. */
class World implements RollPorts {
  readonly done: string[] = []
  readonly lines: string[] = []
  readonly nodes = new Map(steps.map(({ node }) => [node, ready]))
  readonly #later: { atMs: number; run: () => void }[] = []
  /** What must have been done before somebody wants to stop. */
  stopAfter: string | undefined
  #nowMs = 0
  /** What a drain and a replacement do; tests change them. */
  onDrain = (node: string) => this.after(2_000, () => this.set(node, gone(node)))
  onReplace = (node: string) => {
    this.set(node, { ...ready, state: 'starting', creation: 2, version: '0.2.0', inSync: false })
    this.after(3_000, () => this.set(node, { ...ready, creation: 2, version: '0.2.0' }))
  }

  set(node: string, look: NodeLook): void {
    this.nodes.set(node, look)
  }
  after(ms: number, run: () => void): void {
    this.#later.push({ atMs: this.#nowMs + ms, run })
  }
  async look(_closely: readonly string[]): Promise<ReadonlyMap<string, NodeLook> | NoLook> {
    return new Map(this.nodes)
  }
  async drain(node: string) {
    this.done.push(`drain ${node}`)
    this.onDrain(node)
  }
  async replace(node: string) {
    this.done.push(`replace ${node}`)
    this.onReplace(node)
  }
  async sleep(ms: number) {
    this.#nowMs += ms
    for (const due of this.#later.filter(({ atMs }) => atMs <= this.#nowMs)) {
      this.#later.splice(this.#later.indexOf(due), 1)
      due.run()
    }
  }
  nowMs() {
    return this.#nowMs
  }
  progress(line: string) {
    this.lines.push(line)
  }
  isStopped() {
    return this.stopAfter !== undefined && this.done.includes(this.stopAfter)
  }
}

describe('a roll', () => {
  test('drains, replaces and awaits one node after the other', async () => {
    const world = new World()
    const result = await roll(steps, world, options)
    expect(result).toEqual({ replaced: ['a', 'b', 'c'], halted: undefined, remaining: [] })
    expect(world.done).toEqual(['drain a', 'replace a', 'drain b', 'replace b', 'drain c', 'replace c'])
    expect(world.lines.slice(0, 5)).toEqual([
      'a: draining version 0.1.0, creation 1',
      'a: gone after 2.0 s, replacing',
      'a: waiting: starting',
      'a: ready after 5.0 s, version 0.2.0, creation 2',
      'b: draining version 0.1.0, creation 1',
    ])
  })

  test('does not touch the next node before the one before is ready, in sync and seen', async () => {
    const world = new World()
    const touched = () => world.done.length
    world.onReplace = node => {
      const fresh = { ...ready, creation: 2 }
      world.set(node, { ...fresh, inSync: false })
      const before = touched()
      world.after(10_000, () => world.set(node, { ...fresh, unseenBy: ['b'] }))
      world.after(20_000, () => {
        expect(touched()).toBe(before)
        world.set(node, fresh)
      })
    }
    expect((await roll(steps, world, options)).halted).toBeUndefined()
    expect(world.lines).toContain('a: waiting: not in sync with its island')
    expect(world.lines).toContain('a: waiting: its groups are not seen by b')
  })

  test('halts when a node is not ready in time, and leaves the rest alone', async () => {
    const world = new World()
    world.onReplace = node => world.set(node, { ...ready, state: 'catching-up', creation: 2, inSync: false })
    expect(await roll(steps, world, options)).toEqual({
      replaced: [],
      halted: { node: 'a', reason: 'not done after 60.0 s: catching-up' },
      remaining: ['a', 'b', 'c'],
    })
    expect(world.done).toEqual(['drain a', 'replace a'])
    expect(world.lines.at(-1)).toBe('a: halted: not done after 60.0 s: catching-up')
  })

  test('is not done with a node before its partners say that it holds what they have', async () => {
    const world = new World()
    const islands = [{ service: 'mailbox', partners: ['b'] }]
    world.onReplace = node => {
      world.set(node, { ...ready, creation: 2 })
      world.set('b', { ...ready, inSync: false })
      world.after(10_000, () => world.set('b', ready))
    }
    const result = await roll([{ node: 'a', datacenter: 'dc1', islands }], world, options)
    expect(result.halted).toBeUndefined()
    expect(world.lines).toContain('a: waiting: b: not in sync with its island')
  })

  test('halts when a node never comes back, and says what is known', async () => {
    const world = new World()
    world.onReplace = () => {}
    world.onDrain = node => world.set(node, { ...gone(node), detail: 'no link' })
    const { halted } = await roll(steps, world, options)
    expect(halted?.reason).toBe('not done after 60.0 s: does not answer: no link')
  })

  test('halts when the old creation comes back', async () => {
    const world = new World()
    world.onReplace = node => world.set(node, ready)
    expect((await roll(steps, world, options)).halted?.reason).toBe('not done after 60.0 s: still creation 1')
  })

  test('halts when a drain does not end, and never replaces that node', async () => {
    const world = new World()
    world.onDrain = node => {
      world.set(node, { ...ready, state: 'draining', left: 'sessions 12' })
      world.after(5_000, () => world.set(node, { ...ready, state: 'draining', left: 'sessions 3' }))
    }
    const { halted } = await roll(steps, world, options)
    expect(halted).toEqual({ node: 'a', reason: 'not done after 30.0 s: still draining, sessions 3' })
    expect(world.done).toEqual(['drain a'])
    expect(world.lines).toContain('a: drain remaining: sessions 12')
    expect(world.lines).toContain('a: drain remaining: sessions 3')
  })

  test('does not take a look at which nobody answered for the end of a drain', async () => {
    const world = new World()
    const look = () => World.prototype.look.call(world, [])
    world.onDrain = node => {
      world.set(node, { ...ready, state: 'draining' })
      world.look = async () => ({ noLook: 'find a node: nobody answers' })
      world.after(10_000, () => {
        world.look = look
      })
      world.after(15_000, () => world.set(node, gone(node)))
    }
    expect((await roll(steps, world, options)).halted).toBeUndefined()
    expect(world.lines[1]).toBe('a: gone after 15.0 s, replacing')
  })

  test.for<[string, readonly string[]]>([
    ['it only does not answer', []],
    ['one of its peers does not say that the link is down', ['b']],
  ])('does not take a node for gone while %s', async ([_what, unseenBy]) => {
    const world = new World()
    world.onDrain = node => world.set(node, { ...silent, unseenBy })
    const { halted } = await roll(steps, world, options)
    expect(halted?.reason).toMatch(
      /^not done after 30\.0 s: it does not answer, and \d of its peers do not say/,
    )
    expect(world.done).toEqual(['drain a'])
  })

  test('waits for a first look, and halts when none comes', async () => {
    const world = new World()
    world.look = async () => ({ noLook: 'find a node: nobody answers' })
    expect((await roll(steps, world, options)).halted?.reason).toBe(
      'not done after 60.0 s: nobody can be asked: find a node: nobody answers',
    )
    expect(world.done).toEqual([])
  })

  test('halts when a node refuses to drain', async () => {
    const world = new World()
    world.onDrain = () => {
      throw new Error('drain a: refused')
    }
    expect((await roll(steps, world, options)).halted).toEqual({ node: 'a', reason: 'drain a: refused' })
  })

  test('halts when the replacement command fails', async () => {
    const world = new World()
    world.onReplace = node => {
      if (node === 'b') throw new Error('exec: exit 3')
      world.set(node, { ...ready, creation: 2 })
    }
    expect(await roll(steps, world, options)).toEqual({
      replaced: ['a'],
      halted: { node: 'b', reason: 'exec: exit 3' },
      remaining: ['b', 'c'],
    })
  })

  test('halts before it touches a node while any other is not as it should be', async () => {
    const world = new World()
    world.set('c', { ...ready, inSync: false })
    expect((await roll(steps, world, options)).halted?.reason).toBe(
      'not done after 60.0 s: c: not in sync with its island',
    )
    expect(world.done).toEqual([])
  })

  test('waits for another node that is away only for a moment', async () => {
    const world = new World()
    world.set('c', silent)
    world.after(5_000, () => world.set('c', ready))
    expect((await roll(steps, world, options)).halted).toBeUndefined()
  })

  test('does not mind when a service manager has the next creation up before the node was seen gone', async () => {
    const world = new World()
    world.onDrain = node => world.set(node, { ...ready, creation: 2 })
    world.onReplace = () => {}
    expect((await roll(steps, world, options)).replaced).toEqual(['a', 'b', 'c'])
  })

  test('finishes the node under way when somebody stops it, and says what remains', async () => {
    const world = new World()
    world.stopAfter = 'drain a'
    expect(await roll(steps, world, options)).toEqual({
      replaced: ['a'],
      halted: { node: 'b', reason: 'stopped before it' },
      remaining: ['b', 'c'],
    })
    expect(world.nodes.get('a')?.creation).toBe(2)
  })

  test('looks closely at the node and at those that serve meanwhile', async () => {
    const world = new World()
    const closely = new Set<string>()
    world.look = async names => {
      closely.add(names.join(','))
      return new Map(world.nodes)
    }
    const islands = [{ service: 'mailbox', partners: ['b'] }]
    await roll([{ node: 'a', datacenter: 'dc1', islands }], world, options)
    expect([...closely]).toEqual(['a,b'])
  })

  test('halts when the configuration drops a node on the way', async () => {
    const world = new World()
    world.nodes.delete('b')
    expect((await roll(steps, world, options)).halted).toEqual({
      node: 'b',
      reason: 'the configuration no longer names it',
    })
  })
})

describe('obstacles', () => {
  test('are one line a node, and none when all is well', () => {
    expect(obstacles(new Map([['a', ready]]))).toEqual([])
    expect(
      obstacles(
        new Map<string, NodeLook>([
          ['a', { ...silent, detail: 'timeout' }],
          ['b', { ...ready, state: 'draining' }],
          ['c', { ...ready, inSync: false }],
          ['d', { ...ready, unseenBy: ['e', 'f'] }],
          ['e', ready],
          ['f', { ...ready, peers: 0 }],
        ]),
      ),
    ).toEqual([
      'a: does not answer: timeout',
      'b: draining',
      'c: not in sync with its island',
      'd: its groups are not seen by e, f',
      'f: has no peers that could serve meanwhile, or say that it is gone',
    ])
  })
})
