import { describe, expect, test } from 'vitest'
import { Lane, type MeshOptions, Sent } from '../../../transport/index.ts'
import { seededRandom } from './manual-clock.ts'
import { expectBalance, linked, send, type TestNode, World } from './world.ts'

/** What `to` really got from `from`, beside what `from` believes: confirmed <= got <= confirmed + lost + in flight. */
function expectTruth(from: TestNode, to: TestNode): void {
  const there = from.mesh.peer(to.name)!
  const here = to.mesh.peer(from.name)!
  let got = 0
  let confirmed = 0
  let lost = 0
  for (const lane of [Lane.control, Lane.ordinary, Lane.bulk]) {
    got += here.ledger.lanes[lane].received
    confirmed += there.ledger.lanes[lane].delivered
    lost += there.ledger.lanes[lane].lost
  }
  const inFlight = there.inFlightFrames
  if (confirmed > got || got > confirmed + lost + inFlight)
    expect({ got, confirmed, lost, inFlight }, `${from.name} to ${to.name}`).toBe(undefined)
}

describe('accepted = delivered + expired + shed + lost + in flight', () => {
  const fates = ['written', 'delivered', 'received', 'expired', 'shed', 'lost'] as const
  const met = new Map(fates.map(fate => [fate, 0]))

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('after every step of a random life (seed %i)', async seed => {
    const random = seededRandom(seed)
    const world = new World({ seed, latencyMs: seed % 3, sliceBytesMax: 1_000 * seed })
    const limits: Partial<MeshOptions> = {
      queueBytesMax: 250_000,
      frameBytesMax: 100_000,
      controlReserveBytes: 20_000,
    }
    const nodes = [
      await world.node('a', limits),
      await world.node('b', limits),
      await world.node('c', limits),
    ]
    world.introduce(...nodes)
    const pairs = nodes.flatMap(from => nodes.filter(to => to !== from).map(to => [from, to] as const))
    const check = () => {
      for (const [from, to] of pairs) {
        expectBalance(from.mesh.peer(to.name)!)
        expectTruth(from, to)
      }
    }
    const answers = [0, 0, 0, 0, 0]
    for (let step = 0; step < 400; step++) {
      const [from, to] = pairs[Math.floor(random.next() * pairs.length)]!
      const dice = random.next()
      if (dice < 0.6) {
        const payload = Buffer.alloc(Math.floor(random.next() ** 4 * 120_000))
        for (let count = 0; count < 20; count++) {
          const lane = Math.floor(random.next() * 3) as Lane
          const deadlineMs = random.next() < 0.4 ? world.clock.nowMs() - 2 + random.next() * 100 : undefined
          answers[from.mesh.peer(to.name)!.send(2, lane, Buffer.from('h'), payload, deadlineMs)]!++
        }
      } else if (dice < 0.63) world.network.reset(from.name, to.name)
      else if (dice < 0.66) world.network.cut(from.name, to.name)
      else if (dice < 0.7) world.network.blackHole(from.name, to.name, random.next() < 0.5)
      else if (dice < 0.8) world.network.heal(from.name, to.name)
      check()
      world.clock.advance(random.next() ** 2 * 60, check)
      check()
    }
    for (const [from, to] of pairs) world.network.heal(from.name, to.name)
    world.clock.until(() => pairs.every(([from, to]) => linked(from, to)))
    world.clock.advance(1_000)
    for (const [from, to] of pairs) expect(from.mesh.peer(to.name)!.inFlightFrames).toBe(0)
    check()
    for (const [from, to] of pairs) {
      const handedOn = to.received.filter(message => message.from === from.name).length
      expect(to.mesh.peer(from.name)!.ledger.lanes.reduce((sum, lane) => sum + lane.received, 0)).toBe(
        handedOn,
      )
    }
    for (const from of nodes) {
      const told = from.log.filter(line => line.startsWith('up ') || line.startsWith('down '))
      for (const { name } of nodes.filter(node => node !== from)) {
        const mine = told.filter(line => line.split(' ')[1] === name).map(line => line.split(' ')[0])
        expect(mine).toEqual(mine.map((_, at) => (at % 2 === 0 ? 'up' : 'down')))
      }
    }
    expect(nodes.flatMap(({ alarms }) => alarms)).toEqual([])
    for (const answer of [Sent.ok, Sent.nosuspend, Sent.noconnect, Sent.tooBig, Sent.expired])
      expect(answers[answer], `answer ${answer} came up`).toBeGreaterThan(0)
    for (const [from, to] of pairs)
      for (const lane of from.mesh.peer(to.name)!.ledger.lanes)
        for (const fate of fates) met.set(fate, met.get(fate)! + lane[fate])
    await world.end()
  })

  test('and every fate came up in those lives', () => {
    for (const [fate, count] of met) expect(count, fate).toBeGreaterThan(0)
  })
})

test('what a crash takes with it is lost on the books of the one that sent it', async () => {
  const world = new World()
  const [a, b] = await world.pair()
  send(a, 'b', 'arrives')
  world.clock.advance(500)
  world.network.blackHole('a', 'b')
  send(a, 'b', 'written, never read')
  world.clock.settle()
  const peer = a.mesh.peer('b')!
  expect(peer.ledger.ordinary).toMatchObject({ accepted: 2, written: 2, delivered: 1, lost: 0 })
  expect(peer.inFlightFrames).toBe(1)
  world.clock.until(() => a.log.length === 2)
  world.clock.advance(50)
  expect(peer.ledger.ordinary).toMatchObject({ accepted: 2, delivered: 1, lost: 1 })
  expect(peer.inFlightFrames).toBe(0)
  expect(b.received).toHaveLength(1)
  world.network.heal('a', 'b')
  await world.end()
})

test('lanes have accounts of their own', async () => {
  const world = new World()
  const [a, b] = await world.pair()
  send(a, 'b', 'x', Lane.control)
  send(a, 'b', 'x', Lane.bulk)
  send(a, 'b', 'x', Lane.bulk)
  world.clock.advance(500)
  const { lanes } = a.mesh.peer('b')!.ledger
  expect(lanes.map(({ accepted, delivered }) => [accepted, delivered])).toEqual([
    [1, 1],
    [0, 0],
    [2, 2],
  ])
  expect(b.mesh.peer('a')!.ledger.lanes.map(({ received }) => received)).toEqual([1, 0, 2])
  await world.end()
})
