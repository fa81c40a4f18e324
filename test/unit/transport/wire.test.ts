import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { closeReasonCode, closeReasonOf, closeReasons } from '../../../transport/close-reason.ts'
import {
  decodeGreeting,
  decodeProof,
  decodeWelcome,
  encodeGreeting,
  handshakeFrameBytesMax,
  nameBytesMax,
  versionBytesMax,
} from '../../../transport/greeting.ts'
import { Lane } from '../../../transport/index.ts'
import { Splitter } from '../../../transport/splitter.ts'
import {
  decodeBeat,
  decodeGoodbye,
  detailBytesMax,
  encodeBeat,
  encodeGoodbye,
  FrameKind,
  headerBytes,
  printable,
} from '../../../transport/wire.ts'
import { goldenFrames, goldenGreeting, goldenReasons, messageFrame } from './golden.ts'

const goldenFolder = join(import.meta.dirname, '../../golden/transport/v1')
const golden = (name: string) =>
  Buffer.from(readFileSync(join(goldenFolder, `${name}.hex`), 'utf8').replaceAll(/\s/g, ''), 'hex')
const body = (name: string) => golden(name).subarray(headerBytes)

describe('every offset is pinned:', () => {
  test('the header', () => {
    const frame = messageFrame(0xc4, Lane.bulk, Buffer.from('ab'), Buffer.from('c'))
    expect(frame.readUInt32BE(0)).toBe(3)
    expect(frame[4]).toBe(16)
    expect(frame[5]).toBe(2)
    expect(frame[6]).toBe(0xc4)
    expect(frame[7]).toBe(0)
    expect(frame.subarray(8).toString()).toBe('abc')
  })

  test('the kinds', () => {
    expect(FrameKind).toEqual({
      hello: 1,
      challenge: 2,
      proof: 3,
      welcome: 4,
      message: 16,
      ping: 17,
      pong: 18,
      goodbye: 19,
      fragment: 20,
      block: 21,
    })
  })

  test('hello and challenge', () => {
    const frame = Buffer.from(goldenFrames.hello!())
    expect(frame[4]).toBe(1)
    expect(goldenFrames.challenge!()[4]).toBe(2)
    const at = headerBytes
    expect(frame.toString('latin1', at, at + 4)).toBe('WAND')
    expect(frame.readUInt16BE(at + 4)).toBe(1)
    expect(frame.readUInt16BE(at + 6)).toBe(1)
    expect(frame.readUInt32BE(at + 8)).toBe(0)
    expect(frame.readUInt32BE(at + 12)).toBe(0)
    expect(frame.readUInt32BE(at + 16)).toBe(16_777_216)
    expect(frame.readUInt32BE(at + 20)).toBe(0x01020304)
    expect(frame.subarray(at + 24, at + 56)).toEqual(Buffer.from(goldenGreeting.nonce))
    expect(frame[at + 56]).toBe('two-datacenters'.length)
    expect(frame.toString('utf8', at + 57, at + 72)).toBe('two-datacenters')
    expect(frame[at + 72]).toBe('dc1-chat1'.length)
    expect(frame.toString('utf8', at + 73, at + 82)).toBe('dc1-chat1')
    expect(frame.toString('utf8', at + 83, at + 92)).toBe('dc2-chat1')
    expect(frame.toString('utf8', at + 93)).toBe('0.1.0')
  })

  test('proof and welcome', () => {
    expect(goldenFrames.proof!()).toHaveLength(headerBytes + 32)
    const taken = goldenFrames.welcome!()
    expect(taken[headerBytes + 32]).toBe(0)
    const refused = goldenFrames['welcome-refused']!()
    expect(refused[headerBytes + 32]).toBe(12)
    expect(refused[headerBytes + 33]).toBe(5)
    expect(Buffer.from(refused).toString('utf8', headerBytes + 34)).toBe('taken')
  })

  test('ping and pong', () => {
    const frame = Buffer.from(goldenFrames.ping!())
    expect(frame).toHaveLength(headerBytes + 32)
    expect(frame.readDoubleBE(headerBytes)).toBe(1234.5)
    expect(frame.readBigUInt64BE(headerBytes + 8)).toBe(1n)
    expect(frame.readBigUInt64BE(headerBytes + 16)).toBe(4_294_967_298n)
    expect(frame.readBigUInt64BE(headerBytes + 24)).toBe(3n)
  })

  test('fragment', () => {
    const frame = Buffer.from(goldenFrames.fragment!())
    expect(frame).toHaveLength(headerBytes + 8 + 7)
    expect(frame[4]).toBe(20)
    expect(frame.readUInt32BE(headerBytes)).toBe(13)
    expect(frame.readUInt32BE(headerBytes + 4)).toBe(6)
    expect(frame.toString('utf8', headerBytes + 8)).toBe('payload')
  })

  test('goodbye', () => {
    const frame = Buffer.from(goldenFrames.goodbye!())
    expect(frame.readBigUInt64BE(headerBytes + 16)).toBe(9n)
    expect(frame[headerBytes + 24]).toBe(closeReasons.indexOf('removed'))
    expect(frame[headerBytes + 25]).toBe('no longer configured'.length)
  })
})

