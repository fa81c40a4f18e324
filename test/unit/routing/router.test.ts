/** Casts and calls: what is delivered, what comes back, and how each one ends exactly once. */
import { describe, expect, it } from 'vitest'
import { encode } from '../../../routing/codec.ts'
import { Channel, Pid, RoutingError, routingForTests } from '../../../routing/index.ts'
import { headerBytes, Kind, newHeader, offsets, writeHeader } from '../../../routing/message.ts'
import { Lane, Sent } from '../../../transport/index.ts'
import { type Node, World, type WorldOptions } from './world.ts'

/** Nodes a and b, linked, with process b/…/3 in the group `echo`. */
function pair(options: WorldOptions = {}) {
  const world = new World(options)
  const [a, b] = [world.start('a'), world.start('b')]
  world.link('a', 'b')
  b.registry.join('echo', b.pid(3))
  world.settle()
  world.carried.length = 0
  return { world, a, b }
}

/** How a call ended: its value, or its error's code (and detail). */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return { value: await call }
  } catch (error) {
    if (!(error instanceof RoutingError)) throw error
    return error.detail === undefined ? error.code : `${error.code}: ${error.detail}`
  }
}

/** Watches a call without waiting for it. */
function watch(call: Promise<unknown>): { now: unknown } {
  const seen: { now: unknown } = { now: 'pending' }
  void outcome(call).then(end => {
    seen.now = end
  })
  return seen
}

const turn = () => new Promise<void>(resolve => setImmediate(resolve))

/** The bytes of a message as a peer would send it. */
function bytesOf(header: Partial<ReturnType<typeof newHeader>>, payload: Uint8Array): Buffer {
  const head = new Uint8Array(headerBytes)
  writeHeader(new DataView(head.buffer), { ...newHeader(), ...header })
  return Buffer.concat([head, payload])
}

function total(node: Node): number {
  const { ok, nosuspend, noconnect, tooBig, expired } = node.router.counts
  return ok + nosuspend + noconnect + tooBig + expired
}

describe('casts', () => {
  it('reach a process of another node with message, sender and lane', () => {
    const { world, a, b } = pair()
    const message = { text: 'hello', data: Uint8Array.of(1, 2) }
    expect(a.router.cast(b.pid(3, 1), message, { from: a.pid(9, 2), lane: Lane.bulk })).toBe(Sent.ok)
    expect(world.carried[0]).toMatchObject({ channel: Channel.message, lane: Lane.bulk })
    world.settle()
    const { index, worker, envelope } = b.envelopes[0]!
    expect([index, worker]).toEqual([3, 1])
    expect(envelope).toMatchObject({ isCall: false, fromNode: 'a', deadlineMs: Number.POSITIVE_INFINITY })
    expect(String(envelope.from)).toBe('a/1/2/9')
    expect(envelope.message).toEqual(message)
    expect(envelope.message).toBe(envelope.message)
    expect(b.router.counts.delivered).toBe(1)
  })

  it('from nobody in particular say so, and go out on the ordinary lane', () => {
    const { world, a, b } = pair()
    a.router.cast({ group: 'echo' }, 1)
    world.settle()
    expect(b.envelopes[0]!.envelope.from).toBeUndefined()
    expect(world.carried[0]!.lane).toBe(Lane.ordinary)
  })

  it('within a node pass the very message, never encoded', () => {
    const { world, a } = pair()
    const message = { run: () => 1 }
    expect(a.router.cast(a.pid(1), message, { from: a.pid(2) })).toBe(Sent.ok)
    expect(a.envelopes[0]!.envelope.message).toBe(message)
    expect(a.envelopes[0]!.envelope.from).toEqual(a.pid(2))
    expect(world.carried).toEqual([])
  })

  it('to nobody, to no link, and to another start of a node are noconnect', () => {
    const { world, a, b } = pair()
    expect(a.router.cast({ group: 'none' }, 1)).toBe(Sent.noconnect)
    expect(a.router.cast({ service: 'none', key: 'x' }, 1)).toBe(Sent.noconnect)
    expect(a.router.cast(new Pid('x', 1, 0, 1), 1)).toBe(Sent.noconnect)
    expect(a.router.cast(new Pid('b', b.creation - 1, 0, 3), 1)).toBe(Sent.noconnect)
    expect(a.router.cast(new Pid('a', a.creation + 1, 0, 3), 1)).toBe(Sent.noconnect)
    world.cut('a', 'b')
    expect(a.router.cast(b.pid(3), 1)).toBe(Sent.noconnect)
    expect(a.router.counts).toMatchObject({ noconnect: 6, noMember: 2 })
    expect(a.envelopes).toEqual([])
  })

  it.each(['nosuspend', 'tooBig', 'expired'] as const)('pass on that the link said %s', name => {
    const { world, a, b } = pair()
    world.admit = () => Sent[name]
    expect(a.router.cast(b.pid(3), 1)).toBe(Sent[name])
    expect(a.router.counts[name]).toBe(1)
  })

  it('to a local process tell whether it is gone or full', () => {
    const { a } = pair()
    a.accept = (index, envelope) => {
      if (index === 2) envelope.refuse('overload')
      return false
    }
    expect(a.router.cast(a.pid(1), 1)).toBe(Sent.noconnect)
    expect(a.router.cast(a.pid(2), 1)).toBe(Sent.nosuspend)
  })

  it('that nobody takes over there are counted there', () => {
    const { world, a, b } = pair()
    b.accept = () => false
    a.router.cast({ group: 'echo' }, 1)
    world.settle()
    expect(b.router.counts).toMatchObject({ delivered: 0, undelivered: 1 })
    expect(world.carried).toHaveLength(1)
  })

  it('cannot be answered', () => {
    const { world, a, b } = pair()
    a.router.cast({ group: 'echo' }, 1)
    world.settle()
    b.envelopes[0]!.envelope.reply(1)
    b.envelopes[0]!.envelope.refuse('failed')
    expect(world.carried).toHaveLength(1)
  })

  it('of what cannot be encoded throw, and say to whom', () => {
    const { world, a, b } = pair()
    expect(() => a.router.cast(b.pid(3), { run: () => 1 })).toThrow(/^send to b\/2\/0\/3: failed: .*function/)
    expect(world.carried).toEqual([])
  })
})

