/**
 * Mutated registry and message frames against one node's routing, as a linked peer would send them. Beside it stands a healthy peer.
 *
 * After every input: nothing was thrown, the frame ended in exactly one count, and what a process got can be read. In between
 * the good messages arrive, all and in order, and the healthy peer's members stay; at the end honest exchange makes the views equal.
 * On odd seeds the evil peer is cut off for what it does, and comes again.
 * Replay: the seed and the number in the error give the input again.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { encode } from '../../../routing/codec.ts'
import { Channel, type Envelope } from '../../../routing/index.ts'
import { headerBytes, Kind, newHeader, offsets, writeHeader } from '../../../routing/message.ts'
import { type Node, texts, viewOf, World } from '../routing/world.ts'
import { inherited, liveBytes } from './harm.ts'
import { Mutator } from './mutator.ts'

/** What became of the inputs. */
export interface RoutingFuzz {
  readonly inputs: number
  /** By what the registry or the router made of them. */
  readonly registry: Record<string, number>
  readonly messages: Record<string, number>
  readonly applied: Record<string, number>
  /** Live bytes at the end, more than at the start. */
  grownBytes: number
}

const checkEvery = 500
const golden = join(import.meta.dirname, '../../golden/routing')
/** Heads of CBOR items: numbers, texts, lists and maps of every length, open ones, every tag that is taken, and some that are not. */
const cborTokens = [
  ...[
    '00',
    '1b0200020000020200',
    '1bffffffffffffffff',
    '3bffffffffffffffff',
    '41',
    '5f',
    '60',
    '7f',
    '80',
    '81',
    '9f',
  ],
  ...[
    '9a0000ffff',
    '9affffffff',
    '9b0000000000000001',
    'a0',
    'a1',
    'ba0000ffff',
    'bf',
    'c0',
    'c1',
    'c11b0200020000020200',
  ],
  ...[
    'c24101',
    'c34101',
    'c4',
    'd81b',
    'd81c',
    'd81d00',
    'd833',
    'd840',
    'd84a',
    'd856',
    'd90102',
    'd90103',
    'd9dfff',
  ],
  ...['f4', 'f6', 'f7', 'f818', 'f97e00', 'fa7f800000', 'fb7ff8000000000000', 'ff', '695f5f70726f746f5f5f'],
].map(token => Buffer.from(token, 'hex'))
/** Where a message ends up: exactly one of these. */
const arrivals = [
  'delivered',
  'undelivered',
  'forwarded',
  'redirected',
  'stale',
  'expiredOnArrival',
  'bad',
  'malformed',
  'answers',
  'lateReplies',
  'hintsTaken',
  'hintsIgnored',
  'kindsHeard',
] as const

/** Lets `count` inputs loose on a node's routing. @throws Error that names the seed and the input, when one of them does harm */
export function fuzzRouting(
  seed: number,
  count: number,
  progress: (at: number) => void = () => {},
): RoutingFuzz {
  const siege = new Siege(seed)
  const before = inherited()
  let startBytes = 0
  for (let at = 0; at < count; at++) {
    // Once everything has run: what is compiled and cached then is no leak.
    if (at === Math.min(checkEvery, count - 1)) startBytes = liveBytes()
    siege.input(at)
    if (at % checkEvery !== 0) continue
    siege.check()
    progress(at)
  }
  siege.checkHeals()
  if (inherited() !== before) throw new Error('what all objects inherit has changed')
  const { registry, router } = siege.victim
  return {
    inputs: count,
    registry: { ...registry.counts },
    messages: { ...router.counts },
    applied: siege.mutator.applied,
    grownBytes: liveBytes() - startBytes,
  }
}

class Siege {
  readonly mutator: Mutator
  readonly world = new World()
  readonly victim = this.world.start('a')
  readonly #evil = this.world.start('b')
  readonly #healthy = this.world.start('c')
  readonly #seed: number
  readonly #registryFrames: readonly Buffer[]
  readonly #messageFrames: readonly Buffer[]
  readonly #goodSent: string[] = []
  readonly #goodGot: string[] = []
  readonly #expected: string[]

