/** The simulator itself is tested with bugs: each planted one must be found within 1,000 seeds. */
import { describe, expect, test } from 'vitest'
import { plan } from '../plan.ts'
import { run } from '../run.ts'
import { mishaps, plants } from './plants.ts'

const seedsMax = 1_000

describe('planted bugs', () => {
  test('there are at least ten', () => expect(Object.keys(plants).length).toBeGreaterThanOrEqual(10))

  for (const { name, mistake, foundBy } of Object.values(plants)) {
    test(`${name} is found: ${mistake}`, { timeout: 60_000 }, async () => {
      let found: string | undefined
      for (let seed = 1; seed <= seedsMax && found === undefined; seed++)
        found = (await run({ ...plan(seed), plant: name })).checker
      expect(foundBy).toContain(found)
    })
  }
})

describe('mishaps that the product mends', () => {
  for (const { name, mistake } of Object.values(mishaps)) {
    test(`${name} breaks no promise: ${mistake}`, async () => {
      for (let seed = 1; seed <= 50; seed++)
        expect((await run({ ...plan(seed), plant: name })).detail).toBe('')
    })
  }
})
