/** The phone's side: nothing is lost, repeated or reordered, whatever servers and lines do. */
import { describe, expect, test } from 'vitest'
import { type IncomingMessage, PhoneError, type PhoneState } from '../../../node/client/index.ts'
import type { DeliveredMessage } from '../../../node/connections/protocol.ts'
import { Town } from './server.ts'

const text = (number: number, late = false, from = 'bob'): DeliveredMessage => ({
  from,
  number,
  body: `text ${number}`,
  sentAtMs: 1,
  late,
})

/** The code of a rejected promise. */
function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    error => (error instanceof PhoneError ? error.code : error),
  )
}

describe('an account', () => {
  test('register and confirm give the key to log in with', async () => {
    const town = await Town.open()
    const phone = town.phone()
    const registered = phone.register()
    await town.time.settle()
    expect(await registered).toEqual({ pin: '1234' })
    const confirmed = phone.confirm('1234')
    await town.time.settle()
    expect(await confirmed).toEqual({ key: 'k', device: 2 })
    expect([phone.key, phone.device, phone.nextSeq]).toEqual(['k', 2, 1])
    expect(town.a.visits.every(visit => visit.isClosed)).toBe(true)
  })

  test('a new device is not made while texts of the old one wait', async () => {
    const town = await Town.open()
    const phone = town.phone()
    const waiting = codeOf(phone.send('bob', 'waits'))
    expect(await codeOf(phone.confirm('1234'))).toBe('texts-waiting')
    await phone.close({ deadlineMs: 0 })
    expect(await waiting).toBe('closed')
  })

  test('a wrong PIN is an error with its code; a dead server is passed over', async () => {
    const town = await Town.open()
    town.network.refuse('a:1')
    town.b.script = (message, visit) => {
      visit.say({ t: 'error', code: 'wrong-pin', detail: '' })
      return message.t === 'confirm'
    }
    const confirmed = codeOf(town.phone().confirm('9'))
    await town.time.settle()
    expect(await confirmed).toBe('wrong-pin')
    town.network.refuse('b:1')
    const registered = codeOf(town.phone().register())
    await town.time.settle()
    expect(await registered).toBe('unreachable')
  })

  test('without a key there is no connecting, with a wrong one no trying again', async () => {
    const town = await Town.open()
    const { key: _key, ...keyless } = { user: 'alice', addresses: ['a:1'], key: '' }
    const { Phone } = await import('../../../node/client/index.ts')
    expect(await codeOf(new Phone(keyless).connect())).toBe('no-key')
    town.a.script = (message, visit) => {
      visit.say({ t: 'error', code: 'wrong-key', detail: '' })
      return message.t === 'login'
    }
    const phone = town.phone()
    const connected = codeOf(phone.connect())
    await town.time.advance(60_000)
    expect(await connected).toBe('wrong-key')
    expect(phone.state).toBe('refused')
    expect(town.a.visits).toHaveLength(1)
  })
})

