/** What still comes for a process that has handed its partition over: passed on once, and never again. */
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../../routing/codec.ts'
import { Channel, Pid, routingForTests } from '../../../routing/index.ts'
import { Flag, Kind, offsets } from '../../../routing/message.ts'
import { Sent } from '../../../transport/index.ts'
import { bytesOf, printMessages } from './frames.ts'
import { type Node, World, type WorldOptions } from './world.ts'

/** Node a sends to a service with one partition, of which b is primary and c secondary; d is nobody in particular. */
function island(options: WorldOptions = {}) {
  const world = new World(options)
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name => world.start(name)) as [Node, Node, Node, Node]
  world.serve('mailbox', 1, { island: ['b', 'c'] })
  for (const node of [b, c]) node.registry.join('mailbox/0', node.pid(7))
  world.linkAll()
  world.settle()
  const target = { service: 'mailbox', key: 'bob' } as const
  /** A node's process 7 hands over and ends; those in `deafs` do not hear of it. */
  const handOver = (node: Node, ...deafs: string[]) => {
    world.carries = ({ channel, from, to, body }) =>
      channel === Channel.registry && from === node.name && deafs.includes(to) ? [] : [body]
    node.handOver('mailbox/0', node.pid(7))
    node.accept = index => index !== 7
    world.settle()
    world.carried.length = 0
  }
  return { world, a, b, c, d, target, handOver }
}

