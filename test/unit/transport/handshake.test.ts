import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Greeting } from '../../../transport/greeting.ts'
import { Handshake, type HandshakeStep, type Refusal } from '../../../transport/handshake.ts'
import { encodeGoodbye, FrameKind, headerBytes, kindOffset } from '../../../transport/wire.ts'
import { greetingOf } from './world.ts'

interface End {
  readonly greeting?: Partial<Greeting>
  readonly secrets?: readonly string[]
  readonly screen?: () => Refusal | undefined
  /** What this end's carrier has proven of the other. */
  readonly peerNames?: readonly string[]
}

function handshake(node: string, target: string | undefined, end: End): Handshake {
  const greeting = greetingOf(node, { nonce: Buffer.from(node.repeat(32)), ...end.greeting })
  return new Handshake(
    { greeting, secrets: end.secrets ?? ['secret'] },
    target,
    end.screen ?? (() => undefined),
    () => end.peerNames,
  )
}

/** Plays dialler b against acceptor a; returns the last step of each, and all bytes that went over. */
function play(dialling: End = {}, accepting: End = {}, verdict?: Refusal) {
  const dialler = handshake('b', 'a', dialling)
  const acceptor = handshake('a', undefined, accepting)
  const wire: Uint8Array[] = []
  let toAcceptor = true
  let frame: Uint8Array | undefined = dialler.hello()
  const last: { dialler?: HandshakeStep; acceptor?: HandshakeStep } = {}
  while (frame !== undefined) {
    wire.push(frame)
    const end = toAcceptor ? acceptor : dialler
    const step = end.receive(frame[kindOffset]!, frame.subarray(headerBytes))
    last[toAcceptor ? 'acceptor' : 'dialler'] = step
    toAcceptor = !toAcceptor
    if (step.do === 'send') frame = step.frame
    else if (step.do === 'decide') frame = acceptor.verdict(verdict)
    else if (step.do === 'refuse')
      frame = encodeGoodbye({ received: [0, 0, 0], reason: step.reason, detail: step.detail })
    else frame = undefined
  }
  return { ...last, wire: Buffer.concat(wire), dialled: dialler, accepted: acceptor }
}

describe('two nodes that share a secret', () => {
  test('open, and each knows the other', () => {
    const { dialler, acceptor, dialled, accepted } = play()
    expect(dialler).toEqual({ do: 'open' })
    expect(acceptor).toEqual({ do: 'decide' })
    expect(dialled.remote).toMatchObject({ node: 'a', version: '9.9.9', creation: 7 })
    expect(accepted.remote).toMatchObject({ node: 'b' })
  })

  test('never send it', () => {
    const secret = 'a secret of some length'
    expect(play({ secrets: [secret] }, { secrets: [secret] }).wire.includes(secret)).toBe(false)
  })

  test('open during each step of a rotation', () => {
    for (const [mine, theirs] of [
      [['old'], ['old', 'new']],
      [
        ['old', 'new'],
        ['new', 'old'],
      ],
      [['new', 'old'], ['new']],
    ])
      for (const [dialling, accepting] of [
        [mine, theirs],
        [theirs, mine],
      ])
        expect(play({ secrets: dialling! }, { secrets: accepting! }).dialler).toEqual({ do: 'open' })
  })

  test('open without any secret when neither has one', () => {
    expect(play({ secrets: [] }, { secrets: [] }).dialler).toEqual({ do: 'open' })
  })
})

