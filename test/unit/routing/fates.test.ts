/** Every message has one counted fate where it is sent and one where it arrives, whatever happens to groups and partitions meanwhile. */
import { describe, expect, it } from 'vitest'
import { Channel, type PickPolicy, RoutingError } from '../../../routing/index.ts'
import { Kind } from '../../../routing/message.ts'
import { Sent } from '../../../transport/index.ts'
import { type Node, World } from './world.ts'

/** A small seeded generator: mulberry32. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/**
 * Node a only sends; b to e have processes that join, leave, hand over and end, and refuse now and then. Links have no room
 * now and then, and word of who left comes late.
 */
class Storm {
  readonly world = new World()
  readonly a = this.world.start('a')
  readonly others: Node[]
  readonly draw: (below: number) => number
  /** Messages that processes got, by the number in them. */
  readonly got = new Map<number, number>()
  /** How calls ended. */
  readonly ends = { answered: 0, failed: 0 }
  calls = 0
  readonly #living = new Map<Node, Set<number>>()
  #late = false

  constructor(seed: number) {
    this.draw = seeded(seed)
    this.others = ['b', 'c', 'd', 'e'].map(name => this.world.start(name))
    this.world.serve('mailbox', 3, { one: ['b', 'c'], two: ['d', 'e'] })
    for (const node of this.others) {
      const living = new Set([1, 2, 3])
      this.#living.set(node, living)
      for (const index of living) this.#join(node, index)
      node.accept = (index, envelope) => {
        const number = (envelope.message as [number])[0]
        if (!living.has(index)) return false
        if (this.draw(20) === 0) {
          envelope.refuse('overload')
          return false
        }
        this.got.set(number, (this.got.get(number) ?? 0) + 1)
        return true
      }
    }
    this.world.linkAll()
    this.world.settle()
    this.world.greet()
    this.world.carries = ({ channel, to, body }) =>
      channel === Channel.registry && this.#late && to === 'a' ? [] : [body]
  }

  #join(node: Node, index: number): void {
    node.registry.join('room', node.pid(index))
    node.registry.join(`mailbox/${index - 1}`, node.pid(index))
  }

  /** Somebody comes, goes, or goes in order. */
  change(): void {
    const node = this.others[this.draw(4)]!
    const index = 1 + this.draw(3)
    const living = this.#living.get(node)!
    this.#late = this.draw(2) === 0
    if (!living.has(index)) {
      living.add(index)
      this.#join(node, index)
    } else if (this.draw(2) === 0) {
      node.handOver(`mailbox/${index - 1}`, node.pid(index))
      node.registry.leaveAll(node.pid(index))
      living.delete(index)
    } else {
      node.registry.leaveAll(node.pid(index))
      living.delete(index)
    }
  }

  /** Sends message `number` to one or to all; returns whether it was for one. */
  send(number: number): boolean {
    const { router } = this.a
    this.world.admit = ({ channel }) =>
      channel === Channel.message && this.draw(15) === 0 ? Sent.nosuspend : Sent.ok
    const picks: readonly PickPolicy[] = ['nearest', 'round-robin', 'least-queue']
    const message = [number]
    switch (this.draw(6)) {
      case 0:
        router.cast({ group: 'room', pick: picks[this.draw(3)]! }, message)
        break
      case 1:
        router.cast({ group: 'room', key: `key ${number}` }, message)
        break
      case 2:
        router.cast(this.others[this.draw(4)]!.pid(1 + this.draw(4)), message)
        break
      case 3:
        router.cast({ service: 'mailbox', key: `user ${number}` }, message)
        break
      case 4:
        router.castAll('room', message)
        return false
      default:
        router.call({ service: 'mailbox', key: `user ${number}` }, message, { timeoutMs: 50 }).then(
          () => {
            this.ends.answered += 1
          },
          error => {
            if (!(error instanceof RoutingError)) throw error
            this.ends.failed += 1
          },
        )
        this.calls += 1
    }
    return true
  }

  /** Everything that is under way arrives, and processes answer. */
  settle(): void {
    this.world.settle()
    for (const node of this.others) {
      for (const { envelope } of node.envelopes.splice(0)) if (this.draw(3) > 0) envelope.reply('answer')
    }
    this.world.settle()
  }

  /** Casts and calls that left a's links, and what the others say became of them. */
  account() {
    const sum = (name: keyof Node['router']['counts']) =>
      this.others.reduce((total, { router }) => total + router.counts[name], 0)
    const { ok } = this.a.router.counts
    return {
      ok,
      arrived: sum('delivered') + sum('undelivered'),
      delivered: sum('delivered'),
      forwarded: sum('forwarded'),
    }
  }
}

describe.each([1, 2, 3, 4, 5, 6])('storm %i', seed => {
  it('loses no message and no call from the account', async () => {
    const storm = new Storm(seed)
    for (let step = 0; step < 1_500; step++) {
      if (storm.draw(4) === 0) storm.change()
      storm.send(step)
      if (storm.draw(3) === 0) storm.settle()
    }
    storm.settle()
    storm.world.advance(1_000)
    await new Promise<void>(resolve => setImmediate(resolve))
    const { ok, arrived, delivered, forwarded } = storm.account()
    expect(arrived).toBe(ok)
    expect([...storm.got.values()].reduce((total, count) => total + count, 0)).toBe(delivered)
    expect(storm.ends.answered + storm.ends.failed).toBe(storm.calls)
    expect(storm.a.router.pendingCalls).toBe(0)
    // All of it happened.
    expect(forwarded).toBeGreaterThan(5)
    for (const name of ['redirected', 'nosuspend', 'fannedOut', 'hintsTaken', 'answers'] as const) {
      expect(storm.a.router.counts[name], name).toBeGreaterThan(5)
    }
  })

  it('never takes a message for one process to two, nor passes anything on twice', () => {
    const storm = new Storm(seed)
    const forAll = new Set<number>()
    for (let step = 0; step < 1_500; step++) {
      if (storm.draw(4) === 0) storm.change()
      if (!storm.send(step)) forAll.add(step)
      if (storm.draw(3) === 0) storm.settle()
    }
    storm.settle()
    for (const [number, count] of storm.got)
      if (!forAll.has(number)) expect(count, `message ${number}`).toBe(1)
    // A frame that was forwarded came from b to e, and no node sent one on that had come so.
    const passedOn = storm.world.carried.filter(
      ({ channel, body }) => channel === Channel.message && body[0] === Kind.cast && body[1] === 3,
    )
    expect(passedOn.every(({ from }) => from !== 'a')).toBe(true)
    expect(passedOn).toHaveLength(storm.account().forwarded)
    const messages = passedOn.map(({ body }) => Buffer.from(body.subarray(32)).toString('hex'))
    expect(new Set(messages).size).toBe(messages.length)
  })
})
