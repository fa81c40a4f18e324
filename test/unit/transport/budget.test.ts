/** One budget for the queues of all peers: shares, the pool, and what lies outside of it. */
import { describe, expect, test } from 'vitest'
import { Budget } from '../../../transport/budget.ts'
import { Lane, Sent, TEST } from '../../../transport/index.ts'
import { Ledger } from '../../../transport/ledger.ts'
import { Queue } from '../../../transport/queue.ts'
import { seededRandom } from './manual-clock.ts'
import { expectBalance, linked, type TestNode, World } from './world.ts'

const clock = { nowMs: () => 0 }

/** Queues of 1,000 bytes with a control reserve of 100, and a budget of 4,000 for all. */
function queues(count: number, totalBytes = 4_000): { budget: Budget; queues: Queue[] } {
  const budget = new Budget(totalBytes)
  const made = Array.from({ length: count }, () => new Queue(1_000, 100, clock, new Ledger(), budget))
  for (const queue of made) budget.join({ shareChanged: () => queue.settle(), roomAgain() {} })
  return { budget, queues: made }
}

const push = (queue: Queue, bytes: number, lane: Lane = Lane.ordinary) =>
  queue.push(1, lane, Buffer.alloc(bytes - 8), undefined)

function fill(queue: Queue, lane: Lane = Lane.ordinary): number {
  while (push(queue, 20, lane));
  return queue.bytes
}

describe('a peer', () => {
  test('has half of the budget, divided by the peers, whatever the others do', () => {
    const { budget, queues: all } = queues(10)
    expect(budget.shareBytes).toBe(200)
    for (const queue of all.slice(1)) fill(queue)
    expect(fill(all[0]!)).toBe(200)
  })

  test('may borrow up to its own bound while the pool lasts', () => {
    const { budget, queues: all } = queues(10)
    expect(fill(all[0]!)).toBe(900)
    expect(budget.freeBytes).toBe(2_000 - 700)
    expect(all.slice(1).map(queue => fill(queue))).toEqual([900, 800, 200, 200, 200, 200, 200, 200, 200])
    expect(budget.freeBytes).toBe(0)
    expect(all.reduce((sum, queue) => sum + queue.bytes, 0)).toBe(4_000)
  })

  test('gives back what it borrowed, written or forgotten', () => {
    const { budget, queues: all } = queues(10)
    for (const queue of all) fill(queue)
    const [one, other] = [all[0]!, all[1]!]
    one.hold(one.take(500, [], [0, 0, 0]))
    expect(budget.freeBytes).toBe(0)
    one.hold(0)
    expect(budget.freeBytes).toBeGreaterThan(0)
    other.clear()
    expect(fill(all[9]!)).toBe(900)
    for (const queue of all) queue.clear()
    expect(budget.freeBytes).toBe(2_000)
  })

  test('passes control when the pool is empty: its reserve is outside', () => {
    const { queues: all } = queues(10)
    for (const queue of all) fill(queue)
    for (const queue of all) expect(push(queue, 100, Lane.control)).toBe(true)
  })

  test('sheds bulk for ordinary when the budget is what lacks', () => {
    const { queues: all } = queues(10)
    for (const queue of all.slice(1)) fill(queue)
    const queue = all[0]!
    fill(queue, Lane.bulk)
    expect(push(queue, 20)).toBe(true)
    expect([queue.bytes, queue.framesOf(Lane.bulk)]).toEqual([200, 9])
  })
})

test('shares shrink with each peer more: what is above them then counts as borrowed', () => {
  const { budget, queues: all } = queues(4)
  for (const queue of all) push(queue, 500)
  expect([budget.shareBytes, budget.freeBytes]).toEqual([500, 2_000])
  const late = new Queue(1_000, 100, clock, new Ledger(), budget)
  const holder = { shareChanged: () => late.settle(), roomAgain() {} }
  budget.join(holder)
  expect([budget.shareBytes, budget.freeBytes]).toEqual([400, 1_600])
  budget.leave(holder)
  expect([budget.shareBytes, budget.freeBytes]).toEqual([500, 2_000])
})

test('in any life of a thousand peers the sum stays within the budget, and no peer below its share is refused', () => {
  const random = seededRandom(3)
  const { budget, queues: all } = queues(1_000, 100_000)
  let sum = 0
  for (let step = 0; step < 100_000; step++) {
    const queue = all[Math.floor(random.next() * all.length)]!
    const before = queue.bytes
    if (random.next() < 0.9) {
      const bytes = 8 + Math.floor(random.next() * 80)
      const fits = queue.bytes + bytes <= budget.shareBytes
      if (!push(queue, bytes, (1 + Math.floor(random.next() * 2)) as Lane) && fits)
        expect({ bytes, queued: queue.bytes }, 'refused below its share').toBe(undefined)
    } else queue.take(200, [], [0, 0, 0])
    sum += queue.bytes - before
    if (sum > 100_000) expect(sum).toBeLessThanOrEqual(100_000)
  }
  expect(sum).toBeGreaterThan(60_000)
  for (const queue of all) queue.clear()
  expect(budget.freeBytes).toBe(50_000)
})

test('many peers that are stuck take the budget and no more, and one that waits hears when the pool has room', async () => {
  const world = new World()
  const a = await world.node('a', { queueBytesTotalMax: 2 * TEST.queueBytesMax })
  const others: TestNode[] = []
  for (let n = 0; n < 8; n++) others.push(await world.node(`peer${n}`))
  a.mesh.configure(others.map(({ name }) => ({ node: name, address: `${name}:1` })))
  for (const { mesh } of others) mesh.configure([{ node: 'a', address: 'a:1' }])
  world.clock.until(() => others.every(other => linked(a, other)))
  for (const { name } of others) world.network.blackHole('a', name)
  const peers = others.map(({ name }) => a.mesh.peer(name)!)
  const held = () => peers.reduce((sum, peer) => sum + peer.queueBytes, 0)
  for (let round = 0; round < 200; round++) {
    for (const peer of peers) peer.send(2, Lane.ordinary, Buffer.alloc(8), Buffer.alloc(10_000))
    world.clock.turn()
    expect(held()).toBeLessThanOrEqual(2 * TEST.queueBytesMax)
  }
  const last = peers[7]!
  expect(last.send(2, Lane.ordinary, Buffer.alloc(8), Buffer.alloc(60_000))).toBe(Sent.nosuspend)
  let isReady = false
  void last.ready().then(() => {
    isReady = true
  })
  world.network.heal('a', 'peer7')
  world.clock.settle()
  await new Promise(resolve => setImmediate(resolve))
  expect([isReady, last.queueBytes]).toEqual([true, 0])
  for (const { name } of others) world.network.heal('a', name)
  world.clock.advance(1_000)
  for (const peer of peers) expectBalance(peer)
  await world.end()
})