describe('where the carrier has proven names', () => {
  test('two that are who they say open, with a secret and without', () => {
    for (const secrets of [['secret'], []]) {
      const { dialler } = play({ peerNames: ['x', 'a'], secrets }, { peerNames: ['b'], secrets })
      expect(dialler).toEqual({ do: 'open' })
    }
  })

  test.each<[string, End, End, 'dialler' | 'acceptor']>([
    ['the dialler is another', {}, { peerNames: ['c'] }, 'acceptor'],
    ['the dialler is nobody', {}, { peerNames: [] }, 'acceptor'],
    ['the acceptor is another', { peerNames: ['c', 'A'] }, {}, 'dialler'],
    [
      'a second process under our own name',
      { peerNames: ['a'], greeting: { node: 'a', creation: 8 } },
      { peerNames: ['b'] },
      'acceptor',
    ],
  ])('%s: refused before any proof', (_what, dialling, accepting, refuser) => {
    const ends = play(dialling, accepting)
    expect(ends[refuser]).toMatchObject({ do: 'refuse', reason: 'wrong-certificate' })
    expect(ends[refuser === 'dialler' ? 'acceptor' : 'dialler']).toMatchObject({ do: 'refused' })
  })

  test('the secret must hold as well', () => {
    const { acceptor } = play({ peerNames: ['a'], secrets: ['wrong'] }, { peerNames: ['b'] })
    expect(acceptor).toMatchObject({ do: 'refuse', reason: 'wrong-secret' })
  })
})

/** Each refusal is the acceptor's last step, and what the dialler hears of it. */
describe('the acceptor refuses, and the dialler hears why:', () => {
  test.each<[string, End, End]>([
    ['foreign-cluster', { greeting: { clusterId: 'other' } }, {}],
    ['version', { greeting: { protocolMin: 2, protocolMax: 3 } }, {}],
    ['version', { greeting: { protocolMin: 0, protocolMax: 0 } }, {}],
    ['version', { greeting: { featuresRequired: 1 } }, {}],
    ['version', {}, { greeting: { featuresRequired: 4, features: 4 } }],
    ['wrong-secret', { secrets: ['wrong'] }, {}],
    ['wrong-secret', { secrets: [] }, {}],
    ['wrong-secret', {}, { secrets: [] }],
    ['not-configured', {}, { screen: () => ({ reason: 'not-configured', detail: 'no' }) }],
  ])('%s', (reason, dialling, accepting) => {
    const { dialler, acceptor } = play(dialling, accepting)
    expect(acceptor).toMatchObject({ do: 'refuse', reason })
    expect(dialler).toMatchObject({ do: 'refused', reason })
    expect((dialler as { detail: string }).detail).not.toBe('')
  })

  test('duplicate-name, under its proof', () => {
    const { dialler } = play({}, {}, { reason: 'duplicate-name', detail: 'b is alive' })
    expect(dialler).toEqual({ do: 'refused', reason: 'duplicate-name', detail: 'b is alive' })
  })
})

describe('the dialler refuses, and the acceptor hears why:', () => {
  test('wrong-name, when somebody else answers', () => {
    const { dialler, acceptor } = play({}, { greeting: { node: 'c' } })
    expect(dialler).toMatchObject({ do: 'refuse', reason: 'wrong-name', detail: 'dialled a, c answered' })
    expect(acceptor).toMatchObject({ do: 'refused', reason: 'wrong-name' })
  })

  test('wrong-secret, when the acceptor only accepts ours but proves another', () => {
    const { dialler } = play({ secrets: ['secret'] }, { secrets: ['other', 'secret'] })
    expect(dialler).toMatchObject({ do: 'refuse', reason: 'wrong-secret' })
  })
})

