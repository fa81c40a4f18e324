/** The protocol against hostile bytes, and its golden bytes. */
import { Encoder } from 'cbor-x'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeCbor, encodeCbor } from '../../../node/connections/cbor.ts'
import { deliverFrames } from '../../../node/connections/deliver.ts'
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from '../../../node/connections/frames.ts'
import {
  DEVICE_FACTOR,
  GOT_ITEMS_MAX,
  isComplaint,
  type PhoneMessage,
  readPhoneMessage,
  readServerMessage,
  type ServerMessage,
} from '../../../node/connections/protocol.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const user = fc.stringMatching(/^[a-zA-Z0-9_+.-]{1,64}$/)
const seq = fc.integer({ min: 1, max: DEVICE_FACTOR - 1 })
const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const count = fc.integer({ min: 0, max: DEVICE_FACTOR - 1 })
const body = fc.string({ unit: 'grapheme', maxLength: 200 })

const phoneMessage: fc.Arbitrary<PhoneMessage> = fc.oneof(
  fc.record({ t: fc.constant('register' as const), user }),
  fc.record({ t: fc.constant('confirm' as const), user, pin: fc.string({ minLength: 1, maxLength: 32 }) }),
  fc.record({ t: fc.constant('login' as const), user, key: fc.string({ minLength: 1, maxLength: 256 }) }),
  fc.record({ t: fc.constant('send' as const), seq, to: user, body }),
  fc.record({ t: fc.constant('got' as const), items: fc.array(fc.tuple(user, number), { maxLength: 50 }) }),
  fc.record({ t: fc.constant('ping' as const) }),
  fc.record({ t: fc.constant('bye' as const) }),
)
const delivered = fc.record({ from: user, number, body, sentAtMs: number, late: fc.boolean() })
const serverMessage: fc.Arbitrary<ServerMessage> = fc.oneof(
  fc.record({ t: fc.constant('registered' as const), pin: fc.string() }, { requiredKeys: ['t'] }),
  fc.record({ t: fc.constant('confirmed' as const), key: fc.string(), device: count }),
  fc.record({ t: fc.constant('welcome' as const), device: count, node: fc.string(), window: count }),
  fc.record({
    t: fc.constant('sent' as const),
    seq,
    level: fc.constantFrom('replicated' as const, 'durable' as const),
  }),
  fc.record({ t: fc.constant('deliver' as const), messages: fc.array(delivered, { maxLength: 20 }) }),
  fc.record({ t: fc.constant('receipt' as const), by: user, seq }),
  fc.record({ t: fc.constant('pong' as const) }),
  fc.record({
    t: fc.constant('go-away' as const),
    reason: fc.constantFrom('drain' as const, 'replaced' as const, 'overload' as const),
    retryAfterMs: count,
    alternatives: fc.array(fc.string()),
  }),
  fc.record(
    {
      t: fc.constant('error' as const),
      code: fc.constant('rate' as const),
      seq,
      detail: fc.string(),
      retryAfterMs: count,
    },
    { requiredKeys: ['t', 'code', 'detail'] },
  ),
) as fc.Arbitrary<ServerMessage>

/** Feeds bytes in slices, and returns the frames that came out. */
function read(reader: FrameReader, bytes: Uint8Array, slices: readonly number[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  const sink = {
    takeFrame: (frame: Uint8Array) => {
      frames.push(frame.slice())
      return true
    },
  }
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = slices[i % slices.length]!
    expect(reader.feed(bytes.subarray(at, at + size), sink)).toBeUndefined()
    at += size
  }
  return frames
}