describe('castAll', () => {
  it('reaches every member as often as it joined, and counts who could be addressed', () => {
    const world = new World()
    const nodes = ['a', 'b', 'c'].map(name => world.start(name))
    for (const node of nodes) node.registry.join('room', node.pid(1))
    nodes[1]!.registry.join('room', nodes[1]!.pid(1))
    world.linkAll()
    world.settle()
    world.admit = ({ to }) => (to === 'c' ? Sent.nosuspend : Sent.ok)
    expect(nodes[0]!.router.castAll('room', { text: 'all' })).toBe(3)
    world.settle()
    expect(nodes.map(node => node.messages)).toEqual([
      [{ text: 'all' }],
      [{ text: 'all' }, { text: 'all' }],
      [],
    ])
    expect(nodes[0]!.router.counts).toMatchObject({ ok: 3, nosuspend: 1 })
  })

  it('tells everybody the same, even if a local process casts at once', () => {
    const { world, a, b } = pair()
    a.registry.join('echo', a.pid(1))
    a.accept = () => {
      a.router.cast(b.pid(9), 'something else')
      return true
    }
    a.router.castAll('echo', 'the same')
    world.settle()
    expect(b.messages.sort()).toEqual(['something else', 'the same'])
  })

  it('after the stop is a noconnect for every member', () => {
    const { a } = pair()
    for (const index of [1, 2]) a.registry.join('room', a.pid(index))
    a.router.stop()
    expect(a.router.castAll('room', 1)).toBe(0)
    expect(a.router.counts).toMatchObject({ ok: 0, noconnect: 2 })
  })

  it('reaches nobody in a group that does not exist', () => {
    expect(pair().a.router.castAll('none', 1)).toBe(0)
  })
})