describe('a proof', () => {
  test('is HMAC-SHA256 over role, both greetings and the verdict', () => {
    const dialler = handshake('b', 'a', {})
    const acceptor = handshake('a', undefined, {})
    const hello = dialler.hello().subarray(headerBytes)
    const challenged = acceptor.receive(FrameKind.hello, hello)
    if (challenged.do !== 'send') throw new Error('no challenge')
    const challenge = challenged.frame.subarray(headerBytes)
    const proven = dialler.receive(FrameKind.challenge, challenge)
    if (proven.do !== 'send') throw new Error('no proof')
    const length = (part: Uint8Array) => Buffer.from([part.length >> 8, part.length & 255])
    const expected = createHmac('sha256', 'secret')
      .update('wandist 1')
      .update(Buffer.from([1]))
      .update(Buffer.concat([length(hello), hello, length(challenge), challenge, Buffer.from([0, 0])]))
      .digest('hex')
    expect(Buffer.from(proven.frame.subarray(headerBytes)).toString('hex')).toBe(expected)
  })

  test('of one handshake is worth nothing in the next', () => {
    const proofOf = (nonce: number) => {
      const acceptor = handshake('a', undefined, { greeting: { nonce: new Uint8Array(32).fill(nonce) } })
      const dialler = handshake('b', 'a', {})
      const challenge = acceptor.receive(FrameKind.hello, dialler.hello().subarray(headerBytes))
      if (challenge.do !== 'send') throw new Error('no challenge')
      const proof = dialler.receive(FrameKind.challenge, challenge.frame.subarray(headerBytes))
      if (proof.do !== 'send') throw new Error('no proof')
      return { acceptor, proof: proof.frame.subarray(headerBytes) }
    }
    const first = proofOf(1)
    const second = proofOf(2)
    expect(second.acceptor.receive(FrameKind.proof, first.proof)).toMatchObject({ reason: 'wrong-secret' })
    expect(first.acceptor.receive(FrameKind.proof, first.proof)).toEqual({ do: 'decide' })
  })

  test('of the dialler sent back is no proof of the acceptor', () => {
    const dialler = handshake('b', 'a', {})
    const acceptor = handshake('a', undefined, {})
    const challenge = acceptor.receive(FrameKind.hello, dialler.hello().subarray(headerBytes))
    if (challenge.do !== 'send') throw new Error('no challenge')
    const proof = dialler.receive(FrameKind.challenge, challenge.frame.subarray(headerBytes))
    if (proof.do !== 'send') throw new Error('no proof')
    const mirrored = Buffer.concat([proof.frame.subarray(headerBytes), Buffer.from([0, 0])])
    expect(dialler.receive(FrameKind.welcome, mirrored)).toMatchObject({ reason: 'wrong-secret' })
  })

  test('covers the verdict: a refusal cannot be made up, nor turned into a welcome', () => {
    const dialler = handshake('b', 'a', {})
    const acceptor = handshake('a', undefined, {})
    const challenge = acceptor.receive(FrameKind.hello, dialler.hello().subarray(headerBytes))
    if (challenge.do !== 'send') throw new Error('no challenge')
    dialler.receive(FrameKind.challenge, challenge.frame.subarray(headerBytes))
    const welcome = Buffer.from(acceptor.verdict({ reason: 'duplicate-name', detail: '' })).subarray(
      headerBytes,
    )
    welcome[32] = 0
    expect(dialler.receive(FrameKind.welcome, welcome)).toMatchObject({ reason: 'wrong-secret' })
  })
})

describe('out of place:', () => {
  test.each([
    ['a proof first', FrameKind.proof],
    ['a challenge first', FrameKind.challenge],
    ['a message first', FrameKind.message],
    ['a kind that nobody knows', 99],
  ])('%s', (_what, kind) => {
    const step = handshake('a', undefined, {}).receive(kind, new Uint8Array(64))
    expect(step).toMatchObject({ do: 'refuse', reason: 'bad-frame' })
  })

  test.each(['duplicate-name', 'duplicate-link', 'superseded'] as const)(
    '%s without a proof is not believed',
    reason => {
      const dialler = handshake('b', 'a', {})
      dialler.hello()
      const goodbye = encodeGoodbye({ received: [0, 0, 0], reason, detail: '' })
      expect(dialler.receive(FrameKind.goodbye, goodbye.subarray(headerBytes))).toMatchObject({
        do: 'refuse',
        reason: 'bad-frame',
      })
    },
  )

  test('bodies that hold nothing', () => {
    for (const kind of [FrameKind.hello, FrameKind.goodbye])
      expect(handshake('a', undefined, {}).receive(kind, new Uint8Array(0))).toMatchObject({
        reason: 'bad-frame',
      })
  })
})