describe('messages', () => {
  test('every message of a phone is read as it was written', () => {
    fc.assert(
      fc.property(phoneMessage, message => {
        expect(readPhoneMessage(encodeCbor(message))).toEqual(message)
      }),
    )
  })

  test('every message of a server is read as it was written', () => {
    fc.assert(
      fc.property(serverMessage, message => {
        expect(readServerMessage(encodeCbor(message))).toEqual(message)
      }),
    )
  })

  test('the golden bytes of a send, and of a got with a number over 2^32', () => {
    expect(Buffer.from(encodeFrame({ t: 'send', seq: 1, to: 'bob', body: 'hi' })).toString('hex')).toBe(
      '0000001c' +
        'a4' +
        '6174' +
        '6473656e64' +
        '63736571' +
        '01' +
        '62746f' +
        '63626f62' +
        '64626f6479' +
        '626869',
    )
    const got = { t: 'got', items: [['bob', 3 * DEVICE_FACTOR + 7]] }
    expect(readPhoneMessage(hex('a2 6174 63676f74 656974656d73 81 82 63626f62 fb4208000000380000'))).toEqual(
      got,
    )
    // The same as another encoder writes it: a u64.
    expect(readPhoneMessage(hex('a2 6174 63676f74 656974656d73 81 82 63626f62 1b0000000300000007'))).toEqual(
      got,
    )
  })

  test('fields that are not known are ignored', () => {
    const message = {
      t: 'send',
      seq: 1,
      to: 'bob',
      body: 'hi',
      colour: 'red',
      nested: { deep: [1, null, true] },
    }
    expect(readPhoneMessage(encodeCbor(message))).toEqual({ t: 'send', seq: 1, to: 'bob', body: 'hi' })
  })

  test.each([
    ['seq 0', { t: 'send', seq: 0, to: 'bob', body: 'x' }, 'bad-frame'],
    ['seq over u32', { t: 'send', seq: DEVICE_FACTOR, to: 'bob', body: 'x' }, 'bad-frame'],
    ['seq a fraction', { t: 'send', seq: 1.5, to: 'bob', body: 'x' }, 'bad-frame'],
    ['seq not a number', { t: 'send', seq: Number.NaN, to: 'bob', body: 'x' }, 'bad-frame'],
    ['seq a text', { t: 'send', seq: '1', to: 'bob', body: 'x' }, 'bad-frame'],
    ['no body', { t: 'send', seq: 1, to: 'bob' }, 'bad-frame'],
    ['body not a text', { t: 'send', seq: 1, to: 'bob', body: 5 }, 'bad-frame'],
    ['recipient with a space', { t: 'send', seq: 1, to: 'b b', body: 'x' }, 'bad-user'],
    ['recipient with a line end', { t: 'send', seq: 1, to: 'bob\n', body: 'x' }, 'bad-user'],
    ['recipient too long', { t: 'send', seq: 1, to: 'b'.repeat(65), body: 'x' }, 'bad-user'],
    ['recipient a list', { t: 'send', seq: 1, to: ['bob'], body: 'x' }, 'bad-user'],
    ['user empty', { t: 'login', user: '', key: 'k' }, 'bad-user'],
    ['key empty', { t: 'login', user: 'bob', key: '' }, 'bad-frame'],
    ['key too long', { t: 'login', user: 'bob', key: 'k'.repeat(257) }, 'bad-frame'],
    ['PIN a number', { t: 'confirm', user: 'bob', pin: 1234 }, 'bad-frame'],
    ['items missing', { t: 'got' }, 'bad-frame'],
    ['items not pairs', { t: 'got', items: [['bob', 1, 2]] }, 'bad-frame'],
    ['items negative', { t: 'got', items: [['bob', -1]] }, 'bad-frame'],
    ['items beyond 2^53', { t: 'got', items: [['bob', 2 ** 60]] }, 'bad-frame'],
    [
      'too many items',
      { t: 'got', items: Array.from({ length: GOT_ITEMS_MAX + 1 }, () => ['b', 1]) },
      'bad-frame',
    ],
    ['t a number', { t: 1 }, 'bad-frame'],
    ['no t', { seq: 1 }, 'bad-frame'],
    ['t of a server', { t: 'welcome' }, 'unsupported'],
    ['t from the prototype', { t: 'constructor' }, 'unsupported'],
  ])('refuses: %s', (_what, message, code) => {
    expect(
      readPhoneMessage(new Encoder({ useRecords: false, mapsAsObjects: true }).encode(message)),
    ).toMatchObject({ code })
  })

  test('a code that this version does not know is kept, with what to do about it', () => {
    expect(
      readServerMessage(encodeCbor({ t: 'error', code: 'too-loud', seq: 4, retryAfterMs: 5, detail: 'd' })),
    ).toEqual({
      t: 'error',
      code: 'too-loud',
      seq: 4,
      retryAfterMs: 5,
      detail: 'd',
    })
  })
})