describe('calls', () => {
  it('are answered by a process of another node', async () => {
    const { world, a, b } = pair()
    const call = a.router.call({ group: 'echo' }, ['get', 1], { from: a.pid(9), timeoutMs: 250 })
    world.settle()
    const { envelope } = b.envelopes[0]!
    expect(envelope).toMatchObject({
      isCall: true,
      message: ['get', 1],
      deadlineMs: world.time.nowMs() + 250,
    })
    envelope.reply({ got: 1 })
    world.settle()
    expect(await call).toEqual({ got: 1 })
    expect(a.router.pendingCalls).toBe(0)
    expect(a.router.counts.answers).toBe(1)
  })

  it('are answered by a process of the same node, by reference', async () => {
    const { world, a } = pair()
    const call = a.router.call(a.pid(1), 'question')
    const answer = { run: () => 1 }
    a.envelopes[0]!.envelope.reply(answer)
    expect(await call).toBe(answer)
    expect(world.carried).toEqual([])
  })

  it('each get their own answer, in whatever order', async () => {
    const { world, a, b } = pair()
    const calls = [1, 2, 3].map(number => a.router.call({ group: 'echo' }, number))
    world.settle()
    for (const { envelope } of [...b.envelopes].reverse()) envelope.reply(Number(envelope.message) * 10)
    world.settle()
    expect(await Promise.all(calls)).toEqual([10, 20, 30])
  })

  it.each(['noprocess', 'overload', 'failed'] as const)('carry a refusal back: %s', async refusal => {
    const { world, a, b } = pair()
    const remote = a.router.call({ group: 'echo' }, 1)
    const local = a.router.call(a.pid(1), 1)
    world.settle()
    for (const node of [a, b]) node.envelopes[0]!.envelope.refuse(refusal, 'why')
    world.settle()
    expect(await outcome(remote)).toBe(`${refusal}: why`)
    expect(await outcome(local)).toBe(`${refusal}: why`)
    await expect(remote).rejects.toThrow(`call echo: ${refusal}: why`)
  })

  it('to a process that is not there fail with noprocess', async () => {
    const { world, a, b } = pair()
    a.accept = () => false
    b.accept = () => false
    const [remote, local] = [a.router.call(b.pid(77), 1), a.router.call(a.pid(77), 1)]
    world.settle()
    expect(await outcome(remote)).toBe('noprocess')
    expect(await outcome(local)).toBe('noprocess')
  })

  it('to a full process fail with overload, here and there', async () => {
    const { world, a, b } = pair()
    for (const node of [a, b]) {
      node.accept = (_, envelope) => {
        envelope.refuse('overload', 'full')
        return false
      }
    }
    const [remote, local] = [a.router.call(b.pid(1), 1), a.router.call(a.pid(1), 1)]
    world.settle()
    expect(await outcome(remote)).toBe('overload: full')
    expect(await outcome(local)).toBe('overload: full')
  })

  it('fail at once when they cannot be sent', async () => {
    const { world, a, b } = pair()
    const aborted = AbortSignal.abort()
    expect(await outcome(a.router.call({ group: 'none' }, 1))).toBe('no-member')
    expect(await outcome(a.router.call(new Pid('x', 1, 0, 1), 1))).toBe('noconnect')
    expect(await outcome(a.router.call(new Pid('b', b.creation - 1, 0, 1), 1))).toBe('noprocess')
    expect(await outcome(a.router.call(new Pid('b', b.creation + 1, 0, 1), 1))).toBe('noconnect')
    expect(await outcome(a.router.call(new Pid('a', a.creation - 1, 0, 1), 1))).toBe('noprocess')
    expect(await outcome(a.router.call(b.pid(3), 1, { timeoutMs: 0 }))).toBe('timeout')
    expect(await outcome(a.router.call(b.pid(3), 1, { timeoutMs: Number.NaN }))).toBe('timeout')
    expect(await outcome(a.router.call(b.pid(3), 1, { signal: aborted }))).toBe('aborted')
    expect(await outcome(a.router.call(b.pid(3), { run: () => 1 }))).toMatch(
      /^failed: the message cannot be encoded/,
    )
    for (const [sent, code] of [
      [Sent.nosuspend, 'nosuspend'],
      [Sent.tooBig, 'tooBig'],
      [Sent.expired, 'timeout'],
      [Sent.noconnect, 'noconnect'],
    ] as const) {
      world.admit = () => sent
      expect(await outcome(a.router.call(b.pid(3), 1))).toBe(code)
    }
    expect(a.router.pendingCalls).toBe(0)
    expect(b.envelopes).toEqual([])
  })

  it('end by their deadline, and a late answer is dropped and counted', async () => {
    const { world, a, b } = pair()
    const remote = watch(a.router.call({ group: 'echo' }, 1, { timeoutMs: 100 }))
    const local = watch(a.router.call(a.pid(1), 1, { timeoutMs: 100 }))
    world.advance(99)
    await turn()
    expect([remote.now, local.now]).toEqual(['pending', 'pending'])
    world.advance(1 + 2 * routingForTests.sweepMs)
    await turn()
    expect([remote.now, local.now]).toEqual(['timeout', 'timeout'])
    for (const node of [a, b]) node.envelopes[0]!.envelope.reply('late')
    world.settle()
    await turn()
    expect([remote.now, local.now]).toEqual(['timeout', 'timeout'])
    expect(a.router.counts).toMatchObject({ lateReplies: 2, answers: 0 })
  })

  it('have no timer of their own: a thousand of them share one', async () => {
    const { world, a } = pair()
    const before = world.time.timersSet
    const calls = Array.from({ length: 1_000 }, (_, index) =>
      a.router.call(a.pid(1), index, { timeoutMs: 1_000 + (index % 7) }),
    )
    expect(world.time.timersSet - before).toBe(1)
    for (const { envelope } of a.envelopes) envelope.reply(envelope.message)
    expect((await Promise.all(calls)).length).toBe(1_000)
    world.advance(2_000)
    expect(world.time.timersSet - before).toBe(1)
    expect(world.time.pendingTimers).toBe(0)
  })

  it('with a short deadline do not wait for those with a long one', async () => {
    const { world, a } = pair()
    const long = watch(a.router.call(a.pid(1), 1, { timeoutMs: 60_000 }))
    const short = watch(a.router.call(a.pid(1), 2, { timeoutMs: 50 }))
    const endless = watch(a.router.call(a.pid(1), 3, { timeoutMs: Number.POSITIVE_INFINITY }))
    world.advance(100)
    await turn()
    expect([long.now, short.now]).toEqual(['pending', 'timeout'])
    world.advance(60_000)
    await turn()
    expect([long.now, endless.now]).toEqual(['timeout', 'pending'])
  })

  it('may wait longer than a timer can', async () => {
    const { world, a } = pair()
    const dayMs = 24 * 3_600_000
    const patient = watch(a.router.call(a.pid(1), 1, { timeoutMs: 60 * dayMs }))
    world.advance(59 * dayMs)
    await turn()
    expect(patient.now).toBe('pending')
    world.advance(2 * dayMs)
    await turn()
    expect(patient.now).toBe('timeout')
  })

  it('to a peer that is lost fail with noconnect, and only those', async () => {
    const world = new World()
    const [a, b, c] = [world.start('a'), world.start('b'), world.start('c')]
    world.linkAll()
    world.settle()
    const [lost, kept] = [watch(a.router.call(b.pid(1), 1)), watch(a.router.call(c.pid(1), 1))]
    world.settle()
    world.cut('a', 'b')
    await turn()
    expect([lost.now, kept.now]).toEqual(['noconnect', 'pending'])
    b.envelopes[0]!.envelope.reply(1)
    expect(b.router.counts.answersLost).toBe(1)
    c.envelopes[0]!.envelope.reply('fine')
    world.settle()
    await turn()
    expect(kept.now).toEqual({ value: 'fine' })
  })

  it('are not answered into another start of the caller', async () => {
    const { world, a, b } = pair()
    const old = watch(a.router.call(b.pid(3), 1))
    world.settle()
    const next = world.start('a')
    world.link('a', 'b')
    world.settle()
    const call = watch(next.router.call(b.pid(3), 2))
    b.envelopes[0]!.envelope.reply('for the old one')
    world.settle()
    await turn()
    expect([old.now, call.now]).toEqual(['noconnect', 'pending'])
    expect(b.router.counts.answersLost).toBe(1)
  })

  it('end when their signal is aborted, and leave no listener behind', async () => {
    const { world, a, b } = pair()
    const controller = new AbortController()
    const removed: unknown[] = []
    const remove = controller.signal.removeEventListener.bind(controller.signal)
    controller.signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      removed.push(args[0])
      remove(...args)
    }
    const { signal } = controller
    const [answered, aborted] = [1, 2].map(number => watch(a.router.call(b.pid(3), number, { signal })))
    world.settle()
    b.envelopes[0]!.envelope.reply('in time')
    world.settle()
    controller.abort()
    await turn()
    expect([answered!.now, aborted!.now]).toEqual([{ value: 'in time' }, 'aborted'])
    expect(removed).toEqual(['abort', 'abort'])
  })

  it('beyond the limit of pending ones fail with overload', async () => {
    const { a } = pair({ limits: routingForTests })
    const calls = Array.from({ length: routingForTests.pendingCallsMax }, () =>
      watch(a.router.call(a.pid(1), 1)),
    )
    expect(await outcome(a.router.call(a.pid(1), 1))).toBe('overload')
    a.envelopes[0]!.envelope.reply(1)
    const again = watch(a.router.call(a.pid(1), 1))
    await turn()
    expect([calls[1]!.now, again.now]).toEqual(['pending', 'pending'])
    expect(a.router.counts.overload).toBe(1)
  })

  it('are answered once: the first answer counts', async () => {
    const { world, a, b } = pair()
    const [remote, local] = [a.router.call(b.pid(3), 1), a.router.call(a.pid(1), 1)]
    world.settle()
    for (const node of [a, b]) {
      node.envelopes[0]!.envelope.reply('first')
      node.envelopes[0]!.envelope.reply('second')
      node.envelopes[0]!.envelope.refuse('failed')
    }
    world.settle()
    expect(await Promise.all([remote, local])).toEqual(['first', 'first'])
    expect(a.router.counts.lateReplies).toBe(0)
  })

  it('learn that the reply cannot be encoded, or is too big', async () => {
    const { world, a, b } = pair()
    const calls = [a.router.call(b.pid(3), 1), a.router.call(b.pid(3), 2)]
    world.settle()
    b.envelopes[0]!.envelope.reply({ run: () => 1 })
    world.admit = ({ body }) => (body.length > 1_000 ? Sent.tooBig : Sent.ok)
    b.envelopes[1]!.envelope.reply('x'.repeat(2_000))
    world.settle()
    expect(await outcome(calls[0]!)).toMatch(/^failed: the reply cannot be encoded/)
    expect(await outcome(calls[1]!)).toBe('failed: the reply is too big: 2003 bytes')
  })

  it('fail with stopped when the router stops, as do later ones', async () => {
    const { world, a, b } = pair()
    const pending = watch(a.router.call(b.pid(3), 1))
    a.router.stop()
    await turn()
    expect(pending.now).toBe('stopped')
    expect(await outcome(a.router.call(b.pid(3), 1))).toBe('stopped')
    expect(a.router.cast(b.pid(3), 1)).toBe(Sent.noconnect)
    expect(a.router.castAll('echo', 1)).toBe(0)
    expect(world.time.pendingTimers).toBe(0)
  })
})