describe('texts out', () => {
  test('are numbered, sent in order, and resolved by their acknowledgement', async () => {
    const town = await Town.open()
    const phone = await town.online({ nextSeq: 7 })
    const sent = [phone.send('bob', 'one'), phone.send('carol', 'two')]
    await town.time.settle()
    expect(await Promise.all(sent)).toEqual([
      { seq: 7, level: 'replicated' },
      { seq: 8, level: 'replicated' },
    ])
    expect(town.a.visit.of('send')).toMatchObject([{ seq: 7, to: 'bob', body: 'one' }, { seq: 8 }])
    expect([phone.nextSeq, phone.waiting]).toEqual([9, 0])
  })

  test('written before the phone is online leave when it is', async () => {
    const town = await Town.open()
    const phone = town.phone()
    const sent = phone.send('bob', 'early')
    void phone.connect()
    await town.time.settle()
    expect(await sent).toMatchObject({ seq: 1 })
  })

  test('keep to the window', async () => {
    const town = await Town.open()
    town.a.window = 3
    town.a.script = message => message.t === 'send'
    const phone = await town.online()
    for (let i = 0; i < 5; i++) void phone.send('bob', `${i}`)
    await town.time.settle()
    expect(town.a.visit.of('send').map(({ seq }) => seq)).toEqual([1, 2, 3])
    town.a.visit.say({ t: 'sent', seq: 2, level: 'durable' })
    await town.time.settle()
    expect(town.a.visit.of('send').map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  })

  test('without an answer are repeated in order after a lost connection, before newer ones', async () => {
    const town = await Town.open()
    town.a.script = (message, visit) => {
      if (message.t === 'send' && message.seq === 2) visit.say({ t: 'sent', seq: 2, level: 'replicated' })
      return message.t === 'send'
    }
    const phone = await town.online()
    const sent = [1, 2, 3].map(n => phone.send('bob', `${n}`))
    await town.time.settle()
    town.a.visit.close()
    await town.time.settle()
    sent.push(phone.send('bob', '4'))
    await town.time.advance(200)
    expect(town.b.visit.of('send').map(({ seq, body }) => `${seq}:${body}`)).toEqual(['1:1', '3:3', '4:4'])
    expect((await Promise.all(sent)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
    expect(phone.counts.reconnects).toBe(1)
  })

  test('that the server puts off wait, and go again from the lowest on', async () => {
    const town = await Town.open()
    let isBusy = true
    town.a.script = (message, visit) => {
      if (!isBusy || message.t !== 'send' || message.seq < 2) return false
      visit.say({ t: 'error', code: 'rate', seq: message.seq, detail: '', retryAfterMs: 40 })
      return true
    }
    const phone = await town.online()
    const sent = [1, 2, 3].map(n => phone.send('bob', `${n}`))
    await town.time.settle()
    isBusy = false
    sent.push(phone.send('bob', '4'))
    await town.time.advance(39)
    expect(town.a.visit.of('send').map(({ seq }) => seq)).toEqual([1, 2, 3])
    await town.time.advance(10)
    expect(town.a.visit.of('send').map(({ seq }) => seq)).toEqual([1, 2, 3, 2, 3, 4])
    expect((await Promise.all(sent)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  })

  test('that the server refuses for good are rejected with its code, and the next go on', async () => {
    const town = await Town.open()
    town.a.script = (message, visit) => {
      if (message.t !== 'send' || message.seq !== 1) return false
      visit.say({ t: 'error', code: 'mailbox-full', seq: 1, detail: 'full' })
      return true
    }
    const phone = await town.online()
    const [full, fine] = [codeOf(phone.send('bob', 'a')), phone.send('bob', 'b')]
    await town.time.settle()
    expect(await full).toBe('mailbox-full')
    expect(await fine).toMatchObject({ seq: 2 })
  })

  test('that no server would take are refused at once, and so are too many', async () => {
    const town = await Town.open()
    const phone = town.phone({ limits: { waitingMax: 2 } })
    expect(await codeOf(phone.send('no body', 'x'))).toBe('bad-user')
    expect(await codeOf(phone.send('bob', 'ü'.repeat(16_385)))).toBe('body-too-big')
    const [first, second] = [codeOf(phone.send('bob', '1')), codeOf(phone.send('bob', '2'))]
    expect(await codeOf(phone.send('bob', '3'))).toBe('too-many-waiting')
    await phone.close()
    expect(await Promise.all([first, second])).toEqual(['closed', 'closed'])
  })
})

describe('texts in', () => {
  test('are shown once, and every delivery is answered, in one frame', async () => {
    const town = await Town.open()
    const shown: IncomingMessage[] = []
    const phone = await town.online({ onMessage: message => shown.push(message) })
    town.a.visit.say({ t: 'deliver', messages: [text(1), text(2)] })
    town.a.visit.say({ t: 'deliver', messages: [text(2), text(1, false, 'carol')] })
    await town.time.advance(10)
    expect(shown).toEqual([text(1), text(2), text(1, false, 'carol')])
    expect(town.a.visit.of('got')).toEqual([
      {
        t: 'got',
        items: [
          ['bob', 1],
          ['bob', 2],
          ['bob', 2],
          ['carol', 1],
        ],
      },
    ])
    expect(phone.counts).toEqual({
      received: 3,
      duplicatesOnWire: 1,
      lateMessages: 0,
      outOfOrder: 0,
      reconnects: 0,
    })
  })

  test('delivered again by another server are hidden and answered there', async () => {
    const town = await Town.open()
    const shown: number[] = []
    const phone = await town.online({ onMessage: ({ number }) => shown.push(number) })
    town.a.visit.say({ t: 'deliver', messages: [text(1), text(2)] })
    await town.time.settle()
    town.a.visit.close()
    await town.time.advance(200)
    town.b.visit.say({ t: 'deliver', messages: [text(1), text(2), text(3)] })
    await town.time.advance(10)
    expect(shown).toEqual([1, 2, 3])
    expect(town.b.visit.of('got').flatMap(({ items }) => items)).toEqual([
      ['bob', 1],
      ['bob', 2],
      ['bob', 3],
    ])
    expect(phone.counts.duplicatesOnWire).toBe(2)
  })

  test('that come late are shown as late; a lower number without the mark is counted as out of order', async () => {
    const town = await Town.open()
    const shown: string[] = []
    const phone = await town.online({
      onMessage: ({ number, late }) => shown.push(`${number}${late ? ' late' : ''}`),
    })
    town.a.visit.say({ t: 'deliver', messages: [text(5), text(2, true), text(6), text(2, true), text(4)] })
    await town.time.settle()
    expect(shown).toEqual(['5', '2 late', '6', '4'])
    expect(phone.counts).toMatchObject({ lateMessages: 1, outOfOrder: 1, duplicatesOnWire: 1 })
  })

  test('receipts reach their listener', async () => {
    const town = await Town.open()
    const receipts: unknown[] = []
    await town.online({ onReceipt: receipt => receipts.push(receipt) })
    town.a.visit.say({ t: 'receipt', by: 'bob', seq: 4 })
    await town.time.settle()
    expect(receipts).toEqual([{ by: 'bob', seq: 4 }])
  })
})

describe('servers and lines', () => {
  test('a dead address costs one try; waits grow, with jitter, up to their cap', async () => {
    const town = await Town.open()
    const states: PhoneState[] = []
    for (const address of ['a:1', 'b:1']) town.network.refuse(address)
    const phone = town.phone({ onState: state => states.push(state) })
    void phone.connect()
    await town.time.settle()
    const waitsMs: number[] = []
    for (let i = 0; i < 9; i++) {
      const [tries, sinceMs] = [states.filter(state => state === 'connecting').length, town.time.now]
      while (states.filter(state => state === 'connecting').length === tries) await town.time.advance(5)
      waitsMs.push(town.time.now - sinceMs)
    }
    expect(waitsMs).toEqual([50, 100, 200, 400, 800, 1600, 2500, 2500, 2500])
    town.network.refuse('b:1', false)
    await town.time.advance(5_000)
    expect(phone.state).toBe('online')
    expect(town.b.visits).toHaveLength(1)
  })

  test('a server that goes is left when it owes nothing more, for one that it named', async () => {
    const town = await Town.open()
    town.a.script = message => message.t === 'send'
    const phone = await town.online({ addresses: ['a:1'] })
    const first = phone.send('bob', '1')
    await town.time.settle()
    town.chance = 0
    town.a.visit.say({ t: 'go-away', reason: 'drain', retryAfterMs: 1_000, alternatives: ['b:1'] })
    await town.time.settle()
    const second = phone.send('bob', '2')
    await town.time.advance(500)
    expect(phone.state).toBe('leaving')
    expect(town.b.visits).toHaveLength(0)
    town.a.visit.say({ t: 'sent', seq: 1, level: 'durable' })
    await town.time.settle()
    expect(await first).toEqual({ seq: 1, level: 'durable' })
    expect(await second).toMatchObject({ seq: 2 })
    expect(town.a.visit.of('send')).toHaveLength(1)
    expect(town.a.visit.of('bye')).toHaveLength(1)
    expect(town.b.visit.of('send').map(({ seq }) => seq)).toEqual([2])
    expect(phone.state).toBe('online')
  })

  test('leaving takes its random share of the time that the server gave, and is on hand until then', async () => {
    const town = await Town.open()
    const shown: number[] = []
    const phone = await town.online({ onMessage: ({ number }) => shown.push(number) })
    town.chance = 0.9
    town.a.visit.say({ t: 'go-away', reason: 'drain', retryAfterMs: 1_000, alternatives: ['b:1'] })
    await town.time.advance(890)
    town.a.visit.say({ t: 'deliver', messages: [text(1)] })
    await town.time.settle()
    expect([phone.state, shown]).toEqual(['leaving', [1]])
    await town.time.advance(20)
    expect(phone.state).toBe('online')
    expect(town.b.visits).toHaveLength(1)
  })

  test('a text that crossed the go-away is repeated at the next server', async () => {
    const town = await Town.open()
    town.a.script = (message, visit) => {
      if (message.t !== 'send') return false
      visit.say({ t: 'go-away', reason: 'drain', retryAfterMs: 10, alternatives: ['b:1'] })
      visit.say({ t: 'error', code: 'draining', seq: message.seq, detail: '' })
      return true
    }
    const phone = await town.online({ addresses: ['a:1'] })
    const sent = phone.send('bob', 'x')
    await town.time.advance(50)
    expect(await sent).toMatchObject({ seq: 1 })
    expect(town.b.visit.of('send')).toHaveLength(1)
  })

  test('a server without room names others, and one of them is asked after a while', async () => {
    const town = await Town.open()
    town.a.script = (_message, visit) => {
      visit.say({ t: 'go-away', reason: 'overload', retryAfterMs: 1_000, alternatives: ['b:1'] })
      return true
    }
    const phone = town.phone({ addresses: ['a:1'] })
    void phone.connect()
    await town.time.advance(490)
    expect(phone.state).toBe('waiting')
    await town.time.advance(100)
    expect(phone.state).toBe('online')
    expect(town.b.visits).toHaveLength(1)
  })

  test('a phone that was replaced does not fight for its place', async () => {
    const town = await Town.open()
    const phone = await town.online()
    town.a.visit.say({ t: 'go-away', reason: 'replaced', retryAfterMs: 0, alternatives: [] })
    await town.time.advance(60_000)
    expect(phone.state).toBe('replaced')
    expect([town.a.visits.length, town.b.visits.length]).toEqual([1, 0])
    const again = phone.connect()
    await town.time.settle()
    await again
    expect(phone.state).toBe('online')
  })

  test('a wait that the server asks for is kept', async () => {
    const town = await Town.open()
    town.a.script = (message, visit) => {
      visit.say({ t: 'error', code: 'unavailable', detail: '', retryAfterMs: 3_000 })
      return message.t === 'login'
    }
    const phone = town.phone()
    void phone.connect()
    await town.time.advance(2_990)
    expect(town.b.visits).toHaveLength(0)
    await town.time.advance(100)
    expect(phone.state).toBe('online')
  })

  test('a silent server is noticed and left, an answering one is kept', async () => {
    const town = await Town.open()
    const phone = await town.online({ limits: { pingMs: 1_000 } })
    await town.time.advance(10_000)
    expect(town.a.visits).toHaveLength(1)
    expect(town.a.visit.of('ping').length).toBeGreaterThan(5)
    town.network.blackHole('a', 'phone')
    await town.time.advance(2_200)
    expect(phone.state).toBe('online')
    expect(town.b.visits).toHaveLength(1)
  })

  test('a server that takes the call and says nothing is given up', async () => {
    const town = await Town.open()
    town.a.script = () => true
    const phone = town.phone({ limits: { loginTimeoutMs: 1_000 } })
    void phone.connect()
    await town.time.advance(1_200)
    expect(phone.state).toBe('online')
    expect(town.b.visits).toHaveLength(1)
  })

  test('a server that talks nonsense is left', async () => {
    const town = await Town.open()
    const phone = await town.online()
    town.a.visit.bytes(0xff, 0xff, 0xff, 0xff)
    await town.time.advance(200)
    expect(phone.state).toBe('online')
    expect(town.b.visits).toHaveLength(1)
  })

  test('a connection that lived long makes the next failure the first again', async () => {
    const town = await Town.open()
    const phone = await town.online({ limits: { pingMs: 0 } })
    for (let i = 0; i < 4; i++) {
      await town.time.advance(6_000)
      const server = i % 2 === 0 ? town.a : town.b
      server.visit.close()
      await town.time.advance(60)
      expect(phone.state).toBe('online')
    }
  })
})

describe('closing', () => {
  test('waits for what is unacknowledged, says goodbye, and sends nothing more', async () => {
    const town = await Town.open()
    town.a.script = message => message.t === 'send'
    const phone = await town.online()
    const sent = phone.send('bob', 'last')
    let isClosed = false
    const closed = phone.close().then(() => (isClosed = true))
    await town.time.advance(1_000)
    expect(isClosed).toBe(false)
    expect(await codeOf(phone.send('bob', 'later'))).toBe('closed')
    town.a.visit.say({ t: 'sent', seq: 1, level: 'durable' })
    await town.time.settle()
    await closed
    expect(await sent).toMatchObject({ level: 'durable' })
    expect(phone.state).toBe('offline')
    expect(town.a.visit.heard.at(-1)).toEqual({ t: 'bye' })
    await town.time.advance(60_000)
    expect(town.network.openStreams).toBe(0)
  })

  test('says what it has, and gives up at the deadline', async () => {
    const town = await Town.open()
    town.a.script = message => message.t === 'send'
    const phone = await town.online()
    const sent = codeOf(phone.send('bob', 'lost'))
    const closed = phone.close({ deadlineMs: 500 })
    town.a.visit.say({ t: 'deliver', messages: [text(1)] })
    await town.time.advance(500)
    await closed
    expect(await sent).toBe('closed')
    expect(town.a.visit.of('got')).toHaveLength(1)
  })

  test('ends a phone that is still trying to connect', async () => {
    const town = await Town.open()
    for (const address of ['a:1', 'b:1']) town.network.refuse(address)
    const phone = town.phone()
    const connected = codeOf(phone.connect())
    await town.time.advance(100)
    await phone.close()
    expect(await connected).toBe('closed')
    await town.time.advance(60_000)
    expect(phone.state).toBe('offline')
  })

  test('gives up a dial that hangs, and leaves no stream behind', async () => {
    const town = await Town.open()
    town.network.blackHole('a', 'phone')
    const phone = town.phone()
    const connected = codeOf(phone.connect())
    await town.time.advance(100)
    await phone.close()
    expect(await connected).toBe('closed')
    expect(town.network.openStreams).toBe(0)
  })
})
