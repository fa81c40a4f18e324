/**
 * The storm of 2014, in virtual time, as large as a change can wait for; the nightly script lives through larger ones.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { growthExponent, printStorms, type Storm, storm } from './storm.ts'

const sizes = [8, 16, 32]
const members = 100_000

describe(`half of all nodes lose and regain all links twenty times, with ${members} members`, () => {
  const storms: Storm[] = []

  beforeAll(async () => {
    for (const nodes of sizes) storms.push(await storm({ nodes, members }, () => performance.now()))
    console.log(printStorms(storms))
  }, 120_000)

  test('a flap costs a pair at most four control frames, beside members that were gone for longer than the grace', () => {
    for (const { framesPerPairAndFlap } of storms) expect(framesPerPairAndFlap).toBeLessThanOrEqual(4)
  })

  test('frames grow with the square of the nodes, as pairs do', () => {
    expect(growthExponent(storms)).toBeLessThanOrEqual(2.1)
  })

  test('no queue grows', () => {
    for (const { queueFramesMax } of storms) expect(queueFramesMax).toBeLessThanOrEqual(10_000)
  })

  test('all views are equal within five seconds of the last flap', () => {
    for (const { equalAfterMs } of storms) expect(equalAfterMs).toBeLessThanOrEqual(5_000)
  })

  test('the storm was one: every struck pair talked anew after every flap, and no table travelled for it', () => {
    for (const { pairs, frames, syncs } of storms) {
      expect(frames).toBeGreaterThan(pairs * 20)
      expect(syncs).toBeLessThan(pairs * 20 * 0.05)
    }
  })
})
