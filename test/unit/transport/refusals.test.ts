import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeGreeting, encodeProof, handshakeFrameBytesMax } from '../../../transport/greeting.ts'
import { Handshake } from '../../../transport/handshake.ts'
import { type CloseReason, TEST } from '../../../transport/index.ts'
import { decodeGoodbye, encodeBeat, FrameKind, newFrame } from '../../../transport/wire.ts'
import { messageFrame } from './golden.ts'
import { closedFor, closings, greetingOf, linked, Stranger, send, type TestNode, World } from './world.ts'

let world: World
let a: TestNode
let b: TestNode
beforeEach(async () => {
  world = new World()
  ;[a, b] = await world.pair()
})
afterEach(async () => {
  expectUntouched()
  await world.end()
})

/** Whatever happened, the link between a and b has not noticed. */
function expectUntouched(): void {
  const before = b.received.length
  send(a, 'b', 'still here')
  world.clock.settle()
  expect(b.received.length).toBe(before + 1)
  expect([a.log, b.log]).toEqual([['up b'], ['up a']])
}

function stranger(first?: Uint8Array): Stranger {
  return new Stranger(world.network.carrier('stranger').dial('a:1'), first)
}

/** The reason that a stranger was told in a goodbye. */
function toldReason({ frames }: Stranger): CloseReason | undefined {
  const goodbye = frames.find(({ kind }) => kind === FrameKind.goodbye)
  return goodbye && decodeGoodbye(goodbye.body)?.reason
}

function hello(bent: Parameters<typeof greetingOf>[1] = {}): Uint8Array {
  return encodeGreeting(FrameKind.hello, greetingOf('b', bent))
}