  constructor(seed: number) {
    this.#seed = seed
    this.world.cutsOff = seed % 2 === 1
    this.mutator = new Mutator(seed, cborTokens)
    for (const node of [this.victim, this.#evil, this.#healthy]) {
      node.registry.join('room', node.pid(1))
      node.registry.join('mailbox/3', node.pid(2))
    }
    // Partition 3 is the healthy node's now; the golden messages to an owner are for the victim's process 9.
    this.world.serve('mailbox', 4, { island: ['b', 'c'] })
    this.victim.accept = index => index !== 9
    this.world.linkAll()
    this.world.settle()
    this.#registryFrames = [...registryFrames(this.#evil), ...this.#genuine(Channel.registry)]
    this.#messageFrames = messageFrames(this.victim)
    this.#expected = this.#innocent()
  }

  /** One frame, mutated, and now and then a good message behind it. */
  input(at: number): void {
    const isRegistry = this.mutator.below(2) === 0
    const channel = isRegistry ? Channel.registry : Channel.message
    for (const body of this.mutator.mutate(isRegistry ? this.#registryFrames : this.#messageFrames)) {
      try {
        if (isRegistry) this.#registryFrame(body)
        else this.#messageFrame(body)
        this.world.settle()
        if (!this.victim.links.has('b')) this.#comeAgain()
      } catch (error) {
        const input = body.toString('hex').slice(0, 2_000)
        throw new Error(`seed ${this.#seed}, input ${at}, channel ${channel}: ${error}\n${input}`, {
          cause: error,
        })
      }
    }
    if (at % 10 === 0) this.#sendGood(`good ${at}`)
    this.world.advance(20)
  }

  /** The good messages came, all and in order; the innocent's members are as they were. */
  check(): void {
    this.victim.router.handedOver('mailbox/3', this.victim.pid(9))
    const { bad, malformed, stale } = this.#healthy.router.counts
    if (bad + malformed + stale > 0) throw new Error('what was passed on cannot be read')
    this.#healthy.envelopes.length = 0
    if (this.#goodGot.join() !== this.#goodSent.join()) throw new Error('good messages were lost')
    this.#goodGot.length = 0
    this.#goodSent.length = 0
    if (this.#innocent().join() !== this.#expected.join())
      throw new Error('the members of others have changed')
    const scopes = this.victim.registry.whichScopes().join()
    if (scopes !== 'main') throw new Error(`scopes were opened: ${scopes}`)
    this.world.carried.length = 0
    this.world.cutOffs.length = 0
    for (const { events } of this.world.nodes.values()) events.length = 0
  }

  /** The evil peer turns honest: after one link all is as it should be. */
  checkHeals(): void {
    this.check()
    this.world.cut('a', 'b')
    if (texts(this.victim.registry.members('room')).length !== 2)
      throw new Error('members outlive their link')
    this.world.link('a', 'b')
    this.world.advance(60_000)
    const [one, other] = [this.victim, this.#evil].map(node => JSON.stringify(viewOf(node)))
    if (one !== other) throw new Error(`the views differ:\n${one}\n${other}`)
  }

  /** The evil peer was cut off, and is back; sometimes only after its members were forgotten. */
  #comeAgain(): void {
    if (this.mutator.below(50) === 0) this.world.advance(5_000)
    this.world.link('a', 'b')
    this.world.settle()
  }

  #registryFrame(body: Buffer): void {
    const before = this.victim.registry.counts.received
    this.world.forge('b', 'a', Channel.registry, body)
    if (this.victim.registry.counts.received !== before + 1)
      throw new Error('a registry frame was not counted')
  }

  #messageFrame(body: Buffer): void {
    const before = this.#arrived()
    this.world.forge('b', 'a', Channel.message, body)
    // A fan-out is a message for each process that it lists, if it lists them.
    const isFanout = body[offsets.kind] === Kind.fanout && body.length >= headerBytes
    const listed = isFanout ? body.readUInt32BE(offsets.targetIndex) : 1
    const counted = this.#arrived() - before
    if (counted !== 1 && counted !== listed) throw new Error(`a message frame was counted ${counted} times`)
    // Only valid during the call.
    body.fill(0xee)
    for (const envelope of this.#taken()) {
      JSON.stringify(envelope.message, (_key, value) => (typeof value === 'bigint' ? `${value}` : value))
      envelope.reply(null)
    }
  }

  #arrived(): number {
    const { counts } = this.victim.router
    return arrivals.reduce((sum, name) => sum + counts[name], 0)
  }

  #sendGood(text: string): void {
    this.#goodSent.push(text)
    this.#evil.router.cast(this.victim.pid(1), text)
    this.world.settle()
    for (const envelope of this.#taken()) this.#goodGot.push(String(envelope.message))
  }

  /** What the victim's processes got since the last time. */
  #taken(): Envelope[] {
    return this.victim.envelopes.splice(0).map(({ envelope }) => envelope)
  }

  /** All memberships but those that the evil peer tells of its own. */
  #innocent(): string[] {
    const { registry } = this.victim
    return registry
      .whichGroups()
      .flatMap(group =>
        texts(registry.members(group))
          .filter(pid => !pid.startsWith('b/'))
          .map(pid => `${group} ${pid}`),
      )
      .sort()
  }

  /** What the evil peer really sent on a channel. */
  #genuine(channel: number): Buffer[] {
    return this.world.carried
      .filter(frame => frame.from === 'b' && frame.to === 'a' && frame.channel === channel)
      .map(({ body }) => Buffer.from(body))
  }
}

/** The golden registry frames, as if this node had sent them. */
function registryFrames(sender: Node): Buffer[] {
  const { frames } = JSON.parse(readFileSync(join(golden, 'registry-frames.json'), 'utf8')) as {
    frames: { head: string; fields: string }[]
  }
  return frames.map(({ head, fields }) => {
    const frame = Buffer.from(head + fields, 'hex')
    frame.writeUInt32BE(sender.creation, 1)
    return frame
  })
}

/** The golden messages, for this node's present start; and some whose payloads use all of CBOR. */
function messageFrames(receiver: Node): Buffer[] {
  const messages = JSON.parse(readFileSync(join(golden, 'messages.json'), 'utf8')) as {
    bytes: string
    payload: string
  }[]
  const rich = [
    { text: 'hällo 😀', list: [1, -1, 1.5, true, null, undefined], deep: { deeper: { deepest: [] } } },
    [
      2n ** 64n,
      new Date(0),
      new Set([1]),
      new Map([[{ a: 1 }, 2]]),
      new Float64Array([1.5]),
      Buffer.from('raw'),
    ],
    JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
  ].map(payload => {
    const header = new Uint8Array(headerBytes)
    writeHeader(new DataView(header.buffer), { ...newHeader(), kind: Kind.cast, targetIndex: 1 })
    return Buffer.concat([header, encode(payload)])
  })
  const frames = [...messages.map(({ bytes, payload }) => Buffer.from(bytes + payload, 'hex')), ...rich]
  for (const frame of frames) frame.writeUInt32BE(receiver.creation, offsets.targetCreation)
  return frames
}