describe('a cast to a process that has handed its partition over', () => {
  it('is passed on once to the new owner, and the sender is told; the next one goes straight', () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a')
    expect(a.router.cast(target, 'late', { from: a.pid(9) })).toBe(Sent.ok)
    world.settle()
    expect(printMessages(world)).toEqual([
      'a>b cast flags 1 "late"',
      'b>c cast flags 3 "late"',
      'b>a moved ["mailbox/0","c/3/0/7"]',
    ])
    expect(b.router.counts).toMatchObject({ forwarded: 1, delivered: 0, undelivered: 0, hinted: 1 })
    expect(c.router.counts.delivered).toBe(1)
    expect(a.router.counts.hintsTaken).toBe(1)

    world.carried.length = 0
    a.router.cast(target, 'next')
    world.settle()
    expect(printMessages(world)).toEqual(['a>c cast flags 1 "next"'])
    expect(c.messages).toEqual(['late', 'next'])
  })

  it('comes from nobody: the node that passed it on cannot vouch for the sender', () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a')
    a.router.cast(target, 'late', { from: a.pid(9) })
    world.settle()
    expect(c.envelopes[0]!.envelope).toMatchObject({ from: undefined, fromNode: 'b' })
  })

  it('costs one word to each sender’s node, however much was under way', () => {
    const { world, a, b, c, d, target, handOver } = island()
    handOver(b, 'a', 'd')
    for (let number = 0; number < 20; number++) {
      a.router.cast(target, `a ${number}`)
      d.router.cast(target, `d ${number}`)
    }
    world.settle()
    expect(b.router.counts).toMatchObject({ forwarded: 40, hinted: 2 })
    expect(c.messages).toHaveLength(40)
  })

  it('is told again when the word was refused, or was lost with the link', () => {
    const { world, a, b, target, handOver } = island()
    handOver(b, 'a')
    world.admit = ({ body, channel }) =>
      channel === Channel.message && body[0] === Kind.moved ? Sent.nosuspend : Sent.ok
    a.router.cast(target, 1)
    world.settle()
    expect(b.router.counts.hinted).toBe(0)
    world.admit = () => Sent.ok
    a.router.cast(target, 2)
    world.settle()
    expect(b.router.counts.hinted).toBe(1)
    b.router.peerDown({ node: 'a' })
    a.router.peerDown({ node: 'b' })
    a.router.cast(target, 3)
    world.settle()
    expect(b.router.counts.hinted).toBe(2)
  })

  it('is not passed on a second time', () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a', 'c')
    handOver(c, 'a', 'b')
    a.router.cast(target, 'late')
    world.settle()
    expect(printMessages(world)).toEqual([
      'a>b cast flags 1 "late"',
      'b>c cast flags 3 "late"',
      'b>a moved ["mailbox/0","c/3/0/7"]',
    ])
    expect(c.router.counts).toMatchObject({ forwarded: 0, undelivered: 1 })
  })

  it('arrives whole when it is large', () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a')
    const large = { text: 'x'.repeat(50_000) }
    a.router.cast(target, large)
    a.router.cast(target, Buffer.alloc(9_000, 5))
    world.settle()
    expect(b.router.counts.forwarded).toBe(2)
    expect(c.messages[0]).toEqual(large)
    expect(Buffer.from(c.messages[1] as Uint8Array).equals(Buffer.alloc(9_000, 5))).toBe(true)
  })

  it('leaves in memory of its own, for a link may keep what is large', () => {
    const { world, b, handOver } = island()
    handOver(b, 'a')
    const kept: Uint8Array[] = []
    const { node, creation } = b.links.get('c')!
    b.links.set('c', {
      node,
      creation,
      send: (_channel, _lane, _header, payload) => {
        kept.push(payload!)
        return Sent.ok
      },
    })
    const frame = { kind: Kind.cast, flags: Flag.toOwner, targetCreation: 2, targetIndex: 7 } as const
    const large = 'x'.repeat(9_000)
    const body = bytesOf(frame, encode(large))
    world.forge('a', 'b', Channel.message, body)
    body.fill(0xee)
    expect(decode(kept[0]!)).toBe(large)
  })

  it('goes to the process of the same node that took the partition over, in no hop', () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a')
    c.handOver('mailbox/0', c.pid(7))
    b.registry.join('mailbox/0', b.pid(8))
    world.settle()
    world.carried.length = 0
    a.router.cast(target, 'late', { from: a.pid(9) })
    world.settle()
    expect(printMessages(world)).toEqual(['a>b cast flags 1 "late"', 'b>a moved ["mailbox/0","b/2/0/8"]'])
    expect(b.router.counts).toMatchObject({ delivered: 1, forwarded: 0 })
    expect(b.envelopes.map(({ index }) => index)).toEqual([8])
    expect(b.envelopes[0]!.envelope.from).toEqual(a.pid(9))
  })

  it('stays with a process that still lives', () => {
    const { world, a, b, target, handOver } = island()
    handOver(b, 'a')
    b.accept = () => true
    a.router.cast(target, 'late')
    world.settle()
    expect(b.messages).toEqual(['late'])
    expect(b.router.counts).toMatchObject({ delivered: 1, forwarded: 0, hinted: 0 })
  })

  it.each<[string, (parts: ReturnType<typeof island>) => void]>([
    [
      'a full process refuses it',
      ({ b }) => {
        b.accept = (_, envelope) => {
          envelope.refuse('overload')
          return false
        }
      },
    ],
    [
      'nobody owns the partition now',
      ({ world, c }) => {
        c.registry.leave('mailbox/0', c.pid(7))
        world.settle()
      },
    ],
    ['the hand-over was too long ago', ({ world }) => world.advance(routingForTests.handoverMs + 1)],
    [
      'the new owner’s node has no room',
      ({ world }) => {
        world.admit = ({ from, to }) => (from === 'b' && to === 'c' ? Sent.nosuspend : Sent.ok)
      },
    ],
    [
      'the new owner is of another start of its node than is linked',
      ({ b }) => b.links.set('c', { node: 'c', creation: 99, send: () => Sent.ok }),
    ],
    ['the new owner’s node is not linked', ({ world }) => world.lose('b', 'c')],
  ])('is undelivered when %s', (_, happens) => {
    const parts = island({ limits: routingForTests })
    const { world, b, handOver } = parts
    handOver(b, 'a')
    happens(parts)
    // Straight to the process, as a sender would that has heard nothing yet.
    const frame = { kind: Kind.cast, flags: Flag.toOwner, targetCreation: 2, targetIndex: 7 } as const
    world.forge('a', 'b', Channel.message, bytesOf(frame, encode('late')))
    world.settle()
    expect(b.router.counts).toMatchObject({ undelivered: 1, forwarded: 0, hinted: 0, delivered: 0 })
  })

  it('is remembered for the latest hand-overs only', () => {
    const { world, b } = island({ limits: routingForTests })
    b.registry.leave('mailbox/0', b.pid(7))
    world.settle()
    for (const index of [7, 8, 9]) b.router.handedOver('mailbox/0', b.pid(index))
    b.accept = () => false
    for (const targetIndex of [7, 8, 9]) {
      const frame = { kind: Kind.cast, flags: Flag.toOwner, targetCreation: 2, targetIndex } as const
      world.forge('a', 'b', Channel.message, bytesOf(frame, encode('late')))
    }
    expect(routingForTests.handoversMax).toBe(2)
    expect(b.router.counts).toMatchObject({ undelivered: 1, forwarded: 2 })
  })
})

