/** A phone's connection: login, texts out, texts in, and every limit with its code. */
import { describe, expect, test } from 'vitest'
import { DEVICE_FACTOR } from '../../../node/connections/protocol.ts'
import type { SendReply } from '../../../node/services/mailbox/messages.ts'
import { never, World } from './world.ts'

const text = (from: string, number: number, body = 'hi') => ({ from, number, body, sentAtMs: 5, late: false })

describe('login', () => {
  test('register, confirm and login on one connection lead to welcome', async () => {
    const world = await World.start()
    const phone = await world.dial()
    await phone.say({ t: 'register', user: 'alice' })
    await phone.say({ t: 'confirm', user: 'alice', pin: '1234' })
    await phone.say({ t: 'login', user: 'alice', key: 'key-alice' })
    expect(phone.heard).toEqual([
      { t: 'registered', pin: '1234' },
      { t: 'confirmed', key: 'key-alice', device: 3 },
      { t: 'welcome', device: 3, node: 'dc1-chat1', window: 32 },
    ])
    expect(world.attaches[0]!.request).toMatchObject({ user: 'alice', sessionNumber: 1, attachment: 1 })
    expect(world.stats).toMatchObject({ connections: 1, unproven: 0, logins: 1 })
  })

  test('a wrong PIN may be tried again', async () => {
    const world = await World.start()
    const phone = await world.dial()
    await phone.say({ t: 'confirm', user: 'alice', pin: '9' })
    await phone.say({ t: 'confirm', user: 'alice', pin: '1234' })
    expect(phone.heard).toMatchObject([{ t: 'error', code: 'wrong-pin' }, { t: 'confirmed' }])
  })

  test('a phone that lies about who it is is refused and closed', async () => {
    const world = await World.start()
    const phone = await world.dial()
    await phone.say({ t: 'login', user: 'alice', key: 'key-mallory' })
    expect(phone.heard).toMatchObject([{ t: 'error', code: 'wrong-key' }])
    expect(phone.isClosed).toBe(true)
    expect(world.attaches).toEqual([])
    expect(world.runtime.stats().processes).toBe(1)
  })

  test('accounts that cannot be reached are `unavailable`, with a time to come back', async () => {
    const world = await World.start()
    world.onAccounts = () => 'no-member'
    const phone = await world.dial()
    await phone.say({ t: 'login', user: 'alice', key: 'key-alice' })
    expect(phone.heard).toMatchObject([{ t: 'error', code: 'unavailable', retryAfterMs: 10 }])
    expect(phone.isClosed).toBe(true)
  })

  test('an answer of accounts that makes no sense harms nobody', async () => {
    const world = await World.start()
    world.onAccounts = () => undefined
    const phone = await world.dial()
    await phone.say({ t: 'login', user: 'alice', key: 'key-alice' })
    expect(phone.heard).toMatchObject([{ t: 'error', code: 'unavailable' }])
  })

  test('nothing is taken before welcome', async () => {
    const world = await World.start()
    for (const message of [
      { t: 'send', seq: 1, to: 'bob', body: 'x' },
      { t: 'got', items: [] },
      { t: 'ping' },
      { t: 'send', seq: 1, to: '?', body: 'x' },
      { t: 'no-such' },
    ]) {
      const phone = await world.dial()
      await phone.say(message)
      expect(phone.heard).toMatchObject([{ t: 'error', code: 'not-logged-in' }])
      expect(phone.isClosed).toBe(true)
    }
    expect(world.sends).toEqual([])
  })

  test('a second login, and one while the first is being answered, are unexpected', async () => {
    const world = await World.start()
    const login = { t: 'login', user: 'alice', key: 'key-alice' }
    const again = await world.loggedIn('alice')
    await again.say(login)
    expect(again.of('error')).toMatchObject([{ code: 'unexpected' }])
    const hasty = await world.dial()
    await hasty.say(login, login)
    expect(hasty.of('error')).toMatchObject([{ code: 'unexpected' }])
    expect(hasty.of('welcome')).toEqual([])
    expect(hasty.isClosed).toBe(true)
  })

  test('a mailbox that cannot be reached does not keep the phone out, and is attached to later', async () => {
    const world = await World.start()
    world.onAttach = () => 'noconnect'
    const phone = await world.loggedIn('alice')
    expect(phone.of('welcome')).toHaveLength(1)
    await world.time.advance(30)
    expect(world.attaches.length).toBeGreaterThan(2)
    world.onAttach = () => ({ attached: true })
    await world.time.advance(30)
    const tries = world.attaches.length
    await world.time.advance(1_000)
    expect(world.attaches).toHaveLength(tries)
    expect(phone.of('welcome')).toHaveLength(1)
  })

  test('a login that a newer one has overtaken is told so', async () => {
    const world = await World.start()
    world.onAttach = () => ({ error: 'replaced' })
    const phone = await world.loggedIn('alice')
    expect(phone.heard).toMatchObject([{ t: 'go-away', reason: 'replaced' }])
    expect(phone.isClosed).toBe(true)
  })
})

