import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LAN, Lane, type MeshOptions, TEST, WAN } from '../../../transport/index.ts'
import { linked, send, World, watched } from './world.ts'

let world: World
beforeEach(() => {
  world = new World({ latencyMs: 1 })
})
afterEach(() => world.end())

describe('a peer that falls silent', () => {
  test.each<[string, MeshOptions]>([
    ['LAN', LAN],
    ['WAN', WAN],
    ['TEST', TEST],
  ])('is down between 0.67 and 1.33 of the timeout (%s), whenever it happens', async (_name, options) => {
    const timeoutMs = options.heartbeatTimeoutMs
    const { secrets: _, ...preset } = options
    const [a, b] = await world.pair(preset)
    for (let phase = 0; phase < 12; phase++) {
      world.clock.advance(options.stableMs + phase * 0.11 * timeoutMs)
      const downs = a.log.length
      world.network.blackHole('a', 'b')
      const tookMs = world.clock.until(() => a.log.length > downs, timeoutMs * 2)
      expect(a.log.at(-1)).toBe('down b heartbeat-timeout')
      expect(tookMs / timeoutMs).toBeGreaterThan(0.67)
      expect(tookMs / timeoutMs).toBeLessThan(1.33)
      world.network.heal('a', 'b')
      world.clock.until(() => linked(a, b), options.backoffMsMax * 3)
    }
  })

  test('in one direction only is down on the side that hears nothing, and soon on both', async () => {
    const [a, b] = await world.pair()
    world.network.blackHole('b', 'a', true)
    const tookMs = world.clock.until(() => a.log.length > 1)
    expect(a.log.at(-1)).toBe('down b heartbeat-timeout')
    expect(tookMs).toBeLessThan(TEST.heartbeatTimeoutMs * 1.33)
    world.clock.until(() => b.log.length > 1)
    world.network.heal('a', 'b')
    world.clock.until(() => linked(a, b))
  })
})

describe('a link stays up', () => {
  test('while it is idle, for as long as one likes', async () => {
    const [a, b] = await world.pair()
    world.clock.advance(60_000)
    expect([a.log, b.log]).toEqual([['up b'], ['up a']])
  })

  test('while only one side talks', async () => {
    const [a, b] = await world.pair()
    for (let step = 0; step < 500; step++) {
      send(a, 'b', 'still here')
      world.clock.advance(10)
    }
    expect([a.log, b.log]).toEqual([['up b'], ['up a']])
    expect(b.received).toHaveLength(500)
  })

  test('when our own loop stood still for longer than the timeout', async () => {
    const [a, b] = await world.pair()
    for (let stall = 0; stall < 10; stall++) {
      world.clock.advance(333)
      world.clock.stall(TEST.heartbeatTimeoutMs * 3)
      world.clock.advance(50)
    }
    expect([a.log, b.log]).toEqual([['up b'], ['up a']])
  })

  test('during a stall, but not for a peer that then stays silent', async () => {
    const [a] = await world.pair()
    world.network.blackHole('a', 'b')
    world.clock.stall(TEST.heartbeatTimeoutMs * 3)
    const tookMs = world.clock.until(() => a.log.length > 1)
    expect(tookMs).toBeLessThan(TEST.heartbeatTimeoutMs * 1.33)
    world.network.heal('a', 'b')
  })
})

describe('a heartbeat', () => {
  test('measures the round trip', async () => {
    const [a] = await world.pair()
    expect(a.mesh.peer('b')!.roundTripMs).toBeNaN()
    world.clock.advance(TEST.heartbeatTimeoutMs)
    expect(a.mesh.peer('b')!.roundTripMs).toBe(2)
  })

  test('waits while the stream is full, and comes first when it drains', async () => {
    const writes: Uint8Array[][] = []
    const a = await world.node('a')
    const b = await world.node('b', {}, { carrier: watched(world.network.carrier('b'), writes) })
    world.introduce(a, b)
    world.clock.until(() => linked(a, b))
    world.network.blackHole('b', 'a', true)
    for (let count = 0; count < 4; count++)
      b.mesh.peer('a')!.send(2, Lane.ordinary, Buffer.alloc(8), Buffer.alloc(60_000))
    world.clock.settle()
    const before = writes.length
    world.clock.advance(TEST.heartbeatTimeoutMs * 0.6)
    expect(writes.length).toBe(before)
    expect(a.mesh.peer('b')!.roundTripMs).toBeNaN()
    world.network.heal('b', 'a')
    world.clock.advance(10)
    expect(a.mesh.peer('b')!.roundTripMs).toBeGreaterThan(10)
    expect(a.received).toHaveLength(4)
  })

  test('tells the totals within about a quarter of the timeout, also when nobody is ever idle', async () => {
    const [a, b] = await world.pair()
    for (let step = 0; step < 200; step++) {
      send(a, 'b', 'x')
      send(b, 'a', 'y')
      world.clock.advance(5)
    }
    for (const [node, other] of [
      [a, 'b'],
      [b, 'a'],
    ] as const) {
      const { accepted, delivered } = node.mesh.peer(other)!.ledger.ordinary
      expect(accepted).toBe(200)
      expect(accepted - delivered).toBeLessThan((TEST.heartbeatTimeoutMs * 0.4) / 5)
    }
  })

  test('needs no timer of its own: one sweep for all peers', async () => {
    const hub = await world.node('hub')
    const spokes = await Promise.all(
      Array.from({ length: 20 }, (_, at) => world.node(`spoke${at}`, { handshakesMax: 64 })),
    )
    const timers = world.clock.pendingTimers
    world.introduce(hub, ...spokes)
    world.clock.until(() => [...hub.mesh.peers.values()].every(peer => peer.linked))
    world.clock.advance(500)
    world.clock.settle()
    expect(timers).toBe(21)
    expect(world.clock.pendingTimers).toBeLessThanOrEqual(timers + world.network.openStreams)
  })
})