describe('what is never passed on', () => {
  it('is a message to a pid: it was for that process and no other', () => {
    const { world, a, b, handOver } = island()
    handOver(b, 'a')
    a.router.cast(b.pid(7), 'for you')
    world.settle()
    expect(printMessages(world)).toEqual(['a>b cast "for you"'])
    expect(b.router.counts).toMatchObject({ undelivered: 1, forwarded: 0 })
  })

  it('is a message to a process that only left some other group', () => {
    const { world, a, b } = island()
    b.registry.join('room', b.pid(5))
    b.handOver('room', b.pid(5))
    b.accept = () => false
    const frame = { kind: Kind.cast, flags: Flag.toOwner, targetCreation: 2, targetIndex: 5 } as const
    world.forge('a', 'b', Channel.message, bytesOf(frame, encode(1)))
    world.settle()
    expect(b.router.counts.undelivered).toBe(1)
    expect(a.router.counts.hintsTaken).toBe(0)
  })

  it('is what was forwarded already, whatever else its frame claims', () => {
    const { world, b, c, handOver } = island()
    handOver(b, 'a')
    const flags = Flag.toOwner | Flag.forwarded
    const cast = { kind: Kind.cast, flags, targetCreation: 2, targetIndex: 7 } as const
    world.forge('a', 'b', Channel.message, bytesOf(cast, encode('again')))
    const call = { ...cast, kind: Kind.call, reference: 1, deadlineLeftMs: 100 } as const
    world.forge('a', 'b', Channel.message, bytesOf(call, encode('again')))
    world.settle()
    expect(printMessages(world)).toEqual(['b>a refusal ["noprocess"]'])
    expect(b.router.counts).toMatchObject({ undelivered: 2, forwarded: 0, hinted: 0 })
    expect(c.envelopes).toEqual([])
  })

  it('is a message that nobody could read', () => {
    const { world, b, handOver } = island()
    handOver(b, 'a')
    const frame = { kind: Kind.cast, flags: Flag.toOwner, targetCreation: 2, targetIndex: 7 } as const
    world.forge('a', 'b', Channel.message, bytesOf(frame, Buffer.from('ff', 'hex')))
    expect(b.router.counts).toMatchObject({ malformed: 1, forwarded: 0 })
  })
})