describe('frames that should not be', () => {
  const good = Buffer.from(encode('hello'))
  const header = { kind: Kind.cast, targetCreation: 2, targetIndex: 3 }
  const call = { ...header, kind: Kind.call, reference: 5, deadlineLeftMs: 100 } as const

  it.each([
    ['shorter than a header', Buffer.alloc(31)],
    ['of an unknown kind', bytesOf({ ...header, kind: 9 as Kind }, good)],
    ['with a flag that must be understood', bytesOf({ ...header, flags: 0x80 }, good)],
    ['a cast with a reference', bytesOf({ ...header, reference: 1 }, good)],
    ['a call without a reference', bytesOf({ ...call, reference: 0 }, good)],
    ['a reply without a reference', bytesOf({ kind: Kind.reply, targetCreation: 2 }, good)],
  ])('%s: counted as bad, and harmless', (_, bytes) => {
    const { world, b } = pair()
    world.forge('a', 'b', Channel.message, bytes)
    expect(b.router.counts.bad).toBe(1)
    expect(b.envelopes).toEqual([])
  })

  it('OTP’s bad_dist_structure: among bad ones, exactly the good ones are delivered', async () => {
    const { world, a, b } = pair()
    const bad = [
      '',
      '82',
      'ff',
      '9affffffff',
      '7a40000000',
      'd9dfff83196000816161f5',
      '0101',
      'a18001',
      'd81d00',
    ]
    for (const [index, hex] of bad.entries()) {
      a.router.cast(b.pid(3), index)
      world.settle()
      world.forge('a', 'b', Channel.message, bytesOf(header, Buffer.from(hex, 'hex')))
    }
    expect(b.messages).toEqual(bad.map((_, index) => index))
    expect(b.router.counts.malformed).toBe(bad.length)
  })

  it('a call that cannot be read is refused, so that nobody waits', () => {
    const { world } = pair()
    world.forge('a', 'b', Channel.message, bytesOf(call, Buffer.from('ff', 'hex')))
    const { to } = world.carried[0]!
    const body = Buffer.from(world.carried[0]!.body)
    expect([to, body[0], body.readUInt32BE(offsets.reference)]).toEqual(['a', Kind.refusal, 5])
  })

  it('a call whose time is up is not delivered', () => {
    const { world, b } = pair()
    world.forge('a', 'b', Channel.message, bytesOf({ ...call, deadlineLeftMs: 0 }, good))
    expect(b.router.counts.expiredOnArrival).toBe(1)
    expect(b.envelopes).toEqual([])
    expect(world.carried).toEqual([])
  })

  it('for another start of the node are not delivered; a call learns it', () => {
    const { world, b } = pair()
    world.forge('a', 'b', Channel.message, bytesOf({ ...header, targetCreation: 1 }, good))
    world.forge('a', 'b', Channel.message, bytesOf({ ...call, targetCreation: 1 }, good))
    world.forge(
      'a',
      'b',
      Channel.message,
      bytesOf({ kind: Kind.reply, targetCreation: 1, reference: 1 }, good),
    )
    expect(b.router.counts.stale).toBe(3)
    expect(b.envelopes).toEqual([])
    expect(world.carried.map(({ body }) => body[0])).toEqual([Kind.refusal])
  })

  it('an answer from a node that was not asked does not count', async () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b'), world.start('c')]
    world.linkAll()
    world.settle()
    const pending = watch(a.router.call(b.pid(1), 1))
    world.settle()
    const forged = { kind: Kind.reply, targetCreation: 1, reference: 1 }
    world.forge('c', 'a', Channel.message, bytesOf(forged, good))
    await turn()
    expect(pending.now).toBe('pending')
    expect(a.router.counts.lateReplies).toBe(1)
    world.forge('b', 'a', Channel.message, bytesOf(forged, good))
    await turn()
    expect(pending.now).toEqual({ value: 'hello' })
  })

  it.each([
    ['an answer that cannot be read', Kind.reply, Buffer.from([0xff]), 'failed: the answer cannot be read'],
    ['a refusal of a later version', Kind.refusal, Buffer.from(encode(['later'])), 'failed: later'],
    ['a refusal that is no list', Kind.refusal, Buffer.from(encode({})), 'failed'],
    ['an empty refusal', Kind.refusal, Buffer.from(encode([])), 'failed'],
  ])('%s ends the call', async (_, kind, payload, code) => {
    const { world, a, b } = pair()
    const pending = watch(a.router.call(b.pid(3), 1))
    world.settle()
    world.forge('b', 'a', Channel.message, bytesOf({ kind, targetCreation: 1, reference: 1 }, payload))
    await turn()
    expect(pending.now).toBe(code)
  })
})

it('every send has one counted fate', () => {
  const { world, a, b } = pair()
  const answers = [Sent.ok, Sent.nosuspend, Sent.noconnect, Sent.tooBig, Sent.expired]
  for (let count = 0; count < 50; count++) {
    world.admit = () => answers[count % 5]!
    a.router.cast(b.pid(3), count)
    a.router.cast(a.pid(3), count)
    a.router.cast({ group: 'none' }, count)
  }
  expect(total(a)).toBe(150)
  world.settle()
  const { delivered, undelivered } = b.router.counts
  expect(delivered + undelivered).toBe(10)
  expect(a.router.counts.ok).toBe(10 + 50)
})
