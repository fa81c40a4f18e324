/** An alarm: the ledgers of the two ends cannot both be right. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Handshake } from '../../../transport/handshake.ts'
import { Lane, TEST } from '../../../transport/index.ts'
import { decodeBeat, encodeBeat, encodeGoodbye, FrameKind } from '../../../transport/wire.ts'
import { messageFrame } from './golden.ts'
import { greetingOf, Stranger, send, type TestNode, World } from './world.ts'

let world: World
let a: TestNode
beforeEach(async () => {
  world = new World()
  a = await world.node('a')
  a.mesh.configure([{ node: 'mallory', address: 'nowhere:1' }])
})
afterEach(() => world.end())

/** A proven peer that answers pings with the totals that it is told to, and otherwise behaves. */
function liar(received: () => [number, number, number]): Stranger {
  const self = { greeting: greetingOf('mallory'), secrets: ['secret'] }
  const handshake = new Handshake(self, 'a', () => undefined)
  const mallory = new Stranger(world.network.carrier('mallory').dial('a:1'), handshake.hello())
  mallory.hears = (kind, body) => {
    if (kind === FrameKind.ping) {
      const { timeMs } = decodeBeat(body)!
      mallory.stream.write([encodeBeat(FrameKind.pong, { timeMs, received: received() })])
    } else if (kind < FrameKind.message) {
      const step = handshake.receive(kind, body)
      if (step.do === 'send') mallory.stream.write([step.frame])
    }
  }
  return mallory
}

test('a peer that drips the bytes of a frame that never ends is no live peer', () => {
  const mallory = liar(() => [0, 0, 0])
  world.clock.until(() => a.log.length === 1)
  mallory.stream.write([messageFrame(2, Lane.ordinary, Buffer.alloc(60_000)).subarray(0, 20)])
  const tookMs = world.clock.until(() => {
    mallory.stream.write([Buffer.alloc(1)])
    return a.log.length === 2
  }, 10 * TEST.heartbeatTimeoutMs)
  expect(a.log).toEqual(['up mallory', 'down mallory heartbeat-timeout'])
  expect(tookMs).toBeGreaterThan(3 * TEST.heartbeatTimeoutMs)
  expect(tookMs).toBeLessThan(5 * TEST.heartbeatTimeoutMs)
})

test('a goodbye before the link is up raises none, whatever totals it tells', () => {
  world.network.blackHole('a', 'mallory', true)
  const self = { greeting: greetingOf('mallory'), secrets: ['secret'] }
  const handshake = new Handshake(self, 'a', () => undefined)
  const mallory = new Stranger(world.network.carrier('mallory').dial('a:1'), handshake.hello())
  mallory.stream.write([encodeGoodbye({ received: [0, 8, 0], reason: 'goodbye', detail: '' })])
  world.clock.until(() => a.mesh.closedLinks.length > 0)
  expect([a.mesh.alarms, a.alarms]).toEqual([0, []])
  world.network.heal('a', 'mallory')
})

test('a peer that has what was never sent raises one, and its link ends', () => {
  liar(() => [0, 5, 0])
  world.clock.until(() => a.log.length === 2)
  expect(a.log).toEqual(['up mallory', 'down mallory bad-frame'])
  expect([a.mesh.alarms, a.mesh.peer('mallory')!.alarms]).toEqual([1, 1])
  expect(a.alarms[0]).toMatch(/^mallory lane 1: 5 received .* of 0 written$/)
})

test('a peer that answers a ping, and not what came before it, raises one, and stays', () => {
  liar(() => [0, 1, 0])
  world.clock.until(() => a.log.length === 1)
  send(a, 'mallory', 'came')
  send(a, 'mallory', 'vanished')
  world.clock.until(() => a.mesh.alarms > 0)
  expect(a.alarms[0]).toBe('mallory lane 1: 2 written before a ping, 1 received by its answer')
  expect(a.log).toEqual(['up mallory'])
  expect(a.mesh.peer('mallory')!.inFlightFramesOf(Lane.ordinary)).toBe(1)
})

test('a peer that tells the truth raises none', () => {
  let count = 0
  liar(() => [0, count, 0])
  world.clock.until(() => a.log.length === 1)
  for (let step = 0; step < 20; step++) {
    send(a, 'mallory', 'came')
    world.clock.settle()
    count++
    world.clock.advance(50)
  }
  expect(a.mesh.peer('mallory')!.ledger.ordinary.delivered).toBeGreaterThan(10)
  expect([a.mesh.alarms, a.alarms]).toEqual([0, []])
})
