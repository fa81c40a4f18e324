import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../../ops/dev/random.ts'

describe('seeded random numbers', () => {
  test('one seed gives one sequence, another seed another', () => {
    const draw = (seed: number) => Array.from({ length: 5 }, (_, i) => SeededRandom.of(seed, i).next())
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
  })

  test('the first numbers of seed 7 stay what they are', () => {
    const random = new SeededRandom(7)
    expect([random.below(1000), random.below(1000), random.below(1000)]).toMatchInlineSnapshot(`
      [
        11,
        61,
        976,
      ]
    `)
  })

  test('numbers spread evenly over [0, 1)', () => {
    const random = new SeededRandom(1)
    const buckets = new Array<number>(10).fill(0)
    for (let i = 0; i < 10_000; i++) buckets[random.below(10)]!++
    expect(Math.min(...buckets)).toBeGreaterThan(900)
    expect(Math.max(...buckets)).toBeLessThan(1_100)
  })

  test('a sample has no element twice and never more than there are', () => {
    const random = new SeededRandom(3)
    const sample = random.sample([1, 2, 3, 4, 5], 3)
    expect(new Set(sample).size).toBe(3)
    expect(random.sample([1, 2], 5).toSorted()).toEqual([1, 2])
  })
})
