/** Strangers on a node's port, on real sockets: who listens stays responsive, owes them little, and is rid of them in time. */
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type Carrier,
  Lane,
  type MeshOptions,
  parseAddress,
  Sent,
  TEST,
  TlsCarrier,
  tcpCarrier,
} from '../../../transport/index.ts'
import { FrameKind } from '../../../transport/wire.ts'
import { Authority } from '../../support/certificates.ts'
import { areLinked, introduce, Meshes, type MeshNode } from '../../support/meshes.ts'
import { until } from '../../support/until.ts'
import { goldenFrames } from '../transport/golden.ts'
import { closedFor, Stranger, World, watched } from '../transport/world.ts'
import { liveBytes } from './harm.ts'
import { Mutator } from './mutator.ts'

// Ten thousand sockets take their time on a loaded machine.
vi.setConfig({ testTimeout: 60_000 })

const meshes = new Meshes()
afterEach(() => meshes.stop())

const authority = new Authority()
const credentials = new Map(['a', 'b', 'c'].map(name => [name, authority.issue(name)]))
const carriers: Record<string, (node: string) => Carrier> = {
  tcp: () => tcpCarrier,
  tls: node => new TlsCarrier(credentials.get(node)!),
}
/** Which of them the nodes of a test use. */
let carrier: (node: string) => Carrier

beforeEach(() => {
  carrier = carriers.tcp!
})

function node(name: string, options: Partial<MeshOptions> = {}): Promise<MeshNode> {
  return meshes.node(name, { heartbeatTimeoutMs: 2_000, ...options }, carrier(name))
}

let a: MeshNode
let b: MeshNode

/** `a` is the one that is besieged; `b` is its peer. */
async function pair(options: Partial<MeshOptions>): Promise<void> {
  a = await node('a', options)
  b = await node('b')
  introduce(a, b)
  await until(() => areLinked(a, b))
}

/** A socket to `a`, and whether it is closed. */
class Attacker {
  readonly socket: net.Socket
  closedMs = Number.NaN

  constructor(bytes: Uint8Array | undefined) {
    const { host, port } = parseAddress(a.mesh.address)
    this.socket = net.connect(port, host, () => bytes && this.socket.write(bytes))
    this.socket.on('error', () => {})
    this.socket.resume()
    this.socket.on('close', () => {
      this.closedMs = performance.now()
    })
  }
}

/** Sends from b to a while `siege` goes on; every message must arrive, soon. Returns how long they took, the median, ms. */
async function talkDuring(siege: Promise<unknown>): Promise<number> {
  let isOver = false
  const tookMs: number[] = []
  void siege.finally(() => {
    isOver = true
  })
  while (!isOver) {
    const before = a.heard.length
    const startMs = performance.now()
    expect(b.mesh.peer('a')!.send(2, Lane.ordinary, Buffer.from('still there?'), undefined)).toBe(Sent.ok)
    await until(() => a.heard.length > before, 5_000)
    tookMs.push(performance.now() - startMs)
  }
  await siege
  return tookMs.sort((one, other) => one - other)[tookMs.length >> 1]!
}

test.each([
  ['tcp', Buffer.from(goldenFrames.hello!())],
  // The beginning of a TLS record of 512 bytes that never ends.
  ['tls', Buffer.from('160301020001000001fc0303'.padEnd(1_000, '0'), 'hex')],
])(
  'slowloris over %s: 200 strangers who say a byte now and then are gone at the deadline, and a peer comes in past them',
  async (over, hello) => {
    carrier = carriers[over]!
    await pair({ handshakesMax: 256 })
    const startMs = performance.now()
    const attackers = Array.from({ length: 200 }, () => new Attacker(hello.subarray(0, 1)))
    let at = 1
    const drip = setInterval(() => {
      for (const { socket } of attackers) socket.write(hello.subarray(at, at + 1))
      at++
    }, 50)
    const siege = until(() => attackers.every(({ closedMs }) => closedMs > 0))
    await until(() => a.mesh.openLinks === 201)
    const c = await node('c')
    introduce(a, b, c)
    const [medianMs] = await Promise.all([
      talkDuring(siege),
      until(() => a.mesh.peer('c')!.linked).then(() => expect(a.mesh.openLinks).toBeGreaterThan(200)),
    ])
    clearInterval(drip)
    const goneMs = Math.max(...attackers.map(({ closedMs }) => closedMs)) - startMs
    // By the machine's clock, and with its load; on a clock that stands still it is a second (below).
    expect(goneMs).toBeLessThan(TEST.handshakeTimeoutMs + 3_000)
    expect(medianMs).toBeLessThan(250)
    expect(a.mesh.closedCounts.get('handshake-timeout')).toBe(200)
    expect(a.log).toEqual(['up b', 'up c'])
    await until(() => a.mesh.openLinks === 2)
  },
)

test('more strangers than there is room for are turned away at once, and peers get in when they have gone', async () => {
  await pair({ handshakesMax: 8 })
  const attackers = Array.from({ length: 50 }, () => new Attacker(undefined))
  await until(() => a.mesh.closedCounts.get('busy') === 42)
  expect(a.mesh.openLinks).toBe(1 + 8)
  const c = await node('c')
  introduce(a, b, c)
  await until(() => areLinked(a, c))
  await until(() => attackers.every(({ closedMs }) => closedMs > 0))
  expect(a.log.filter(line => line.startsWith('down'))).toEqual([])
})