describe('hostile bytes', () => {
  test.each([
    ['nothing', ''],
    ['a text', '6161'],
    ['an array', '80'],
    ['a map of indefinite length', 'bf617401ff'],
    ['a text of indefinite length', 'a161747f6161ff'],
    ['an array of indefinite length', 'a161619f01ff'],
    ['a tag', 'a16174c001'],
    ['a shared reference', 'a16174d81d00'],
    ['a cbor-x record', 'a16174d9dff98261616162'],
    ['a byte string', 'a161744161'],
    ['a key that is no text', 'a10102'],
    ['a key of indefinite length', 'a17f6161ff01'],
    ['undefined', 'a16174f7'],
    ['a simple value', 'a16174e0'],
    ['a half float', 'a16174f97e00'],
    ['reserved lengths', 'a161741c'],
    ['a text of 4 GiB', 'a161747affffffff'],
    ['a text of 2^63', 'a161747b7fffffffffffffff'],
    ['an array of 4 G', 'a161749affffffff'],
    ['an array of 2^64', 'a161749bffffffffffffffff'],
    ['a map of 4 G', 'a16174baffffffff'],
    ['an outermost map of 4 G', 'baffffffff'],
    ['the same key twice', 'a2617401617402'],
    ['a name that becomes another', 'a2695f5f70726f746f5f5f01685f5f70726f746f5f01'],
    ['text that is not UTF-8', 'a1617462c328'],
    ['a surrogate half', 'a1617463eda080'],
    ['a map cut short', 'a26174'],
    ['bytes behind the map', 'a000'],
  ])('refuses %s', (_what, text) => {
    expect(decodeCbor(hex(text))).toBeUndefined()
  })

  test('nesting to 8 is read, deeper is refused at once, however deep', () => {
    const nested = (depth: number) => hex(`a16174${'81'.repeat(depth)}00`)
    expect(decodeCbor(nested(7))).toBeDefined()
    expect(decodeCbor(nested(8))).toBeUndefined()
    const bomb = new Uint8Array(FRAME_BYTES_MAX).fill(0x81)
    bomb.set(hex('a16174'))
    expect(decodeCbor(bomb)).toBeUndefined()
    bomb.fill(0xa1, 3)
    expect(decodeCbor(bomb)).toBeUndefined()
  })

  test('a frame full of tiny values is refused', () => {
    const many = new Uint8Array(20_000)
    many.set(hex('a16174'))
    many.set([0x99, (many.length - 6) >> 8, (many.length - 6) & 0xff], 3)
    expect(decodeCbor(many)).toBeUndefined()
  })

  test('names of the prototype reach no prototype', () => {
    const polluting = hex(
      `a2 6174 6470696e67 69${Buffer.from('__proto__').toString('hex')} a1 68${Buffer.from('polluted').toString('hex')} f5`,
    )
    expect(readPhoneMessage(polluting)).toEqual({ t: 'ping' })
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test('any bytes give a message or a complaint, never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        expect(readPhoneMessage(bytes)).toBeTypeOf('object')
        readServerMessage(bytes)
      }),
      { numRuns: 2_000 },
    )
  })

  test('any damage to a good frame gives a message that holds to the rules, or a complaint', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(phoneMessage, changes, (message, places) => {
        const bytes = Uint8Array.from(encodeCbor(message))
        for (const [place, value] of places) bytes[place % bytes.length] = value
        const read = readPhoneMessage(bytes)
        // Whatever was let through must be a message that would be let through again.
        if (!isComplaint(read)) expect(readPhoneMessage(encodeCbor(read))).toEqual(read)
      }),
      { numRuns: 3_000 },
    )
    expect(Object.keys(Object.prototype)).toEqual([])
  })
})

describe('frames', () => {
  test('however the network cuts them, the same frames come out', () => {
    const slices = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 })
    const bodies = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(bodies, slices, (sizes, cuts) => {
        const frames = sizes.map(size => encodeFrame({ t: 'send', body: 'x'.repeat(size) }))
        const out = read(new FrameReader(FRAME_BYTES_MAX), Buffer.concat(frames), cuts)
        expect(out.map(frame => decodeCbor(frame)?.body)).toEqual(sizes.map(size => 'x'.repeat(size)))
      }),
    )
  })

  test('one byte at a time, and everything at once', () => {
    const bytes = Buffer.concat([1, 2, 3].map(n => encodeFrame({ t: 'ping', n })))
    for (const slice of [1, bytes.length]) {
      const out = read(new FrameReader(64), bytes, [slice])
      expect(out.map(frame => decodeCbor(frame)?.n)).toEqual([1, 2, 3])
    }
  })

  test('a length over the maximum and a length of 0 are refused before anything is kept, whole or in slices', () => {
    for (const [length, error] of [
      [65_537, 'frame-too-big'],
      [0xffff_ffff, 'frame-too-big'],
      [0, 'bad-frame'],
    ] as const) {
      const bytes = new Uint8Array(4)
      new DataView(bytes.buffer).setUint32(0, length)
      const sink = { takeFrame: () => true }
      expect(new FrameReader(65_536).feed(bytes, sink)).toBe(error)
      const reader = new FrameReader(65_536)
      const errors = [...bytes].map(byte => reader.feed(Uint8Array.of(byte), sink))
      expect(errors).toEqual([undefined, undefined, undefined, error])
    }
  })

  test('who takes no more frames gets none', () => {
    const bytes = Buffer.concat([1, 2, 3].map(n => encodeFrame({ n })))
    let taken = 0
    new FrameReader(64).feed(bytes, { takeFrame: () => ++taken < 2 })
    expect(taken).toBe(2)
  })

  test('deliveries of any sizes fit into frames, in order, none lost', () => {
    const sizes = fc.array(fc.oneof(fc.nat(40), fc.integer({ min: 10_000, max: 10_922 })), { maxLength: 400 })
    fc.assert(
      fc.property(sizes, lengths => {
        const messages = lengths.map((length, n) => ({
          from: 'u'.repeat(64),
          number: Number.MAX_SAFE_INTEGER - n,
          body: 'ह'.repeat(length),
          sentAtMs: 1_700_000_000_000,
          late: true,
        }))
        const frames = deliverFrames(messages)
        for (const frame of frames) expect(frame.length - 4).toBeLessThanOrEqual(FRAME_BYTES_MAX)
        const out = frames.flatMap(frame => {
          const message = readServerMessage(frame.subarray(4))
          return message?.t === 'deliver' ? message.messages : []
        })
        expect(out).toEqual(messages)
      }),
      { numRuns: 30 },
    )
  })
})
