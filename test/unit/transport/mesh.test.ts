import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Lane, Mesh, newCreation, realPorts, Sent, TEST } from '../../../transport/index.ts'
import { closings, expectBalance, linked, send, World, watched } from './world.ts'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.end())

describe('a send', () => {
  test('reaches the other node, in order, in one piece', async () => {
    const [a, b] = await world.pair()
    expect(a.mesh.peer('b')!.send(7, Lane.ordinary, Buffer.from('head '), Buffer.from('tail'))).toBe(Sent.ok)
    expect(a.mesh.peer('b')!.send(7, Lane.ordinary, Buffer.from('alone'), undefined)).toBe(Sent.ok)
    world.clock.settle()
    expect(b.received).toEqual([
      { from: 'a', channel: 7, text: 'head tail' },
      { from: 'a', channel: 7, text: 'alone' },
    ])
  })

  test('answers noconnect without a link, and counts it', async () => {
    const a = await world.node('a')
    a.mesh.configure([{ node: 'b', address: 'b:1' }])
    expect(send(a, 'b', 'x')).toBe(Sent.noconnect)
    expect(a.mesh.peer('b')!.ledger.ordinary.refusedNoconnect).toBe(1)
    expect(a.mesh.peer('b')!.queueBytes).toBe(0)
  })

  test('answers tooBig over what either end takes', async () => {
    const a = await world.node('a')
    const b = await world.node('b', { frameBytesMax: 10_000 })
    world.introduce(a, b)
    world.clock.until(() => linked(a, b))
    const peer = a.mesh.peer('b')!
    expect(peer.send(2, Lane.ordinary, Buffer.alloc(2), Buffer.alloc(10_000 - 8 - 1))).toBe(Sent.tooBig)
    expect(peer.send(2, Lane.ordinary, Buffer.alloc(2), Buffer.alloc(10_000 - 8 - 2))).toBe(Sent.ok)
    expect(peer.ledger.ordinary.refusedTooBig).toBe(1)
    world.clock.settle()
    expect(b.received).toHaveLength(1)
  })

  test('answers nosuspend when the queue is full, and drained says when it may go on', async () => {
    const [a, b] = await world.pair()
    world.network.blackHole('a', 'b')
    const peer = a.mesh.peer('b')!
    const payload = Buffer.alloc(50_000)
    let accepted = 0
    while (peer.send(2, Lane.ordinary, Buffer.alloc(8), payload) === Sent.ok) {
      accepted++
      world.clock.turn()
      expect(peer.queueBytes).toBeLessThanOrEqual(TEST.queueBytesMax)
    }
    // What the memory carrier buffers (64 KiB) is out of the queue's hands; everything else is counted.
    expect(accepted).toBeGreaterThan(15)
    expect(accepted * 50_016).toBeLessThan(TEST.queueBytesMax - TEST.controlReserveBytes + 65_536)
    expect(peer.ledger.ordinary.refusedNosuspend).toBe(1)
    expect(peer.send(2, Lane.control, Buffer.alloc(8), Buffer.alloc(5_000))).toBe(Sent.ok)
    expect(a.drained).toEqual([])
    world.network.heal('a', 'b')
    world.clock.settle()
    expect(a.drained).toEqual(['b'])
    expect(b.received).toHaveLength(accepted + 1)
    expect(peer.queueBytes).toBe(0)
    expectBalance(peer)
  })

  test('of the control lane overtakes what is queued in the others', async () => {
    const [a, b] = await world.pair()
    for (const [text, lane] of [
      ['bulk', Lane.bulk],
      ['ordinary', Lane.ordinary],
      ['control', Lane.control],
    ] as const)
      send(a, 'b', text, lane)
    world.clock.settle()
    expect(b.received.map(({ text }) => text)).toEqual(['control', 'ordinary', 'bulk'])
  })

  test('calls nobody back before the turn ends', async () => {
    const writes: Uint8Array[][] = []
    const a = await world.node('a', {}, { carrier: watched(world.network.carrier('a'), writes) })
    const b = await world.node('b')
    world.introduce(a, b)
    world.clock.until(() => linked(a, b))
    writes.length = 0
    for (let count = 0; count < 1_000; count++) send(a, 'b', `message ${count}`)
    expect(writes).toHaveLength(0)
    world.clock.turn()
    expect(writes).toHaveLength(1)
    world.clock.settle()
    expect(b.received).toHaveLength(1_000)
  })
})

describe('configure', () => {
  test('links to those it names, and tells what they are', async () => {
    const [a, b] = await world.pair()
    const peer = a.mesh.peer('b')!
    expect(a.log).toEqual(['up b'])
    expect(b.log).toEqual(['up a'])
    expect([...a.mesh.peers.keys()]).toEqual(['b'])
    expect(peer).toMatchObject({ node: 'b', creation: 1, version: '1.2.3', linked: true })
    expect(peer.linkedSinceMs).toBeGreaterThan(0)
  })

  test('without a name closes its link as removed, on both sides', async () => {
    const [a, b] = await world.pair()
    const peer = a.mesh.peer('b')!
    a.mesh.configure([])
    expect(a.log).toEqual(['up b', 'down b removed'])
    expect(a.mesh.peer('b')).toBeUndefined()
    expect(peer.linked).toBe(false)
    world.clock.advance(500)
    expect(b.log.slice(0, 2)).toEqual(['up a', 'down a removed'])
    expect(b.log.slice(2)).not.toContain('up a')
    expect(closings(b)).toContain('a not-configured')
  })

  test('with another address dials there', async () => {
    const [a, b] = await world.pair()
    const moved = await world.node('b', {}, { host: 'elsewhere', creation: 2 })
    moved.mesh.configure([{ node: 'a', address: 'a:1' }])
    b.mesh.configure([])
    a.mesh.configure([{ node: 'b', address: 'elsewhere:1' }])
    world.clock.until(() => a.mesh.peer('b')!.creation === 2)
    expect(a.log[0]).toBe('up b')
    expect(a.log.at(-1)).toBe('up b')
  })

  test('with the same list changes nothing', async () => {
    const [a, b] = await world.pair()
    world.introduce(a, b)
    world.clock.advance(1_000)
    expect(a.log).toEqual(['up b'])
    expect(b.log).toEqual(['up a'])
  })
})