test.each([
  ['tcp', 100],
  ['tls', 20],
])(
  'garbage hellos over %s, %i volleys of a hundred: each is answered with a close, none costs anything',
  async (over, volleys) => {
    carrier = carriers[over]!
    await pair({ handshakesMax: 256 })
    const mutator = new Mutator(3, [])
    const corpus = Object.values(goldenFrames).map(frame => frame())
    const garbage = () =>
      mutator.below(2) === 0 ? mutator.bytes(9 + mutator.below(200)) : Buffer.from(mutator.pick(corpus))
    const volley = async () => {
      const attackers = Array.from({ length: 100 }, () => new Attacker(garbage()))
      // Some say so little, or so much of a length, that only the deadline ends them; they go by themselves.
      await sleep(5)
      for (const { socket } of attackers) if (mutator.below(4) === 0) socket.resetAndDestroy()
      await until(() => attackers.filter(({ closedMs }) => closedMs > 0).length > 90)
      for (const { socket } of attackers) socket.destroy()
    }
    await volley()
    const before = liveBytes()
    const siege = (async () => {
      for (let times = 1; times < volleys; times++) await volley()
    })()
    const medianMs = await talkDuring(siege)
    expect(medianMs).toBeLessThan(250)
    await until(() => a.mesh.openLinks === 1)
    expect(liveBytes() - before).toBeLessThan(8_000_000)
    let endings = 0
    for (const count of a.mesh.closedCounts.values()) endings += count
    expect(endings).toBeGreaterThan(volleys * 99)
    expect(a.mesh.closedLinks.length).toBeLessThanOrEqual(TEST.closedLinksMax)
    expect([a.log, b.log]).toEqual([['up b'], ['up a']])
  },
)

test('a first frame that is too long ends the link at its header, without waiting for the rest', async () => {
  await pair({})
  const header = Buffer.from([0, 0, 4, 0, FrameKind.hello, 0, 0, 0])
  const startMs = performance.now()
  const attacker = new Attacker(header)
  await until(() => attacker.closedMs > 0)
  expect(attacker.closedMs - startMs).toBeLessThan(TEST.handshakeTimeoutMs)
  expect(a.mesh.closedCounts.get('bad-frame')).toBe(1)
})

test('a node that is told that a peer lives at its own address finds itself there, and nobody else', async () => {
  a = await node('a')
  a.mesh.configure([{ node: 'b', address: a.mesh.address }])
  await until(() => a.mesh.closedCounts.get('wrong-name')! >= 4)
  expect(a.log).toEqual([])
  expect(a.mesh.openLinks).toBeLessThanOrEqual(2)
  a.mesh.configure([])
  await until(() => a.mesh.openLinks === 0)
})

describe('on a clock that stands still', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.end())

  test('a stranger who says a byte now and then is gone within the deadline and a second', async () => {
    const victim = await world.node('a')
    const stranger = new Stranger(world.network.carrier('x').dial('a:1'))
    const hello = goldenFrames.hello!()
    world.clock.settle()
    const startMs = world.clock.nowMs()
    for (let at = 0; stranger.closed === false && at < hello.length; at++) {
      stranger.stream.write([hello.subarray(at, at + 1)])
      world.clock.advance(50)
    }
    expect(closedFor(victim, 'handshake-timeout')).toBe(1)
    expect(world.clock.nowMs() - startMs).toBeGreaterThanOrEqual(TEST.handshakeTimeoutMs)
    expect(world.clock.nowMs() - startMs).toBeLessThan(TEST.handshakeTimeoutMs + 1_000)
  })

  test('a recorded handshake that is played again proves nothing, and the peer that it was stolen from keeps its link', async () => {
    const writes: Uint8Array[][] = []
    const victim = await world.node('a')
    const peer = await world.node('b', {}, { carrier: watched(world.network.carrier('b'), writes) })
    // Only b dials, so that what it writes is a dialler's half.
    world.network.refuse('b:1')
    victim.mesh.configure([{ node: 'b', address: 'b:1' }])
    peer.mesh.configure([{ node: 'a', address: 'a:1' }])
    world.clock.until(() => victim.log.includes('up b'))
    const [hello, proof] = writes.map(chunks => Buffer.concat(chunks))
    expect([hello![4], proof![4]]).toEqual([FrameKind.hello, FrameKind.proof])

    const thief = new Stranger(world.network.carrier('x').dial('a:1'), hello)
    thief.hears = kind => {
      if (kind === FrameKind.challenge) thief.stream.write([proof!])
    }
    world.clock.advance(50)
    expect(closedFor(victim, 'wrong-secret')).toBe(1)
    expect(thief.closed).not.toBe(false)
    expect(thief.frames.map(({ kind }) => kind)).toEqual([FrameKind.challenge, FrameKind.goodbye])
    expect([victim.log, peer.log]).toEqual([['up b'], ['up a']])
  })
})
