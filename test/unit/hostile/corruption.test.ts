/**
 * Single bits turned over under way, every bit of a message's frame in turn, between two meshes that know nothing of it.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { blockHeadBytes } from '../../../transport/block.ts'
import { type Carrier, type MeshOptions, Sent, type Stream, TEST } from '../../../transport/index.ts'
import { headerBytes } from '../../../transport/wire.ts'
import { World as RoutingWorld, viewOf } from '../routing/world.ts'
import { closedFor, send, type TestNode, World } from '../transport/world.ts'

const text = 'an ordinary message'
/** What became of a damaged frame. */
type Fate = 'ended' | 'ended by silence' | 'waiting for ever' | 'unharmed' | 'another message'

/** A carrier whose next write on a dialled stream has one bit turned over. */
class BitFlipper {
  /** Which bit of the next write; `undefined`: none. */
  bit: number | undefined

  carrier(carrier: Carrier): Carrier {
    return { ...carrier, dial: address => this.#flipped(carrier.dial(address)) }
  }

  #flipped(stream: Stream): Stream {
    return {
      remoteAddress: stream.remoteAddress,
      attach: handler => stream.attach(handler),
      write: chunks => stream.write([this.#flip(Buffer.concat(chunks))]),
      end: () => stream.end(),
      destroy: () => stream.destroy(),
      pause: () => stream.pause(),
      resume: () => stream.resume(),
    }
  }

  #flip(bytes: Buffer): Buffer {
    const { bit } = this
    if (bit !== undefined && bit < bytes.length * 8) bytes[bit >> 3]! ^= 1 << (bit & 7)
    this.bit = undefined
    return bytes
  }
}

/** Turns each bit of the frame over once, on a link of its own. */
async function flipEveryBit(
  frameBytes: number,
  fates: Map<number, Fate>,
  options: Partial<MeshOptions> = {},
): Promise<void> {
  const world = new World()
  const flipper = new BitFlipper()
  const a = await world.node('a', options, { carrier: flipper.carrier(world.network.carrier('a')) })
  const b = await world.node('b')
  // Only a dials, so that it is a's stream that the message travels on.
  world.network.refuse('a:1')
  world.introduce(a, b)
  const together = () => a.mesh.peer('b')!.linked && b.mesh.peer('a')!.linked
  for (let bit = 0; bit < frameBytes * 8; bit++) {
    world.clock.until(together)
    b.received.length = 0
    flipper.bit = bit
    send(a, 'b', text)
    world.clock.settle()
    const isOpen = b.received.length === 0 && together()
    // A length that has grown: the rest never comes.
    if (isOpen) world.clock.advance(TEST.heartbeatTimeoutMs * 1.33)
    fates.set(bit, fateOf(a, b, isOpen))
    world.network.reset('a', 'b')
    world.clock.until(() => !a.mesh.peer('b')!.linked && !b.mesh.peer('a')!.linked)
  }
  await world.end()
}

function fateOf(a: TestNode, b: TestNode, wasOpen: boolean): Fate {
  const [message] = b.received
  if (message !== undefined)
    return message.text === text && message.channel === 2 ? 'unharmed' : 'another message'
  if (!wasOpen) return 'ended'
  return closedFor(a, 'heartbeat-timeout') > 0 ? 'ended by silence' : 'waiting for ever'
}

/** A block of one message. */
const blockBytes = blockHeadBytes + headerBytes + text.length

describe('one bit of what a message travels in turns over', () => {
  const fates = new Map<number, Fate>()
  beforeAll(() => flipEveryBit(blockBytes, fates))

  test('and the link ends at once, whichever it was', () => {
    expect(fates.size).toBe(blockBytes * 8)
    expect(new Set(fates.values())).toEqual(new Set(['ended']))
  })
})

describe('between ends of which one wants no checksums, one bit of a message’s frame turns over', () => {
  const fates = new Map<number, Fate>()
  beforeAll(() => flipEveryBit(headerBytes + text.length, fates, { checksBlocks: false }))

  test('and the link ends, at once or by the heartbeat, unless a message came of it', () => {
    expect(fates.size).toBe((headerBytes + text.length) * 8)
    expect([...fates.values()]).not.toContain('waiting for ever')
    expect([...fates.values()]).toContain('ended by silence')
  })

  test('in the reserved byte: the link ends at once', () => {
    for (let bit = 56; bit < 64; bit++) expect(fates.get(bit), `bit ${bit}`).toBe('ended')
  })
})

test('a length grows on a link that is busy both ways: the link ends', async () => {
  const world = new World()
  const flipper = new BitFlipper()
  const a = await world.node('a', {}, { carrier: flipper.carrier(world.network.carrier('a')) })
  const b = await world.node('b')
  world.network.refuse('a:1')
  world.introduce(a, b)
  world.clock.until(() => a.mesh.peer('b')!.linked && b.mesh.peer('a')!.linked)
  // From 31 bytes to 65,567.
  flipper.bit = 1 * 8
  for (let spentMs = 0; spentMs < TEST.heartbeatTimeoutMs * 2; spentMs += 10) {
    send(a, 'b', text)
    send(b, 'a', text)
    world.clock.advance(10)
  }
  const downs = a.log.filter(line => line.startsWith('down b'))
  await world.end()
  expect(downs).toEqual(['down b bad-frame'])
})

// Here nobody is cut off for it; where a link can be, it ends at once.
test.each([
  ['discover', 5],
  ['state', 6],
  ['sync', 7],
  ['change', 8],
])('a registry’s %s is damaged: the views are equal again within a minute', (_name, kind) => {
  const world = new RoutingWorld()
  const [a, b] = [world.start('a'), world.start('b')]
  a.registry.join('room', a.pid(1))
  b.registry.join('room', b.pid(1))
  let damaged = 0
  world.admit = ({ from, body }) => {
    // The length of the list of fields, so that there is no frame at all.
    if (from === 'a' && body[0] === kind && damaged++ === 0) body[5]! ^= 1
    return Sent.ok
  }
  world.link('a', 'b')
  world.advance(1_000)
  a.registry.join('room', a.pid(2))
  world.advance(1_000)
  a.registry.leave('room', a.pid(1))
  world.advance(60_000)
  expect(damaged).toBeGreaterThan(0)
  expect(b.registry.counts.bad).toBe(1)
  expect(viewOf(b)).toEqual(viewOf(a))
})
