/** One question to many: whoever answers in time, and who is missing and why. */
import { describe, expect, it } from 'vitest'
import { routingForTests } from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { type Node, World, type WorldOptions } from './world.ts'

/** Nodes a, b and c, linked; each has process 1 in the group `room`. */
function room(options: WorldOptions = {}) {
  const world = new World(options)
  const nodes = ['a', 'b', 'c'].map(name => world.start(name)) as [Node, Node, Node]
  for (const node of nodes) node.registry.join('room', node.pid(1))
  world.linkAll()
  world.settle()
  world.carried.length = 0
  return { world, a: nodes[0], b: nodes[1], c: nodes[2] }
}

/** Processes of these nodes answer what they have been asked. */
function answer(world: World, ...nodes: Node[]): void {
  for (const node of nodes) {
    for (const { envelope } of node.envelopes.splice(0)) envelope.reply([node.name, envelope.message])
  }
  world.settle()
}

const turn = () => new Promise<void>(resolve => setImmediate(resolve))

describe('a question to a group', () => {
  it('is answered by every member, and resolves with the last answer', async () => {
    const { world, a, b, c } = room()
    const gathered = a.router.gather('room', 'how many?')
    world.settle()
    answer(world, c, b, a)
    const { answers, missing } = await gathered
    expect(answers.map(({ pid, value }) => [String(pid), value])).toEqual([
      ['a/1/0/1', ['a', 'how many?']],
      ['b/2/0/1', ['b', 'how many?']],
      ['c/3/0/1', ['c', 'how many?']],
    ])
    expect(missing).toEqual([])
    expect(a.router.counts).toMatchObject({ gathers: 1, gathered: 3, missing: 0, ok: 3, answers: 3 })
  })

  it('is asked once of a process, however often it joined', async () => {
    const { world, a, b, c } = room()
    b.registry.join('room', b.pid(1))
    world.settle()
    const gathered = a.router.gather('room', 1)
    world.settle()
    expect(b.envelopes).toHaveLength(1)
    answer(world, a, b, c)
    expect((await gathered).answers).toHaveLength(3)
  })

  it('has the answers that came by its deadline, and says who is missing and why', async () => {
    const { world, a, b, c } = room()
    c.accept = () => false
    const gathered = a.router.gather('room', 1, { timeoutMs: 100 })
    world.settle()
    answer(world, a)
    let isDone = false
    void gathered.then(() => {
      isDone = true
    })
    await turn()
    expect(isDone).toBe(false)
    world.advance(200)
    const { answers, missing } = await gathered
    expect(answers.map(({ pid }) => pid.node)).toEqual(['a'])
    expect(missing.map(({ pid, code }) => [pid!.node, code])).toEqual([
      ['b', 'timeout'],
      ['c', 'noprocess'],
    ])
    expect(a.router.counts).toMatchObject({ gathered: 1, missing: 2 })
    answer(world, b)
    expect(a.router.counts.lateReplies).toBe(1)
  })

  it('does not wait for a peer that is lost', async () => {
    const { world, a, b, c } = room()
    const gathered = a.router.gather('room', 1)
    world.settle()
    answer(world, a, c)
    world.lose('a', 'b')
    expect((await gathered).missing).toMatchObject([{ pid: b.pid(1), code: 'noconnect' }])
  })

  it('tells what a process said when it refused, and what sending said', async () => {
    const { world, a, b } = room()
    world.admit = ({ to }) => (to === 'c' ? Sent.nosuspend : Sent.ok)
    const gathered = a.router.gather('room', 1)
    world.settle()
    answer(world, a)
    b.envelopes[0]!.envelope.refuse('failed', 'no such table')
    world.settle()
    expect((await gathered).missing).toMatchObject([
      { pid: { node: 'b' }, code: 'failed', detail: 'no such table' },
      { pid: { node: 'c' }, code: 'nosuspend', detail: undefined },
    ])
  })

  it('that nobody is in has no answers and misses nobody', async () => {
    expect(await room().a.router.gather('none', 1)).toEqual({ answers: [], missing: [] })
  })

  it('ends when its signal is aborted, with what there is', async () => {
    const { world, a } = room()
    const controller = new AbortController()
    const gathered = a.router.gather('room', 1, { signal: controller.signal })
    world.settle()
    answer(world, a)
    controller.abort()
    const { answers, missing } = await gathered
    expect(answers).toHaveLength(1)
    expect(missing.map(({ code }) => code)).toEqual(['aborted', 'aborted'])
    expect(a.router.pendingCalls).toBe(0)
  })

  it('is asked of no more than may be pending, and misses the others', async () => {
    const { world, a } = room({ limits: routingForTests })
    for (let index = 2; index <= 10; index++) a.registry.join('room', a.pid(index))
    const gathered = a.router.gather('room', 1)
    world.settle()
    for (const node of world.nodes.values()) answer(world, node)
    const { answers, missing } = await gathered
    expect(answers).toHaveLength(routingForTests.pendingCallsMax)
    expect(missing.map(({ code }) => code)).toEqual(
      Array(12 - routingForTests.pendingCallsMax).fill('overload'),
    )
  })

  it('is the same for all, though a local process casts at once', async () => {
    const { world, a, b } = room()
    a.accept = () => {
      a.router.cast(b.pid(9), 'something else')
      return true
    }
    void a.router.gather('room', 'the same')
    world.settle()
    expect(b.messages.sort()).toEqual(['something else', 'the same'])
  })

  it('that cannot be encoded is an error: a bug', async () => {
    const { a, world } = room()
    await expect(a.router.gather('room', { run: () => 1 })).rejects.toMatchObject({ code: 'failed' })
    expect(world.carried).toEqual([])
    expect(a.envelopes).toEqual([])
    expect(a.router.counts.gathers).toBe(0)
  })

  it('after the router has stopped is answered by nobody', async () => {
    const { a } = room()
    a.router.stop()
    expect((await a.router.gather('room', 1)).missing.map(({ code }) => code)).toEqual(
      Array(3).fill('stopped'),
    )
  })
})

describe('a question to several targets', () => {
  it('is answered by the one that each leads to, in the order of the targets', async () => {
    const { world, a, b, c } = room()
    world.serve('mailbox', 1, { island: ['c'] })
    c.registry.join('mailbox/0', c.pid(4))
    world.settle()
    const targets = [{ group: 'none' }, { service: 'mailbox', key: 'bob' }, b.pid(1), { group: 'room' }]
    const gathered = a.router.gather(targets, 'status')
    world.settle()
    answer(world, a, b, c)
    const { answers, missing } = await gathered
    expect(answers.map(({ target, pid }) => [target, String(pid)])).toEqual([
      [targets[1], 'c/3/0/4'],
      [targets[2], 'b/2/0/1'],
      [targets[3], 'a/1/0/1'],
    ])
    expect(missing).toEqual([{ target: targets[0], pid: undefined, code: 'no-member', detail: undefined }])
  })

  it('follows a partition that has just moved', async () => {
    const { world, a, b, c } = room()
    world.serve('mailbox', 1, { island: ['b', 'c'] })
    for (const node of [b, c]) node.registry.join('mailbox/0', node.pid(4))
    world.settle()
    b.accept = index => index !== 4
    const gathered = a.router.gather([{ service: 'mailbox', key: 'bob' }], 'status')
    b.handOver('mailbox/0', b.pid(4))
    world.settle()
    answer(world, c)
    expect((await gathered).answers).toMatchObject([{ value: ['c', 'status'] }])
  })
})