describe('stop', () => {
  test('writes what is queued, and says goodbye', async () => {
    const [a, b] = await world.pair()
    for (let count = 0; count < 100; count++) send(a, 'b', `${count}`)
    const stopped = a.mesh.stop()
    expect(send(a, 'b', 'late')).toBe(Sent.noconnect)
    world.clock.advance(100)
    await Promise.resolve()
    world.clock.advance(100)
    await stopped
    expect(b.received).toHaveLength(100)
    expect(a.log).toEqual(['up b', 'down b local-stop'])
    expect(b.log.slice(0, 2)).toEqual(['up a', 'down a goodbye'])
    expect(a.mesh.peer('b')!.ledger.ordinary).toMatchObject({ accepted: 100, delivered: 100, lost: 0 })
    expect(a.mesh.openLinks).toBe(0)
  })

  test('gives up on a peer that does not read, and counts what it lost', async () => {
    const [a] = await world.pair()
    world.network.blackHole('a', 'b')
    const peer = a.mesh.peer('b')!
    for (let count = 0; count < 10; count++)
      peer.send(2, Lane.ordinary, Buffer.alloc(8), Buffer.alloc(50_000))
    const stopped = a.mesh.stop()
    expect(peer.queueFrames).toBeGreaterThan(0)
    expect(send(a, 'b', 'late')).toBe(Sent.noconnect)
    world.clock.advance(TEST.closeTimeoutMs * 2 + 100)
    await Promise.resolve()
    world.clock.advance(1)
    await stopped
    expect(peer.ledger.ordinary).toMatchObject({ accepted: 10, delivered: 0, lost: 10 })
    expectBalance(peer)
  })

  test('while a start is still under way leaves nothing open', async () => {
    const started = world.node('early')
    const early = new Mesh(
      { clusterId: 'c', node: 'x', creation: 1, version: '1' },
      { ...TEST, listen: 'x:1' },
      {
        clock: world.clock,
        timers: world.clock,
        random: realPorts.random,
        carrier: world.network.carrier('x'),
      },
      { up() {}, down() {}, message() {} },
    )
    const starting = early.start()
    await early.stop()
    await Promise.all([starting, started])
    expect(world.network.listening).toEqual(['early:1'])
  })

  test('of a mesh that never started is no work', async () => {
    const mesh = new Mesh(
      { clusterId: 'c', node: 'x', creation: newCreation(realPorts.clock), version: '1' },
      TEST,
      realPorts,
      { up() {}, down() {}, message() {} },
    )
    await mesh.stop()
  })
})

describe('a new mesh', () => {
  const make = (identity: object, options: object) => () =>
    new Mesh(
      { clusterId: 'c', node: 'n', creation: 1, version: '1', ...identity },
      { ...TEST, ...options },
      realPorts,
      { up() {}, down() {}, message() {} },
    )

  test.each([
    ['an empty name', { node: '' }],
    ['a name with a line break', { node: 'a\nb' }],
    ['a name of 256 bytes', { node: 'n'.repeat(256) }],
    ['a version of 65 bytes', { version: 'v'.repeat(65) }],
    ['no cluster id', { clusterId: '' }],
  ])('refuses %s', (_what, identity) => {
    expect(make(identity, {})).toThrow(expect.objectContaining({ code: 'bad-identity' }))
  })

  test.each([
    ['a queue whose half cannot hold one frame', { queueBytesMax: 2 * TEST.controlReserveBytes + 30_000 }],
    ['a budget that the longest message exceeds', { frameBytesMax: 2 * 1024 * 1024 }],
    ['fragments that others would not take', { fragmentBytesMax: 65_537 }],
    ['a budget that two full queues exceed', { queueBytesTotalMax: TEST.queueBytesMax * 2 - 1 }],
    ['a timeout of 0', { heartbeatTimeoutMs: 0 }],
    ['a probe longer than the handshake', { probeTimeoutMs: TEST.handshakeTimeoutMs }],
  ])('refuses %s', (_what, options) => {
    expect(make({}, options)).toThrow(expect.objectContaining({ code: 'bad-options' }))
  })

  test('cannot listen where another does', async () => {
    await world.node('a')
    await expect(world.node('a', {}, { host: 'a' })).rejects.toMatchObject({ code: 'address-in-use' })
  })
})

test('a peer that is cut off hears why, its link ends once, and it may come again', async () => {
  const [a, b] = await world.pair()
  a.mesh.peer('b')!.cutOff('it said what cannot be')
  world.clock.settle()
  world.clock.until(() => linked(a, b))
  expect(a.log).toEqual(['up b', 'down b misbehaved', 'up b'])
  expect(b.log).toEqual(['up a', 'down a misbehaved', 'up a'])
  expect(a.mesh.closedLinks).toContainEqual(
    expect.objectContaining({ node: 'b', reason: 'misbehaved', detail: 'it said what cannot be' }),
  )
})