describe('texts out', () => {
  test('a text carries sender, number and time, and is acknowledged with its level', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    await phone.say({ t: 'send', seq: 9, to: 'bob', body: 'hello' })
    expect(world.sends).toEqual([
      {
        op: 'send',
        to: 'bob',
        from: 'alice',
        number: 3 * DEVICE_FACTOR + 9,
        body: 'hello',
        sentAtMs: expect.any(Number),
      },
    ])
    expect(phone.of('sent')).toEqual([{ t: 'sent', seq: 9, level: 'replicated' }])
    expect(world.stats).toMatchObject({ sends: 1, acks: 1 })
  })

  test('one text at a time per recipient, and recipients do not wait for each other', async () => {
    const world = await World.start()
    const answers: ((reply: SendReply) => void)[] = []
    world.onSend = () => new Promise(resolve => answers.push(resolve))
    const phone = await world.loggedIn('alice')
    await phone.say(...[1, 2, 3].map(seq => ({ t: 'send', seq, to: 'bob', body: `${seq}` })), {
      t: 'send',
      seq: 4,
      to: 'carol',
      body: '4',
    })
    expect(world.sends.map(({ body }) => body)).toEqual(['1', '4'])
    answers[0]!({ level: 'replicated' })
    await world.time.settle()
    expect(world.sends.map(({ body }) => body)).toEqual(['1', '4', '2'])
    answers[1]!({ level: 'durable' })
    await world.time.settle()
    expect(phone.of('sent')).toEqual([
      { t: 'sent', seq: 1, level: 'replicated' },
      { t: 'sent', seq: 4, level: 'durable' },
    ])
  })

  test('whatever fails for now is tried again, with the same number, before anything behind it', async () => {
    const world = await World.start()
    const replies = [
      'timeout',
      'noconnect',
      'no-member',
      'overload',
      'noprocess',
      { error: 'overload' },
      { error: 'unavailable' },
    ]
    world.onSend = () => (replies.shift() as 'timeout' | undefined) ?? { level: 'replicated' }
    const phone = await world.loggedIn('alice')
    await phone.say({ t: 'send', seq: 1, to: 'bob', body: 'a' }, { t: 'send', seq: 2, to: 'bob', body: 'b' })
    await world.time.advance(200)
    expect(world.sends.map(({ number }) => number - 3 * DEVICE_FACTOR)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 2])
    expect(new Set(world.sends.slice(0, 8).map(send => JSON.stringify(send))).size).toBe(1)
    expect(phone.of('sent').map(({ seq }) => seq)).toEqual([1, 2])
    expect(world.stats.retries).toBe(7)
  })

  test('a call without an answer is tried again after its timeout', async () => {
    const world = await World.start({ callTimeoutMs: 30 })
    world.onSend = () => never
    const phone = await world.loggedIn('alice')
    await phone.say({ t: 'send', seq: 1, to: 'bob', body: 'a' })
    await world.time.advance(29)
    expect(world.sends).toHaveLength(1)
    world.onSend = () => ({ level: 'durable' })
    await world.time.advance(20)
    expect(phone.of('sent')).toEqual([{ t: 'sent', seq: 1, level: 'durable' }])
  })

  test('a full mailbox is final for that text and not for the next', async () => {
    const world = await World.start()
    world.onSend = ({ body }) => (body === 'a' ? { error: 'mailbox-full' } : { level: 'replicated' })
    const phone = await world.loggedIn('alice')
    await phone.say({ t: 'send', seq: 1, to: 'bob', body: 'a' }, { t: 'send', seq: 2, to: 'bob', body: 'b' })
    expect(phone.heard.slice(1)).toMatchObject([
      { t: 'error', code: 'mailbox-full', seq: 1 },
      { t: 'sent', seq: 2 },
    ])
    expect(phone.of('error')[0]).not.toHaveProperty('retryAfterMs')
  })

  test('a text that is repeated while it is under way or queued is answered once', async () => {
    const world = await World.start()
    const answers: ((reply: SendReply) => void)[] = []
    world.onSend = () => new Promise(resolve => answers.push(resolve))
    const phone = await world.loggedIn('alice')
    const texts = [1, 2].map(seq => ({ t: 'send', seq, to: 'bob', body: `${seq}` }))
    await phone.say(...texts, ...texts)
    answers.shift()!({ level: 'replicated' })
    await world.time.settle()
    answers.shift()!({ level: 'replicated' })
    await world.time.settle()
    expect(phone.of('sent').map(({ seq }) => seq)).toEqual([1, 2])
    expect(world.sends).toHaveLength(2)
  })

  test('nothing is tried for a phone that is gone', async () => {
    const world = await World.start()
    world.onSend = () => 'noconnect'
    const phone = await world.loggedIn('alice')
    await phone.say({ t: 'send', seq: 1, to: 'bob', body: 'a' })
    await phone.say({ t: 'bye' })
    const tries = world.sends.length
    await world.time.advance(1_000)
    expect(world.sends).toHaveLength(tries)
  })
})