describe('the golden bytes of version 1', () => {
  test('are all there', () => {
    const kept = readdirSync(goldenFolder).filter(name => name.endsWith('.hex'))
    expect(kept.sort()).toEqual(
      Object.keys(goldenFrames)
        .map(name => `${name}.hex`)
        .sort(),
    )
  })

  test.each(Object.entries(goldenFrames))('%s is written as it was', (name, encode) => {
    expect(Buffer.from(encode()).toString('hex')).toBe(golden(name).toString('hex'))
  })

  const neverSaid = ['local-stop', 'stream-closed', 'heartbeat-timeout', 'refused', 'busy']

  test('the close reasons keep their numbers', () => {
    expect(goldenReasons().trim()).toBe(readFileSync(join(goldenFolder, 'close-reasons.txt'), 'utf8').trim())
    for (const [code, reason] of closeReasons.entries()) {
      expect(closeReasonCode(reason)).toBe(code)
      // What an end only finds out for itself is not believed from the wire.
      expect(closeReasonOf(code)).toBe(neverSaid.includes(reason) ? 'unknown' : reason)
    }
    expect(closeReasonOf(255)).toBe('unknown')
  })

  test('are read as they were meant', () => {
    expect(decodeGreeting(body('hello'))).toEqual({
      ...goldenGreeting,
      nonce: Buffer.from(goldenGreeting.nonce),
    })
    expect(decodeGreeting(body('challenge'))).toMatchObject({ node: 'dc2-chat1', creation: 0x0a0b0c0d })
    expect(decodeProof(body('proof'))).toEqual(new Uint8Array(32).fill(0xaa))
    expect(decodeWelcome(body('welcome'))).toMatchObject({ refusal: undefined, detail: '' })
    expect(decodeWelcome(body('welcome-refused'))).toMatchObject({
      refusal: 'duplicate-name',
      detail: 'taken',
    })
    expect(decodeBeat(body('ping'))).toEqual({ timeMs: 1234.5, received: [1, 2 ** 32 + 2, 3] })
    expect(decodeBeat(body('pong'))).toEqual({ timeMs: 1234.5, received: [4, 5, Number.MAX_SAFE_INTEGER] })
    expect(decodeGoodbye(body('goodbye'))).toEqual({
      received: [7, 8, 9],
      reason: 'removed',
      detail: 'no longer configured',
    })
    const messages: unknown[] = []
    const sink = {
      frame: (kind: number, lane: number, channel: number, bytes: Uint8Array) =>
        messages.push([kind, lane, channel, Buffer.from(bytes).toString()]),
    }
    new Splitter(sink, 1_024).push(golden('message'))
    expect(messages).toEqual([[FrameKind.message, Lane.bulk, 2, 'headerpayload']])
  })
})

describe('a decoder', () => {
  test('takes what a newer version appended', () => {
    const more = (name: string) => Buffer.concat([body(name), Buffer.from('what later versions add')])
    expect(decodeGreeting(more('hello'))).toEqual(decodeGreeting(body('hello')))
    expect(decodeProof(more('proof'))).toEqual(decodeProof(body('proof')))
    expect(decodeWelcome(more('welcome-refused'))).toEqual(decodeWelcome(body('welcome-refused')))
    expect(decodeBeat(more('ping'))).toEqual(decodeBeat(body('ping')))
    expect(decodeGoodbye(more('goodbye'))).toEqual(decodeGoodbye(body('goodbye')))
  })

  test.each([
    ['hello', decodeGreeting],
    ['proof', decodeProof],
    ['welcome-refused', decodeWelcome],
    ['ping', decodeBeat],
    ['goodbye', decodeGoodbye],
  ] as const)('refuses a %s that is cut short anywhere', (name, decode) => {
    const whole = body(name)
    for (let end = 0; end < whole.length; end++) expect(decode(whole.subarray(0, end))).toBeUndefined()
    expect(decode(whole)).toBeDefined()
  })

  test('refuses a hello without the magic', () => {
    const bytes = Buffer.from(body('hello'))
    bytes[0] = 0x47
    expect(decodeGreeting(bytes)).toBeUndefined()
  })
})

test('the longest hello fits a handshake frame', () => {
  const name = 'n'.repeat(nameBytesMax)
  const greeting = {
    ...goldenGreeting,
    clusterId: name,
    node: name,
    target: name,
    version: 'v'.repeat(versionBytesMax),
  }
  expect(encodeGreeting(FrameKind.hello, greeting).length).toBeLessThanOrEqual(handshakeFrameBytesMax)
})

test('a detail is cut, so a goodbye always fits a handshake frame', () => {
  const frame = encodeGoodbye({ received: [0, 0, 0], reason: 'version', detail: 'é'.repeat(10_000) })
  expect(frame.length).toBeLessThanOrEqual(handshakeFrameBytesMax)
  expect(decodeGoodbye(frame.subarray(headerBytes))!.detail.length).toBeLessThanOrEqual(detailBytesMax)
})

test('text from the other end cannot move the cursor of a terminal', () => {
  expect(printable(Buffer.from('a\x1b[2Jb\nc\u202ed'))).toBe('a?[2Jb?c?d')
})

test('totals beyond 2^32 survive', () => {
  const beat = { timeMs: 0, received: [2 ** 40 + 1, 0, 2 ** 32 - 1] as [number, number, number] }
  expect(decodeBeat(encodeBeat(FrameKind.pong, beat).subarray(headerBytes))).toEqual(beat)
})
