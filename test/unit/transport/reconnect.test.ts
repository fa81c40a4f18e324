import { expect, test } from 'vitest'
import { backoffMs } from '../../../transport/backoff.ts'
import { TEST } from '../../../transport/index.ts'
import { seededRandom } from './manual-clock.ts'
import { closings, linked, World } from './world.ts'

test('a wait is spread evenly from 0 to a ceiling that doubles up to a cap', () => {
  const random = seededRandom(1)
  for (const [failures, ceilingMs] of [
    [0, 100],
    [1, 200],
    [3, 800],
    [10, 5_000],
    [2_000, 5_000],
  ] as const) {
    const waits = Array.from({ length: 2_000 }, () => backoffMs(random, failures, 100, 5_000))
    expect(Math.max(...waits)).toBeLessThanOrEqual(ceilingMs)
    expect(Math.max(...waits)).toBeGreaterThan(ceilingMs * 0.95)
    expect(Math.min(...waits)).toBeLessThan(ceilingMs * 0.05)
    expect(waits.reduce((sum, wait) => sum + wait) / waits.length / ceilingMs).toBeCloseTo(0.5, 1)
  }
})

test('a node that is not there is dialled ever more rarely, but never given up', async () => {
  const world = new World()
  const a = await world.node('a')
  a.mesh.configure([{ node: 'b', address: 'b:1' }])
  const dials = () => a.mesh.closedCounts.get('refused')!
  world.clock.advance(1_000)
  const early = dials()
  world.clock.advance(60_000)
  const late = dials() - early
  expect(early).toBeGreaterThan(8)
  expect(late / 60).toBeGreaterThan(1_000 / TEST.backoffMsMax / 2)
  expect(late / 60).toBeLessThan(early)
  expect(closings(a)).toEqual(['b refused'])
  const b = await world.node('b')
  b.mesh.configure([{ node: 'a', address: 'nowhere:1' }])
  expect(world.clock.until(() => linked(a, b))).toBeLessThan(TEST.backoffMsMax + 50)
  await world.end()
})

test('after a stable link the first retry comes soon; after a flapping one it waits', async () => {
  const reconnectMs = async (livedMs: number) => {
    let sum = 0
    for (let seed = 1; seed <= 5; seed++) {
      const world = new World({ seed })
      const [a, b] = await world.pair()
      b.mesh.configure([{ node: 'a', address: 'nowhere:1' }])
      for (let flap = 0; flap < 8; flap++) {
        world.clock.advance(livedMs)
        world.network.reset('a', 'b')
        world.clock.until(() => !linked(a, b))
        const tookMs = world.clock.until(() => linked(a, b))
        if (flap >= 4) sum += tookMs
      }
      await world.end()
    }
    return sum / 20
  }
  expect(await reconnectMs(TEST.stableMs * 2)).toBeLessThan(TEST.backoffMsMin + 30)
  expect(await reconnectMs(TEST.stableMs / 10)).toBeGreaterThan(TEST.backoffMsMin * 3)
})