describe('texts in', () => {
  test('deliveries reach the phone in order, and `got` reaches the mailbox', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    const messages = [text('bob', 1), text('carol', 2 * DEVICE_FACTOR + 1)]
    world.toSession({ op: 'deliver', attachment: 1, messages })
    await world.time.settle()
    expect(phone.of('deliver')).toEqual([{ t: 'deliver', messages }])
    await phone.say({ t: 'got', items: messages.map(({ from, number }) => [from, number]) })
    expect(world.casts).toEqual([
      {
        target: { service: 'mailbox', key: 'alice' },
        message: {
          op: 'ack',
          user: 'alice',
          items: [
            ['bob', 1],
            ['carol', 2 * DEVICE_FACTOR + 1],
          ],
        },
      },
    ])
  })

  test('a delivery under an attachment that is over is ignored, from the moment that the owner is lost', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    const { owner } = world.attaches[0]!
    const deliver = async (attachment: number) => {
      world.toSession({ op: 'deliver', attachment, messages: [text('bob', attachment)] })
      await world.time.settle()
    }
    world.leave('mailbox/0', owner)
    await world.time.settle()
    // A link was lost, and what was on it; what the next one brings must not pass that.
    await deliver(1)
    world.join('mailbox/0', owner)
    await world.time.advance(20)
    const { attachment } = world.attaches[1]!.request
    await deliver(1)
    expect(phone.of('deliver')).toEqual([])
    expect(world.stats.stale).toBe(2)
    await deliver(attachment)
    expect(phone.of('deliver')).toHaveLength(1)
  })

  test('a delivery that overtakes the answer to its attachment comes behind welcome', async () => {
    const world = await World.start()
    world.onAttach = () => never
    const phone = await world.loggedIn('alice')
    expect(phone.heard).toEqual([])
    world.toSession({ op: 'deliver', attachment: 1, messages: [text('bob', 1)] })
    await world.time.settle()
    expect(phone.heard.map(({ t }) => t)).toEqual(['welcome', 'deliver'])
  })

  test('many long texts come in frames that the protocol allows, in order', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    const messages = Array.from({ length: 32 }, (_, n) => text('bob', n + 1, 'ü'.repeat(16 * 1024)))
    world.toSession({ op: 'deliver', attachment: 1, messages })
    await world.time.settle()
    expect(phone.of('deliver').flatMap(frame => frame.messages)).toEqual(messages)
    expect(phone.of('deliver').length).toBeGreaterThan(15)
  })

  test('receipts of this device reach the phone by their seq, those of an earlier device do not', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    world.toSession({ op: 'receipt', by: 'bob', number: 3 * DEVICE_FACTOR + 17 })
    world.toSession({ op: 'receipt', by: 'bob', number: 2 * DEVICE_FACTOR + 18 })
    await world.time.settle()
    expect(phone.of('receipt')).toEqual([{ t: 'receipt', by: 'bob', seq: 17 }])
  })

  test('a replaced phone is told so and closed', async () => {
    const world = await World.start()
    const older = await world.loggedIn('alice', 'phone-1')
    const session = world.attaches[0]!.request.session
    const newer = await world.loggedIn('alice', 'phone-2')
    world.toSession({ op: 'replaced' }, session)
    await world.time.settle()
    expect(older.heard.at(-1)).toMatchObject({ t: 'go-away', reason: 'replaced', alternatives: [] })
    expect([older.isClosed, newer.isClosed]).toEqual([true, false])
    expect(world.stats.connections).toBe(1)
  })

  test('a phone that closes detaches, and its process ends', async () => {
    const world = await World.start()
    const phone = await world.loggedIn('alice')
    const { session } = world.attaches[0]!.request
    phone.stream.destroy()
    await world.time.settle()
    expect(world.castsOf('detach')).toEqual([{ op: 'detach', user: 'alice', session }])
    expect(world.runtime.stats().processes).toBe(1)
    expect(world.stats.connections).toBe(0)
  })
})