describe('a call to a process that has handed its partition over', () => {
  it('is turned away with the new owner’s name, and asked there by its caller, in the time that is left', async () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a')
    const call = a.router.call(target, { question: 1 }, { timeoutMs: 500, from: a.pid(9) })
    world.advance(0)
    expect(printMessages(world)).toEqual([
      'a>b call flags 1 {"question":1}',
      'b>a refusal ["noprocess","its partition has moved","c/3/0/7"]',
      'a>c call flags 1 {"question":1}',
    ])
    const { envelope } = c.envelopes[0]!
    expect(envelope.from).toEqual(a.pid(9))
    envelope.reply('answer')
    world.settle()
    expect(await call).toBe('answer')
    expect(a.router.counts).toMatchObject({ ok: 2, redirected: 1, answers: 1, lateReplies: 0 })
    expect(b.router.counts).toMatchObject({ undelivered: 1, hinted: 1, forwarded: 0 })
    a.router.cast(target, 'next')
    world.settle()
    expect(c.messages).toEqual([{ question: 1 }, 'next'])
  })

  it('takes its deadline along', async () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a')
    const call = a.router.call(target, 1, { timeoutMs: 500 })
    // What is under way is held up for 300 ms.
    const frames: Uint8Array[] = []
    world.carries = ({ channel, body }) => {
      if (channel === Channel.message) frames.push(body)
      return []
    }
    world.settle()
    world.carries = ({ body }) => [body]
    world.advance(300)
    world.forge('a', 'b', Channel.message, Buffer.from(frames[0]!))
    world.settle()
    expect(c.envelopes[0]!.envelope.deadlineMs).toBe(500)
    expect(Buffer.from(world.carried.at(-1)!.body).readUInt32BE(offsets.deadlineLeftMs)).toBe(200)
    c.envelopes[0]!.envelope.reply('in time')
    world.settle()
    expect(await call).toBe('in time')
  })

  it('is not asked again when its time is up, though nobody has noticed yet', async () => {
    const { world, a, b, target, handOver } = island()
    handOver(b, 'a')
    const ended = expect(a.router.call(target, 1, { timeoutMs: 500 })).rejects.toMatchObject({
      code: 'noprocess',
    })
    world.carries = () => []
    world.settle()
    world.carries = ({ body }) => [body]
    world.advance(500)
    expect(a.router.pendingCalls).toBe(1)
    const refusal = { kind: Kind.refusal, targetCreation: 1, reference: 1 } as const
    world.forge('b', 'a', Channel.message, bytesOf(refusal, encode(['noprocess', 'moved', 'c/3/0/7'])))
    await ended
    expect(a.router.counts.redirected).toBe(0)
  })

  it('counts an answer only from whom it was asked last', async () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a')
    const call = a.router.call(target, 1)
    world.settle()
    const forged = { kind: Kind.reply, targetCreation: 1, reference: 1 } as const
    world.forge('b', 'a', Channel.message, bytesOf(forged, encode('from the former owner')))
    expect(a.router.counts.lateReplies).toBe(1)
    c.envelopes[0]!.envelope.reply('from the new one')
    world.settle()
    expect(await call).toBe('from the new one')
  })

  it('is refused without a name by a process’s node that has not left the group', async () => {
    const { world, a, b, target } = island()
    b.router.handedOver('mailbox/0', b.pid(7))
    b.accept = () => false
    const ended = expect(a.router.call(target, 1)).rejects.toMatchObject({ code: 'noprocess' })
    world.settle()
    await ended
    expect(printMessages(world).at(-1)).toBe('b>a refusal ["noprocess"]')
    expect(b.router.counts).toMatchObject({ undelivered: 1, hinted: 0 })
  })

  it('is not moved by a node that was not asked', async () => {
    const { world, a, b, target } = island()
    const call = a.router.call(target, 1)
    world.settle()
    const forged = { kind: Kind.refusal, targetCreation: 1, reference: 1 } as const
    world.forge('d', 'a', Channel.message, bytesOf(forged, encode(['noprocess', 'moved', 'c/3/0/7'])))
    expect(a.router.counts).toMatchObject({ redirected: 0, lateReplies: 1 })
    b.envelopes[0]!.envelope.reply('answer')
    world.settle()
    expect(await call).toBe('answer')
  })

  it('is asked again once only', async () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a', 'c')
    handOver(c, 'a', 'b')
    const call = a.router.call(target, 1)
    const ended = expect(call).rejects.toMatchObject({ code: 'noprocess' })
    world.settle()
    await ended
    expect(printMessages(world).map(text => text.slice(0, 8))).toEqual([
      'a>b call',
      'b>a refu',
      'a>c call',
      'c>a refu',
    ])
    expect(a.router.counts).toMatchObject({ redirected: 1, answers: 1 })
  })

  it.each<[string, (parts: ReturnType<typeof island>) => void, string]>([
    ['the new owner’s node is not linked', ({ world }) => world.lose('a', 'c'), 'noprocess'],
    [
      'the new owner’s node has no room',
      ({ world }) => {
        world.admit = ({ from, to }) => (from === 'a' && to === 'c' ? Sent.nosuspend : Sent.ok)
      },
      'nosuspend',
    ],
  ])('ends when %s', async (_, happens, code) => {
    const parts = island()
    const { world, a, b, target, handOver } = parts
    handOver(b, 'a')
    happens(parts)
    const ended = expect(a.router.call(target, 1)).rejects.toMatchObject({ code })
    world.settle()
    await ended
    expect(a.router.pendingCalls).toBe(0)
  })

  it('whose message was changed so that it cannot be sent again ends with the refusal', async () => {
    const { world, a, b, target, handOver } = island()
    handOver(b, 'a')
    const message: Record<string, unknown> = {}
    const ended = expect(a.router.call(target, message)).rejects.toMatchObject({ code: 'noprocess' })
    message.run = () => 1
    world.settle()
    await ended
  })

  it('is answered by the caller’s own node when that owns the partition now', async () => {
    const { world, b, c, target, handOver } = island()
    handOver(b, 'c')
    const call = c.router.call(target, 'question')
    world.settle()
    expect(c.envelopes.map(({ envelope }) => envelope.message)).toEqual(['question'])
    c.envelopes[0]!.envelope.reply('own answer')
    expect(await call).toBe('own answer')
    expect(c.router.counts).toMatchObject({ redirected: 1, answers: 1 })
  })
})

