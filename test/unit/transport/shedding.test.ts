/** What leaves a full queue, and in which order; deadlines, from `send` to the ledger. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Lane, Sent, TEST } from '../../../transport/index.ts'
import { Ledger } from '../../../transport/ledger.ts'
import { Queue } from '../../../transport/queue.ts'
import { lanesShedFor, shedOrder } from '../../../transport/shed-order.ts'
import { Splitter } from '../../../transport/splitter.ts'
import { expectBalance, World } from './world.ts'

/** A queue of ten small frames (of 100 bytes each) and two more for control, on a clock of its own. */
class SmallQueue {
  readonly clock = { ms: 0, nowMs: () => this.clock.ms }
  readonly ledger = new Ledger()
  readonly queue = new Queue(1_200, 200, this.clock, this.ledger)

  push(lane: Lane, name: string, deadlineMs?: number): boolean {
    return this.queue.push(1, lane, Buffer.from(name.padEnd(92, '.')), undefined, deadlineMs)
  }

  fill(lane: Lane, count: number, deadlineMs?: number): void {
    for (let at = 0; at < count; at++) expect(this.push(lane, `${lane}${at}`, deadlineMs)).toBe(true)
  }

  /** Names of what is queued, in the order in which it leaves. */
  take(): string[] {
    const names: string[] = []
    const chunks: Uint8Array[] = []
    this.queue.take(10_000, chunks, [0, 0, 0])
    const sink = {
      frame: (_kind: number, _lane: number, _channel: number, body: Uint8Array) =>
        void names.push(Buffer.from(body).toString().replaceAll('.', '')),
    }
    for (const chunk of chunks) expect(new Splitter(sink, 10_000).push(chunk)).toBeUndefined()
    expect(this.queue.bytes).toBe(0)
    return names
  }
}

describe('the shed order', () => {
  test('is: expired ones, then bulk, then ordinary, each with a reason', () => {
    expect(shedOrder.map(step => (step.fate === 'shed' ? step.lane : step.fate))).toEqual([
      'expired',
      Lane.bulk,
      Lane.ordinary,
    ])
    for (const { reason } of shedOrder) expect(reason).not.toBe('')
  })

  test('lets a class push out lower ones only', () => {
    expect(lanesShedFor).toEqual([[Lane.bulk, Lane.ordinary], [Lane.bulk], []])
  })
})

