/** Peers that prove the secret and then behave badly, for minutes of virtual time. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Handshake } from '../../../transport/handshake.ts'
import {
  LAN,
  Lane,
  type Listener,
  type MeshOptions,
  type Stream,
  TEST,
  WAN,
} from '../../../transport/index.ts'
import { encodeGoodbye, FrameKind, newFrame } from '../../../transport/wire.ts'
import { messageFrame } from '../transport/golden.ts'
import { closedFor, greetingOf, linked, Stranger, send, type TestNode, World } from '../transport/world.ts'

let world: World
let listener: Listener | undefined
beforeEach(() => {
  world = new World()
})
afterEach(async () => {
  await listener?.close()
  await world.end()
})

/** A peer called `e` that takes every dial, proves itself, and then does what it likes. */
async function evil(then: (stranger: Stranger) => void): Promise<{ dials: number }> {
  const count = { dials: 0 }
  listener = await world.network.carrier('e').listen('e:1', (stream: Stream) => {
    count.dials++
    const stranger = new Stranger(stream)
    const handshake = new Handshake(
      { greeting: greetingOf('e'), secrets: ['secret'] },
      undefined,
      () => undefined,
    )
    stranger.hears = (kind, body) => {
      if (kind > FrameKind.welcome) return
      const step = handshake.receive(kind, body)
      if (step.do === 'send') stream.write([step.frame])
      if (step.do !== 'decide') return
      stream.write([handshake.verdict(undefined)])
      then(stranger)
    }
  })
  return count
}

/** A node that knows `e`, and a healthy peer. */
async function victims(options: Partial<MeshOptions>): Promise<[TestNode, TestNode]> {
  const a = await world.node('a', options)
  const b = await world.node('b', options)
  a.mesh.configure([
    { node: 'b', address: 'b:1' },
    { node: 'e', address: 'e:1' },
  ])
  b.mesh.configure([{ node: 'a', address: 'a:1' }])
  world.clock.until(() => linked(a, b))
  return [a, b]
}

test.each([
  ['LAN', LAN, 40],
  ['WAN', WAN, 10],
])(
  'one that disconnects after every message is dialled ever more rarely (%s)',
  async (_name, preset, dialsMax) => {
    const count = await evil(stranger => {
      stranger.stream.write([messageFrame(2, Lane.ordinary, Buffer.from('and out'))])
      stranger.stream.end()
    })
    const [a, b] = await victims(preset)
    world.clock.advance(60_000)
    count.dials = 0
    const minutes = 10
    world.clock.advance(minutes * 60_000)
    expect(count.dials / minutes).toBeLessThanOrEqual(dialsMax)
    expect(count.dials / minutes).toBeGreaterThan(1)
    expect(a.log.filter(line => line === 'up e').length).toBe(
      a.log.filter(line => line.startsWith('down e')).length,
    )
    expect([a.log.filter(line => line.includes('b')), b.log]).toEqual([['up b'], ['up a']])
    expect(a.mesh.closedLinks.length).toBeLessThan(preset.closedLinksMax)
  },
)

test('one that never reads has its queue filled, is down in time, and others are served', async () => {
  let silent = false
  await evil(stranger => {
    silent = true
    stranger.stream.pause()
  })
  const [a, b] = await victims({})
  world.clock.until(() => silent && a.mesh.peer('e')!.linked)
  const peer = a.mesh.peer('e')!
  while (a.mesh.peer('e')!.send(2, Lane.ordinary, Buffer.alloc(8), Buffer.alloc(50_000)) === 0)
    world.clock.turn()
  expect(peer.queueBytes).toBeLessThanOrEqual(TEST.queueBytesMax)
  send(a, 'b', 'past the one that does not read')
  world.clock.settle()
  expect(b.received).toHaveLength(1)
  const startMs = world.clock.nowMs()
  world.clock.until(() => !peer.linked)
  expect(world.clock.nowMs() - startMs).toBeLessThan(TEST.heartbeatTimeoutMs * 1.33)
  expect(peer.queueBytes).toBe(0)
})

test('one that only ever sends half a frame is heard, pinged, and down when it does not answer', async () => {
  const [half] = [newFrame(FrameKind.message, 100_000)]
  await evil(stranger => {
    stranger.stream.write([half.subarray(0, 1_000)])
    stranger.stream.pause()
  })
  const [a] = await victims({})
  world.clock.until(() => a.log.includes('up e'))
  world.clock.advance(TEST.heartbeatTimeoutMs * 1.33)
  expect(a.log).toContain('down e heartbeat-timeout')
})

test('one that reports more than it was sent is a liar, and its link ends', async () => {
  await evil(stranger => {
    const pong = newFrame(FrameKind.pong, 32)
    pong.writeBigUInt64BE(1_000n, 8 + 16)
    stranger.stream.write([pong])
  })
  const [a] = await victims({})
  world.clock.until(() => a.log.includes('down e bad-frame'))
  expect(a.mesh.peer('e')!.ledger.ordinary.delivered).toBe(0)
  expect(closedFor(a, 'bad-frame')).toBeGreaterThan(0)
})

// PROTOCOL.md: some reasons are never sent. Told by a stranger, they are booked as if this node had found them out itself.
test.each(['local-stop', 'stream-closed', 'heartbeat-timeout', 'refused', 'busy'] as const)(
  'a stranger says goodbye with %s, and is not believed',
  async reason => {
    const [a] = await victims({})
    world.network.cut('a', 'e')
    const before = closedFor(a, reason)
    const stranger = new Stranger(
      world.network.carrier('x').dial('a:1'),
      encodeGoodbye({ received: [0, 0, 0], reason, detail: 'made up' }),
    )
    world.clock.settle()
    expect(stranger.closed).not.toBe(false)
    expect(closedFor(a, reason)).toBe(before)
  },
)
