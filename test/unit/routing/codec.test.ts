/** What may be said between processes, and what is refused before the decoder sees it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ByteString, headBytesMax } from '../../../routing/byte-string.ts'
import { decode, encode, encodePayload } from '../../../routing/codec.ts'
import { wellFormed } from '../../../routing/wellformed.ts'

const hex = (text: string) => Buffer.from(text, 'hex')

describe('messages', () => {
  it.each([
    [
      'plain data',
      { text: 'hällo 😀', list: [1, -1, 1.5, true, false, null, undefined], deep: { empty: {} } },
    ],
    [
      'numbers at the edges',
      [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -(2 ** 31), Number.NaN, Infinity],
    ],
    ['big integers', [2n ** 64n, -(2n ** 70n), 2n ** 60n, 5n]],
    ['dates', [new Date(0), new Date(1_700_000_000_123), new Date(-1)]],
    [
      'sets and maps',
      [
        new Set([1, 'x']),
        new Map<unknown, unknown>([
          [1, 'x'],
          [{ a: 1 }, new Map([[1, { b: 2 }]])],
        ]),
        new Set(),
        new Map(),
      ],
    ],
    [
      'typed arrays',
      [new Float64Array([1.5, 2]), new Uint16Array([1, 2]), new BigInt64Array([-1n]), new Int8Array([-1])],
    ],
    ['long texts and lists', ['x'.repeat(70_000), Array.from({ length: 65_536 }, (_, index) => index)]],
  ])('%s come out as they went in', (_, message) => {
    const bytes = Buffer.from(encode(message))
    expect(wellFormed(bytes)).toBe(true)
    expect(decode(bytes)).toEqual(message)
  })

  it('byte strings come out as bytes that are nobody else’s', () => {
    const bytes = Buffer.from(encode({ data: new Uint8Array([1, 2, 3]) }))
    const { data } = decode(bytes) as { data: Uint8Array }
    bytes.fill(0)
    for (let count = 0; count < 5_000; count++) decode(encode({ data: new Uint8Array(3) }))
    expect([...data]).toEqual([1, 2, 3])
  })

  it.each([
    ['short', 1024, 8192],
    ['of medium length', 1025, 1025],
    ['long', 100_000, 100_000],
  ])('a byte string that is %s keeps little else alive', (_, length, bytesMax) => {
    const { data } = decode(encode({ data: new Uint8Array(length), text: 'x'.repeat(2000) })) as {
      data: Uint8Array
    }
    expect(data.length).toBe(length)
    expect(data.buffer.byteLength).toBeLessThanOrEqual(bytesMax)
  })

  it.each([0, 1, 23, 24, 255, 256, 4097, 65_535, 65_536, 200_000])(
    'a message of %d bytes leaves from where it lies, as the same CBOR',
    length => {
      const message = new Uint8Array(length).fill(7)
      const payload = encodePayload(message) as ByteString
      expect(payload.bytes).toBe(message)
      const head = Buffer.alloc(headBytesMax)
      const headBytes = payload.writeHead(head, 0)
      const sent = Buffer.concat([head.subarray(0, headBytes), message])
      expect(sent.equals(Buffer.from(encode(message)))).toBe(true)
      expect(decode(sent)).toEqual(message)
    },
  )

  it('a payload above 4 KiB stays as it is when something else is encoded', () => {
    const large = encode({ text: 'x'.repeat(5_000) })
    const before = Buffer.from(large)
    for (let count = 0; count < 50; count++) encode({ text: 'y'.repeat(6_000) })
    expect(Buffer.from(large).equals(before)).toBe(true)
    expect(large.buffer.byteLength).toBe(large.length)
  })

  it.each([5_000, 70_000])(
    'a byte string of %i bytes stays where it lies if that is nobody else’s',
    bytes => {
      const payload = encode(new Uint8Array(bytes).fill(7))
      const [kept, copied] = [decode(payload, true) as Uint8Array, decode(payload) as Uint8Array]
      payload.fill(8)
      expect([kept.length, kept[0], kept.at(-1)]).toEqual([bytes, 8, 8])
      expect([copied.length, copied[0], copied.at(-1)]).toEqual([bytes, 7, 7])
    },
  )

  it('what else a large message holds is copied, whoever the memory belongs to', () => {
    const payload = encode({ note: 'x'.repeat(5_000), bytes: new Uint8Array(6_000).fill(7) })
    const { bytes } = decode(payload, true) as { bytes: Uint8Array }
    payload.fill(8)
    expect([bytes.length, bytes[0]]).toEqual([6_000, 7])
  })

  it('the encoder does not keep the room of the largest message', () => {
    encode('x'.repeat(1_000_000))
    expect(encode('small').buffer.byteLength).toBeLessThanOrEqual(256 * 1024)
  })

  it('a message that cannot be encoded throws, and the next one is encoded well', () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    for (const message of [{ run: () => 1 }, [Symbol('s')], cycle]) expect(() => encode(message)).toThrow()
    expect(decode(Buffer.from(encode({ fine: true })))).toEqual({ fine: true })
  })

  it('any plain data comes out as it went in', () => {
    const data = fc.anything({
      withBigInt: true,
      withDate: false,
      withMap: false,
      withSet: false,
      maxDepth: 4,
    })
    fc.assert(
      fc.property(data, message => {
        const bytes = Buffer.from(encode(message))
        expect(wellFormed(bytes)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('before the decoder', () => {
  it.each([
    ['nothing', ''],
    ['two items', '0101'],
    ['a cut number', '19ff'],
    ['a cut float', 'fb0000'],
    ['a cut text', '6361'],
    ['an array with an item missing', '8201'],
    ['a map with a value missing', 'a16161'],
    ['an array of four billion', '9affffffff'],
    ['an array with a length of eight bytes', '9b0000000000000001'],
    ['an array of 65,537', `9a00010001${'00'.repeat(65_537)}`],
    ['an open array without an end', '9f01'],
    ['an open text', '7f6161ff'],
    ['an open map', 'bf616101ff'],
    ['a stop code alone', 'ff'],
    ['reserved lengths', '1c'],
    ['an unknown simple value', 'e0'],
    ['a simple value of two bytes', 'f820'],
    ['a map whose key is an array', 'a18001'],
    ['a record definition', 'd9dfff8319e000816161f5'],
    ['a packed table', 'd833848080800'.padEnd(14, '0')],
    ['a shared reference', 'd81d00'],
    ['a regular expression', 'd81b8266526567457870612e'],
    ['an error', 'd81b82654572726f72616d'],
    ['a date of text', 'c0613x'.replace('x', '1')],
    ['a date of a list', 'c180'],
    ['a date of a big integer', 'c11b0200020000020200'],
    ['a big integer of text', 'c26161'],
    ['a big integer of 1,025 bytes', `c2590401${'01'.repeat(1_025)}`],
    ['a set of a map', 'd90102a0'],
    ['a map of a list', 'd9010380'],
    ['floats of an odd length', 'd8564901020304050607080900'.slice(0, 26)],
    ['an unknown tag', 'd9ffff01'],
  ])('%s is refused', (_, text) => {
    expect(wellFormed(hex(text))).toBe(false)
  })

  it('a hundred levels are read, a hundred and one are not', () => {
    const nested = (levels: number) => Buffer.concat([Buffer.alloc(levels, 0x81), hex('00')])
    expect(wellFormed(nested(100))).toBe(true)
    expect(wellFormed(nested(101))).toBe(false)
    expect(wellFormed(nested(1_000_000))).toBe(false)
  })

  it('what passes decodes without throwing, whatever it is', () => {
    const byte = fc.oneof(
      fc.constantFrom(...hex('00181961626581829fa1a2bfc0c1c2c4d8d9f4f6f7f9fbff40415801')),
      fc.constantFrom(2, 3, 27, 64, 69, 86, 258 & 255, 0x01, 0x02, 0x03),
      fc.nat({ max: 255 }),
    )
    let passed = 0
    fc.assert(
      fc.property(fc.array(byte, { minLength: 1, maxLength: 24 }), list => {
        const bytes = Buffer.from(list)
        if (!wellFormed(bytes)) return
        passed += 1
        expect(() => decode(bytes)).not.toThrow()
      }),
      { numRuns: 20_000 },
    )
    expect(passed).toBeGreaterThan(500)
  })

  it('__proto__ as a key pollutes nothing', () => {
    const bytes = hex('a1695f5f70726f746f5f5fa161780a'.replace('0a', '01'))
    expect(wellFormed(bytes)).toBe(true)
    const message = decode(bytes) as object
    expect(Object.getPrototypeOf(message)).toBe(Object.prototype)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})
