/** Senders that wait: `Peer.ready`, from both watermarks. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Lane, Mesh, type Peer, realPorts, Sent, TEST } from '../../../transport/index.ts'
import { linked, World } from './world.ts'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.end())

/** Sends until it is refused: the queue is at its high watermark, give or take a message. */
function fill(peer: Peer): void {
  world.network.blackHole('a', 'b')
  while (peer.send(2, Lane.ordinary, Buffer.alloc(8), Buffer.alloc(20_000)) === Sent.ok) world.clock.turn()
}

/** How a promise stands: 'waits', 'ready' or what it was rejected with. */
function watch(waiting: Promise<void>): { state: unknown } {
  const seen: { state: unknown } = { state: 'waits' }
  waiting.then(
    () => {
      seen.state = 'ready'
    },
    reason => {
      seen.state = reason
    },
  )
  return seen
}

/** Lets everything that a promise has set off run. */
const microtasks = () => new Promise(resolve => setImmediate(resolve))

describe('a peer is ready', () => {
  test('at once while its queue is low, and that costs no promise', async () => {
    const [a] = await world.pair()
    const peer = a.mesh.peer('b')!
    expect(peer.ready()).toBe(peer.ready({ signal: new AbortController().signal }))
    await peer.ready()
  })

  test('when its link comes up', async () => {
    const [a, b] = [await world.node('a'), await world.node('b')]
    a.mesh.configure([{ node: 'b', address: 'b:1' }])
    const waiting = watch(a.mesh.peer('b')!.ready())
    world.clock.advance(300)
    await microtasks()
    expect(waiting.state).toBe('waits')
    b.mesh.configure([{ node: 'a', address: 'a:1' }])
    world.clock.until(() => linked(a, b))
    world.clock.settle()
    await microtasks()
    expect(waiting.state).toBe('ready')
  })

  test('below the low watermark, not as soon as there is room', async () => {
    const [a] = await world.pair()
    const peer = a.mesh.peer('b')!
    fill(peer)
    const waiting = watch(peer.ready())
    await microtasks()
    expect(peer.queueBytes).toBeGreaterThan(TEST.queueBytesMax / 2)
    expect(waiting.state).toBe('waits')
    world.network.heal('a', 'b')
    world.clock.settle()
    await microtasks()
    expect(peer.queueBytes).toBeLessThanOrEqual(TEST.queueBytesMax / 2)
    expect(waiting.state).toBe('ready')
  })
})

describe('many who wait', () => {
  test('are woken in order, and each finds room', async () => {
    const [a, b] = await world.pair()
    const peer = a.mesh.peer('b')!
    fill(peer)
    const order: number[] = []
    const answers = new Set<Sent>()
    for (let name = 0; name < 200; name++)
      void peer.ready().then(() => {
        order.push(name)
        answers.add(peer.send(2, Lane.ordinary, Buffer.from(`waiter ${name} `), Buffer.alloc(60_000)))
      })
    world.network.heal('a', 'b')
    for (let turn = 0; turn < 2_000 && order.length < 200; turn++) {
      world.clock.turn()
      await microtasks()
    }
    expect(order).toEqual(Array.from({ length: 200 }, (_, name) => name))
    expect([...answers]).toEqual([Sent.ok])
    world.clock.settle()
    const heard = b.received.flatMap(({ text }) => text.match(/^waiter (\d+)/)?.[1] ?? [])
    expect(heard.map(Number)).toEqual(order)
  })

  test('come before one who asks later', async () => {
    const [a] = await world.pair()
    const peer = a.mesh.peer('b')!
    fill(peer)
    const order: string[] = []
    void peer.ready().then(() => order.push('first'))
    void peer.ready().then(() => order.push('second'))
    world.network.heal('a', 'b')
    world.clock.settle()
    void peer.ready().then(() => order.push('late'))
    await microtasks()
    expect(order).toEqual(['first', 'second', 'late'])
  })
})

describe('who waits is sent away', () => {
  test("with the signal's reason, and leaves nothing on it", async () => {
    const [a] = await world.pair()
    const peer = a.mesh.peer('b')!
    fill(peer)
    const [one, other] = [new AbortController(), new AbortController()]
    const [aborted, kept] = [watch(peer.ready(one)), watch(peer.ready(other))]
    one.abort('enough')
    await microtasks()
    expect([aborted.state, kept.state]).toEqual(['enough', 'waits'])
    await expect(peer.ready(one)).rejects.toBe('enough')
    world.network.heal('a', 'b')
    world.clock.settle()
    await microtasks()
    expect(kept.state).toBe('ready')
    other.abort('too late')
    await microtasks()
    expect(kept.state).toBe('ready')
  })

  test('when the peer is no longer configured', async () => {
    const [a] = await world.pair()
    const peer = a.mesh.peer('b')!
    fill(peer)
    const waiting = watch(peer.ready())
    a.mesh.configure([])
    await microtasks()
    expect(waiting.state).toMatchObject({ code: 'peer-gone' })
    await expect(peer.ready()).rejects.toMatchObject({ code: 'peer-gone' })
  })

  test('when the mesh stops, even one that never started', async () => {
    const mesh = new Mesh({ clusterId: 'c', node: 'x', creation: 1, version: '1' }, TEST, realPorts, {
      up() {},
      down() {},
      message() {},
    })
    mesh.configure([{ node: 'b', address: 'b:1' }])
    const waiting = watch(mesh.peer('b')!.ready())
    await mesh.stop()
    await microtasks()
    expect(waiting.state).toMatchObject({ code: 'peer-gone' })
  })
})