describe('a stranger is turned away, told why, counted and remembered:', () => {
  test.each<[CloseReason, string, Uint8Array]>([
    ['bad-frame', 'a web browser', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
    ['bad-frame', 'zeros', Buffer.alloc(64)],
    ['bad-frame', 'a TLS hello', Buffer.from('16030100f8010000f40303', 'hex')],
    ['bad-frame', 'a first frame over 1 KiB', newFrame(FrameKind.hello, handshakeFrameBytesMax)],
    ['bad-frame', 'a hello without magic', newFrame(FrameKind.hello, 200)],
    ['bad-frame', 'a message before any hello', messageFrame(2, 1, Buffer.from('x'))],
    ['bad-frame', 'a ping before any hello', encodeBeat(FrameKind.ping, { timeMs: 0, received: [0, 0, 0] })],
    ['foreign-cluster', 'of another cluster', hello({ clusterId: 'other' })],
    ['version', 'from the future', hello({ protocolMin: 2, protocolMax: 9 })],
    ['version', 'that needs what we lack', hello({ featuresRequired: 0x8000_0000 })],
    ['wrong-name', 'that looks for somebody else', hello({ target: 'z' })],
    ['not-configured', 'that nobody configured', hello({ node: 'nobody' })],
  ])('%s: %s', (reason, _what, first) => {
    const lost = stranger(first)
    world.clock.advance(TEST.closeTimeoutMs + 50)
    expect(lost.closed).not.toBe(false)
    expect(toldReason(lost)).toBe(reason)
    expect(a.mesh.closedLinks.at(-1)!.reason).toBe(reason)
    expect(closedFor(a, reason)).toBe(1)
    expect(a.mesh.openLinks).toBe(1)
  })

  test('wrong-secret', () => {
    const handshake = new Handshake({ greeting: greetingOf('b'), secrets: ['guess'] }, 'a', () => undefined)
    const liar = stranger(handshake.hello())
    liar.hears = (kind, body) => {
      if (kind !== FrameKind.challenge) return
      const step = handshake.receive(kind, body)
      if (step.do === 'send') liar.stream.write([step.frame])
    }
    world.clock.advance(50)
    expect(toldReason(liar)).toBe('wrong-secret')
    expect(closings(a)).toContain('b wrong-secret')
  })

  test('wrong-secret, for a proof of nothing', () => {
    const liar = stranger(hello())
    liar.hears = kind => {
      if (kind === FrameKind.challenge) liar.stream.write([encodeProof(new Uint8Array(32))])
    }
    world.clock.advance(50)
    expect(toldReason(liar)).toBe('wrong-secret')
  })
})

describe('a stranger that takes its time', () => {
  test.each([
    ['says nothing', 0],
    ['says a byte now and then', 1],
  ])('and %s is out after one total deadline', (_what, bytesAtOnce) => {
    const slow = stranger()
    const bytes = hello()
    let at = 0
    const tookMs = world.clock.until(() => {
      if (world.clock.nowMs() % 50 < 1 && at < bytes.length - 1)
        slow.stream.write([bytes.subarray(at, at + bytesAtOnce)])
      at += bytesAtOnce
      return closedFor(a, 'handshake-timeout') === 1
    }, 10_000)
    expect(tookMs).toBeGreaterThanOrEqual(TEST.handshakeTimeoutMs)
    expect(tookMs).toBeLessThan(TEST.handshakeTimeoutMs * 1.1)
    world.clock.advance(50)
    expect(toldReason(slow)).toBe('handshake-timeout')
    expect(slow.closed).not.toBe(false)
  })

  test('has company up to a cap; the next one is turned away at once, and there is room again later', () => {
    const early = Array.from({ length: TEST.handshakesMax }, () => stranger())
    world.clock.settle()
    const late = stranger()
    world.clock.settle()
    expect(late.closed).not.toBe(false)
    expect(closedFor(a, 'busy')).toBe(1)
    expect(early.every(({ closed }) => closed === false)).toBe(true)
    world.clock.advance(TEST.handshakeTimeoutMs + TEST.closeTimeoutMs + 50)
    expect(early.every(({ closed }) => closed !== false)).toBe(true)
    const next = stranger(hello())
    world.clock.settle()
    expect(next.frames.map(({ kind }) => kind)).toEqual([FrameKind.challenge])
  })
})

describe('two nodes that do not fit', () => {
  test.each<[CloseReason, object, object]>([
    ['foreign-cluster', {}, { clusterId: 'other' }],
    ['wrong-secret', { secrets: ['other'] }, {}],
  ])('%s: each knows why, and the one that dials is told', async (reason, options, identity) => {
    const misfit = await world.node('misfit', options, identity)
    misfit.mesh.configure([{ node: 'c', address: 'c:1' }])
    const c = await world.node('c')
    c.mesh.configure([{ node: 'misfit', address: 'misfit:1' }])
    world.clock.advance(500)
    expect(misfit.log).toContain(`refused c ${reason}`)
    expect(c.log).toContain(`refused misfit ${reason}`)
    expect(closedFor(misfit, reason)).toBeGreaterThan(1)
    expect(closedFor(c, reason)).toBeGreaterThan(1)
    expect(linked(misfit, c)).toBe(false)
  })

  test('wrong-name: dialled one, another answered', async () => {
    const c = await world.node('c')
    c.mesh.configure([{ node: 'd', address: 'b:1' }])
    world.clock.advance(50)
    expect(c.log).toContain('refused d wrong-name')
    expect(closings(b)).toContain('c wrong-name')
  })

  test('not-configured: the dialler is unknown there', async () => {
    const c = await world.node('c')
    c.mesh.configure([{ node: 'b', address: 'b:1' }])
    world.clock.advance(50)
    expect(c.log).toContain('refused b not-configured')
    expect(closings(b)).toContain('c not-configured')
  })
})

describe('a proven peer that breaks the protocol is closed as bad-frame', () => {
  test.each<[string, Uint8Array]>([
    ['by a kind that nobody knows', newFrame(99 as FrameKind, 0)],
    ['by a second hello', hello()],
    ['by a message of no lane', messageFrame(1, 2, Buffer.from('x')).fill(3, 5, 6)],
    ['by a frame longer than we take', newFrame(FrameKind.message, TEST.frameBytesMax)],
    ['by a ping without totals', newFrame(FrameKind.ping, 8)],
    [
      'by totals of messages that were never sent',
      encodeBeat(FrameKind.pong, { timeMs: 0, received: [0, 1, 0] }),
    ],
    ['by a goodbye of nothing', newFrame(FrameKind.goodbye, 0)],
  ])('%s', async (_what, bytes) => {
    const c = await world.node('c')
    c.mesh.configure([{ node: 'mallory', address: 'nowhere:1' }])
    const self = { greeting: greetingOf('mallory', { target: 'c' }), secrets: ['secret'] }
    const handshake = new Handshake(self, 'c', () => undefined)
    const mallory = new Stranger(world.network.carrier('mallory').dial('c:1'), handshake.hello())
    mallory.hears = (kind, body) => {
      if (kind === FrameKind.goodbye) return
      const step = handshake.receive(kind, body)
      if (step.do === 'send') mallory.stream.write([step.frame])
      if (step.do === 'open') mallory.stream.write([bytes])
    }
    world.clock.advance(TEST.closeTimeoutMs + 50)
    expect(c.log).toEqual(['up mallory', 'down mallory bad-frame'])
    expect(toldReason(mallory)).toBe('bad-frame')
    expect(mallory.closed).not.toBe(false)
    expect(c.mesh.closedLinks.find(({ reason }) => reason === 'bad-frame')).toMatchObject({ node: 'mallory' })
  })
})

describe('the ring of closed links', () => {
  test('keeps the last ones, and folds what repeats', async () => {
    for (let count = 0; count < 200; count++) {
      stranger(hello({ node: `nobody${count}` }))
      stranger(hello({ clusterId: 'other' }))
      world.clock.advance(TEST.closeTimeoutMs + 50)
    }
    const ring = a.mesh.closedLinks
    expect(ring).toHaveLength(TEST.closedLinksMax)
    expect(ring.find(({ reason }) => reason === 'foreign-cluster')).toMatchObject({ node: 'b', times: 200 })
    expect(ring.at(-1)!.at).toBeGreaterThan(Date.UTC(2029, 0, 1))
    expect(closedFor(a, 'not-configured')).toBe(200)
  })

  test('shows names from strangers without control characters', () => {
    stranger(hello({ node: 'evil\x1b[2J\nname' }))
    world.clock.advance(50)
    expect(a.mesh.closedLinks.at(-1)!.node).toBe('evil?[2J?name')
  })
})