describe('a hint', () => {
  const moved = (group: unknown, owner: unknown, sourceIndex = 7) =>
    bytesOf({ kind: Kind.moved, targetCreation: 1, sourceIndex }, encode([group, owner]))

  it('is about the hinting node’s own process only', () => {
    const { world, a, target } = island()
    // d cannot turn away what goes to b.
    world.forge('d', 'a', Channel.message, moved('mailbox/0', 'c/3/0/7'))
    expect(a.router.counts.hintsTaken).toBe(1)
    expect(a.router.choose(target)!.node).toBe('b')
  })

  it.each([
    ['a process off the island that is no member', 'mailbox/0', 'd/4/0/7'],
    ['itself', 'mailbox/0', 'b/2/0/7'],
    ['no pid', 'mailbox/0', 'nobody'],
    ['a number', 'mailbox/0', 7],
    ['another group', 'room', 'c/3/0/7'],
    ['a partition that does not exist', 'mailbox/1', 'c/3/0/7'],
    ['a partition by another spelling', 'mailbox/00', 'c/3/0/7'],
    ['no group', null, 'c/3/0/7'],
  ])('to %s is ignored', (_, group, owner) => {
    const { world, a, target } = island()
    world.forge('b', 'a', Channel.message, moved(group, owner))
    expect(a.router.counts).toMatchObject({ hintsIgnored: 1, hintsTaken: 0 })
    expect(a.router.choose(target)!.node).toBe('b')
  })

  it.each([
    [
      'that is no list',
      bytesOf({ kind: Kind.moved, targetCreation: 1, sourceIndex: 7 }, encode(1)),
      'hintsIgnored',
    ],
    [
      'that cannot be read',
      bytesOf({ kind: Kind.moved, targetCreation: 1 }, Buffer.from('ff', 'hex')),
      'malformed',
    ],
    ['for another start', bytesOf({ kind: Kind.moved, targetCreation: 9 }, encode([])), 'stale'],
    ['with a reference', bytesOf({ kind: Kind.moved, targetCreation: 1, reference: 1 }, encode([])), 'bad'],
  ] as const)('%s changes nothing', (_, bytes, count) => {
    const { world, a } = island()
    world.forge('b', 'a', Channel.message, bytes)
    expect(a.router.counts).toMatchObject({ [count]: 1, hintsTaken: 0 })
  })

  it('in a refusal of a call to something else is of no account', async () => {
    const { world, a, b } = island()
    const ended = expect(a.router.call(b.pid(5), 1)).rejects.toMatchObject({ code: 'noprocess' })
    world.settle()
    const forged = { kind: Kind.refusal, targetCreation: 1, reference: 1 } as const
    world.forge('b', 'a', Channel.message, bytesOf(forged, encode(['noprocess', 'moved', 'c/3/0/7'])))
    await ended
    expect(a.router.counts).toMatchObject({ redirected: 0, answers: 1 })
  })

  it('may name a member that is on no island, when this node knows it too', () => {
    const { world, a, d, target } = island()
    d.registry.join('mailbox/0', d.pid(7))
    world.settle()
    world.forge('b', 'a', Channel.message, moved('mailbox/0', 'd/4/0/7'))
    expect(a.router.choose(target)).toEqual(d.pid(7))
  })

  it('counts while the process that it is about is still seen, and its owner can be reached', () => {
    const { world, a, b, c, target, handOver } = island()
    handOver(b, 'a')
    world.forge('b', 'a', Channel.message, moved('mailbox/0', 'c/3/0/7'))
    expect(a.router.choose(target)).toEqual(c.pid(7))
    world.forge('b', 'a', Channel.message, moved('mailbox/0', 'c/99/0/7'))
    expect(a.router.choose(target)).toEqual(b.pid(7))
    world.forge('b', 'a', Channel.message, moved('mailbox/0', 'c/3/0/7'))
    expect(a.router.choose(target)).toEqual(c.pid(7))
  })

  it('is forgotten with the link that it came by', () => {
    const { world, a, b, target } = island()
    world.forge('b', 'a', Channel.message, moved('mailbox/0', 'c/3/0/7'))
    expect(a.router.choose(target)!.node).toBe('c')
    world.lose('a', 'b')
    world.link('a', 'b')
    world.settle()
    expect(a.router.choose(target)).toEqual(b.pid(7))
  })

  it('is overtaken by the registry: a process that serves again under a new pid is chosen', () => {
    const { world, a, b, target } = island()
    world.forge('b', 'a', Channel.message, moved('mailbox/0', 'c/3/0/7'))
    b.registry.leave('mailbox/0', b.pid(7))
    b.registry.join('mailbox/0', b.pid(8))
    world.settle()
    expect(a.router.choose(target)).toEqual(b.pid(8))
    expect(Pid.parse('b/2/0/8')!.equals(a.router.choose(target)!)).toBe(true)
  })
})