describe('a full queue', () => {
  test('gives up what has expired first, whatever its class', () => {
    const full = new SmallQueue()
    full.fill(Lane.ordinary, 3, 50)
    full.fill(Lane.bulk, 7)
    full.clock.ms = 60
    expect(full.push(Lane.bulk, 'new')).toBe(true)
    expect(full.ledger.ordinary.expired).toBe(3)
    expect(full.ledger.bulk.shed).toBe(0)
    expect(full.take()).toEqual(['20', '21', '22', '23', '24', '25', '26', 'new'])
  })

  test('gives up the oldest bulk for an ordinary message, and no more than it needs', () => {
    const full = new SmallQueue()
    full.fill(Lane.ordinary, 4)
    full.fill(Lane.bulk, 6)
    expect(full.push(Lane.ordinary, 'new')).toBe(true)
    expect(full.ledger.bulk).toMatchObject({ shed: 1, expired: 0 })
    expect(full.take()).toEqual(['10', '11', '12', '13', 'new', '21', '22', '23', '24', '25'])
  })

  test('gives up a large message that is kept by reference whole', () => {
    const ledger = new Ledger()
    const queue = new Queue(20_000, 100, { nowMs: () => 0 }, ledger)
    for (let count = 0; count < 3; count++)
      expect(queue.push(1, Lane.bulk, Buffer.alloc(8), Buffer.alloc(6_000))).toBe(true)
    expect(queue.push(1, Lane.ordinary, Buffer.alloc(8), Buffer.alloc(7_000))).toBe(true)
    expect(ledger.bulk.shed).toBe(1)
    expect([queue.frames, queue.bytes]).toEqual([3, 2 * 6_016 + 7_016])
  })

  test('gives up ordinary messages for control beyond its reserve, bulk before them', () => {
    const full = new SmallQueue()
    full.fill(Lane.ordinary, 9)
    full.fill(Lane.bulk, 1)
    full.fill(Lane.control, 4)
    expect(full.ledger.bulk.shed).toBe(1)
    expect(full.ledger.ordinary.shed).toBe(1)
    expect(full.take().slice(0, 5)).toEqual(['00', '01', '02', '03', '11'])
  })

  test('gives up nothing for a message of the same class, or a lower one', () => {
    const full = new SmallQueue()
    full.fill(Lane.ordinary, 10)
    expect(full.push(Lane.ordinary, 'new')).toBe(false)
    expect(full.push(Lane.bulk, 'new')).toBe(false)
    expect(full.take()).toHaveLength(10)
  })

  test('gives up nothing in vain', () => {
    const full = new SmallQueue()
    full.fill(Lane.ordinary, 9)
    full.fill(Lane.bulk, 1)
    expect(full.queue.push(1, Lane.ordinary, Buffer.alloc(150), undefined)).toBe(false)
    expect(full.ledger.bulk.shed).toBe(0)
    expect(full.take()).toHaveLength(10)
  })

  test('finds the expired between the others, copied or by reference', () => {
    const ledger = new Ledger()
    const clock = { ms: 0, nowMs: () => clock.ms }
    const queue = new Queue(20_000, 100, clock, ledger)
    const names: string[] = []
    for (let at = 0; at < 12; at++)
      queue.push(
        1,
        Lane.ordinary,
        Buffer.from(`${at} `),
        at % 4 === 0 ? Buffer.alloc(5_000) : undefined,
        at % 2 === 0 ? 10 + at : undefined,
      )
    clock.ms = 16
    expect(queue.push(1, Lane.ordinary, Buffer.from('12 '), Buffer.alloc(11_000))).toBe(true)
    const chunks: Uint8Array[] = []
    queue.take(100_000, chunks, [0, 0, 0])
    new Splitter(
      { frame: (_k, _l, _c, body) => void names.push(Buffer.from(body).toString().split(' ')[0]!) },
      100_000,
    ).push(Buffer.concat(chunks))
    expect(names).toEqual(['1', '3', '5', '7', '8', '9', '10', '11', '12'])
    expect(ledger.ordinary.expired).toBe(4)
    expect([queue.frames, queue.bytes]).toEqual([0, 0])
  })
})

describe('a deadline', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.end())

  test('that has passed makes the send expired, and nothing is queued', async () => {
    const [a] = await world.pair()
    const peer = a.mesh.peer('b')!
    expect(peer.send(2, Lane.ordinary, Buffer.from('x'), undefined, world.clock.nowMs())).toBe(Sent.expired)
    expect(peer.ledger.ordinary).toMatchObject({ accepted: 0, refusedExpired: 1, expired: 0 })
    expect(peer.queueBytes).toBe(0)
  })

  test('that passes in the queue of a stuck peer takes the message out, even when there is room', async () => {
    const [a, b] = await world.pair()
    const peer = a.mesh.peer('b')!
    world.network.blackHole('a', 'b')
    const deadlineMs = world.clock.nowMs() + 50
    for (let count = 0; count < 4; count++)
      peer.send(2, Lane.ordinary, Buffer.from('fills the stream'), Buffer.alloc(60_000))
    world.clock.settle()
    peer.send(2, Lane.ordinary, Buffer.from('called'), undefined, deadlineMs)
    peer.send(2, Lane.ordinary, Buffer.from('cast'), undefined)
    world.clock.advance(60)
    world.network.heal('a', 'b')
    world.clock.settle()
    expect(b.received.slice(-2).map(({ text }) => text.slice(0, 5))).toEqual(['fills', 'cast'])
    expect(peer.ledger.ordinary.expired).toBe(1)
    expectBalance(peer)
  })

  test('never keeps what was refused: the queue of a stuck peer stays within its bound', async () => {
    const [a] = await world.pair()
    const peer = a.mesh.peer('b')!
    world.network.blackHole('a', 'b')
    for (let count = 0; count < 3_000; count++) {
      const lane = (count % 3) as Lane
      peer.send(2, lane, Buffer.alloc(8), Buffer.alloc((count * 37) % 9_000), world.clock.nowMs() + 5)
      if (count % 100 === 0) world.clock.advance(1)
      if (peer.queueBytes > TEST.queueBytesMax) expect(peer.queueBytes).toBe(TEST.queueBytesMax)
    }
    expectBalance(peer)
    expect(peer.ledger.control.expired).toBeGreaterThan(0)
    expect(peer.ledger.bulk.shed).toBeGreaterThan(0)
  })
})
