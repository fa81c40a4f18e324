/** What a phone, or a stranger, can do at worst: each limit, its code, and what the others notice of it: nothing. */
import { describe, expect, test } from 'vitest'
import type { PhoneErrorCode } from '../../../node/connections/error-codes.ts'
import { encodeFrame } from '../../../node/connections/frames.ts'
import { BODY_BYTES_MAX } from '../../../node/connections/protocol.ts'
import type { SendReply } from '../../../node/services/mailbox/messages.ts'
import { never, type RawPhone, World } from './world.ts'

const send = (seq: number, body = 'x', to = 'bob') => ({ t: 'send', seq, to, body })

function header(length: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, length)
  return bytes
}

/** The phone was closed with this code, and nothing of it is left. */
function expectClosed(world: World, phone: RawPhone, code: PhoneErrorCode): void {
  expect(phone.of('error').at(-1)).toMatchObject({ code })
  expect(phone.isClosed).toBe(true)
  expect(world.stats.refusals[code]).toBe(1)
  expect(world.runtime.stats().processes).toBe(1)
}

describe('before login', () => {
  test('a stranger who says nothing is closed at the deadline', async () => {
    const world = await World.start({ loginTimeoutMs: 100, sweepMs: 10 })
    const phone = await world.dial()
    await world.time.advance(95)
    expect(phone.isClosed).toBe(false)
    await world.time.advance(20)
    expectClosed(world, phone, 'login-timeout')
    expect(world.stats.unproven).toBe(0)
  })

  test('a stranger who says one byte at a time gains no time by it', async () => {
    const world = await World.start({ loginTimeoutMs: 100, sweepMs: 10 })
    const phone = await world.dial()
    const login = encodeFrame({ t: 'login', user: 'alice', key: 'key-alice' })
    for (let at = 0; at < 11; at++) {
      await phone.bytes(login.subarray(at, at + 1))
      await world.time.advance(10)
    }
    expectClosed(world, phone, 'login-timeout')
  })

  test('registering again and again gains no time either', async () => {
    const world = await World.start({ loginTimeoutMs: 100, sweepMs: 10 })
    const phone = await world.dial()
    for (let i = 0; i < 11; i++) {
      await phone.say({ t: 'register', user: 'alice' })
      await world.time.advance(10)
    }
    expectClosed(world, phone, 'login-timeout')
  })

  test('a frame over 1 KiB is too big', async () => {
    const world = await World.start()
    const phone = await world.dial()
    await phone.bytes(header(1025))
    expectClosed(world, phone, 'frame-too-big')
  })

  test('garbage is a bad frame', async () => {
    const world = await World.start()
    const phone = await world.dial()
    await phone.bytes(header(7), new TextEncoder().encode('garbage'))
    expectClosed(world, phone, 'bad-frame')
  })

  test('another protocol is a frame too big', async () => {
    const world = await World.start()
    const phone = await world.dial()
    await phone.bytes(new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'))
    expectClosed(world, phone, 'frame-too-big')
  })

  test('one address cannot take all places, and who logs in gives its place back', async () => {
    const world = await World.start({ unprovenMax: 8, unprovenPerAddressMax: 4 })
    for (let i = 0; i < 4; i++) await world.dial('mallory')
    const fifth = await world.dial('mallory')
    expect(fifth.heard).toMatchObject([
      { t: 'go-away', reason: 'overload', alternatives: ['other:1', 'other:2'] },
    ])
    expect(fifth.isClosed).toBe(true)
    for (let i = 0; i < 12; i++) expect((await world.loggedIn('alice')).of('welcome')).toHaveLength(1)
    expect(world.stats).toMatchObject({ unproven: 4, connections: 12, turnedAway: 1 })
  })

  test('the node has a bounded number of places', async () => {
    const world = await World.start({ unprovenMax: 8, unprovenPerAddressMax: 4 })
    for (let i = 0; i < 8; i++) await world.dial(`stranger-${i}`)
    expect((await world.dial('one-more')).of('go-away')).toHaveLength(1)
    await world.time.advance(200)
    expect((await world.loggedIn('alice')).of('welcome')).toHaveLength(1)
  })

  test('a stream that we closed and the other end keeps open is cut off', async () => {
    const world = await World.start({ lingerMs: 50, sweepMs: 10 })
    const phone = await world.dial()
    world.network.blackHole('chat1', 'alice-phone', true)
    await phone.bytes(header(9999))
    await world.time.advance(45)
    expect(world.network.openStreams).toBe(2)
    await world.time.advance(20)
    expect(world.network.openStreams).toBeLessThan(2)
  })
})

describe('a phone that is logged in', () => {
  test('may send frames of 64 KiB and no more', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    await phone.bytes(header(65_536))
    expect(phone.isClosed).toBe(false)
    const other = await world.loggedIn('carol')
    await other.bytes(header(65_537))
    expect(other.of('error')).toMatchObject([{ code: 'frame-too-big' }])
    expect([phone.isClosed, other.isClosed]).toEqual([false, true])
  })

  test('is closed for a bad frame', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    await phone.say({ t: 'send', seq: 0, to: 'bob', body: 'x' })
    expectClosed(world, phone, 'bad-frame')
  })

  test('is told of a message that this version does not know, and stays', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    await phone.say({ t: 'dance' }, { t: 'ping' })
    expect(phone.heard.slice(1)).toMatchObject([{ t: 'error', code: 'unsupported' }, { t: 'pong' }])
  })

  test('loses a text over 32 KiB, or to nobody, and only that', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    await phone.say(
      send(1, 'ü'.repeat(BODY_BYTES_MAX / 2 + 1)),
      send(2, 'x', 'no body'),
      send(3, 'ü'.repeat(BODY_BYTES_MAX / 2)),
    )
    expect(phone.of('error')).toMatchObject([
      { code: 'body-too-big', seq: 1 },
      { code: 'bad-user', seq: 2 },
    ])
    expect(phone.of('sent')).toMatchObject([{ seq: 3 }])
  })

  test('may have 32 texts unanswered; what comes behind the 33rd waits for it, so that order holds', async () => {
    const world = await World.start()
    const answers: ((reply: SendReply) => void)[] = []
    world.onSend = () => new Promise(resolve => answers.push(resolve))
    const phone = await world.loggedIn('alice')
    await phone.say(...Array.from({ length: 33 }, (_, n) => send(n + 1)))
    expect(phone.of('error')).toMatchObject([{ code: 'too-many-unacknowledged', seq: 33 }])
    const { retryAfterMs } = phone.of('error')[0]!
    expect(retryAfterMs).toBeGreaterThan(0)
    answers.shift()!({ level: 'replicated' })
    await world.time.settle()
    // There is room now, but the 34th must not pass the 33rd.
    await phone.say(send(34))
    expect(phone.of('error')).toMatchObject([{ seq: 33 }, { code: 'too-many-unacknowledged', seq: 34 }])
    await phone.say(send(33))
    world.onSend = () => ({ level: 'replicated' })
    answers.shift()!({ level: 'replicated' })
    await world.time.settle()
    await phone.say(send(34))
    expect(world.sends.map(({ number }) => number % 2 ** 32)).toEqual(
      Array.from({ length: 34 }, (_, n) => n + 1),
    )
  })

  test('is slowed down beyond its rate, in order, and loses nothing by it', async () => {
    const world = await World.start({ sendsPerSecond: 10, sendsBurst: 5 })
    const phone = await world.loggedIn('alice')
    await phone.say(...[1, 2, 3, 4, 5, 6, 7].map(seq => send(seq)))
    expect(phone.of('sent').map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
    expect(phone.of('error')).toMatchObject([
      { code: 'rate', seq: 6 },
      { code: 'rate', seq: 7 },
    ])
    await world.time.advance(phone.of('error')[1]!.retryAfterMs! + 100)
    await phone.say(send(7))
    expect(phone.of('error')).toHaveLength(3)
    await world.time.advance(200)
    await phone.say(send(6), send(7))
    expect(phone.of('sent').map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test('is closed when it goes on and on beyond its rate', async () => {
    const world = await World.start({ sendsPerSecond: 10, sendsBurst: 5 })
    const phone = await world.loggedIn('alice')
    await phone.say(...Array.from({ length: 50 }, (_, n) => send(n + 1)))
    expect(phone.of('error').at(-1)).toMatchObject({ code: 'rate' })
    expect(phone.of('error').at(-1)).not.toHaveProperty('seq')
    expect(phone.isClosed).toBe(true)
    const pinging = await world.loggedIn('carol')
    await pinging.say(...Array.from({ length: 500 }, () => ({ t: 'ping' })))
    expect(pinging.isClosed).toBe(true)
  })

  test('is closed when it does not read', async () => {
    const world = await World.start({ pendingBytesMax: 256 * 1024 })
    const phone = await world.loggedIn('alice')
    phone.stream.pause()
    for (let i = 0; i < 20; i++) {
      const messages = [{ from: 'bob', number: i + 1, body: 'x'.repeat(30_000), sentAtMs: 1, late: false }]
      world.toSession({ op: 'deliver', attachment: 1, messages }, world.attaches[0]!.request.session)
      await world.time.settle()
    }
    expect(world.stats.refusals['slow-reader']).toBe(1)
    expect(world.stats.connections).toBe(0)
    expect(world.runtime.stats().processes).toBe(1)
  })

  test('that reads in time gets all of it, however much', async () => {
    const world = await World.start({ pendingBytesMax: 256 * 1024 })
    const phone = await world.loggedIn('alice')
    for (let i = 0; i < 20; i++) {
      const messages = [{ from: 'bob', number: i + 1, body: 'x'.repeat(30_000), sentAtMs: 1, late: false }]
      world.toSession({ op: 'deliver', attachment: 1, messages })
      await world.time.settle()
    }
    expect(phone.of('deliver')).toHaveLength(20)
  })

  test('whose stream is full for a while gets the rest when it reads again', async () => {
    const world = await World.start({ pendingBytesMax: 1024 * 1024 })
    const phone = await world.loggedIn('alice')
    phone.stream.pause()
    const numbers = Array.from({ length: 20 }, (_, n) => n + 1)
    for (const number of numbers) {
      const messages = [{ from: 'bob', number, body: 'x'.repeat(30_000), sentAtMs: 1, late: false }]
      world.toSession({ op: 'deliver', attachment: 1, messages })
      await world.time.settle()
    }
    expect(phone.of('deliver')).toEqual([])
    phone.stream.resume()
    await world.time.settle()
    expect(phone.of('deliver').flatMap(({ messages }) => messages.map(({ number }) => number))).toEqual(
      numbers,
    )
  })

  test('that floods its mailbox with a hanging island holds 32 texts and no more', async () => {
    const world = await World.start()
    world.onSend = () => never
    const phone = await world.loggedIn('alice')
    for (let i = 0; i < 5; i++) {
      await phone.say(...Array.from({ length: 40 }, (_, n) => send(i * 40 + n + 1, 'x', `user-${n}`)))
      await world.time.advance(5)
    }
    expect(new Set(world.sends.map(({ number }) => number)).size).toBe(32)
  })
})
