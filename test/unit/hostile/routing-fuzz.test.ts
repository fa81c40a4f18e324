import { expect, test } from 'vitest'
import { mutationNames } from './mutator.ts'
import { fuzzRouting } from './routing-fuzz.ts'

test('20,000 mutated registry and message frames change nothing but what their sender may change', {
  timeout: 120_000,
}, () => {
  const result = fuzzRouting(1, 20_000)
  expect(result.grownBytes).toBeLessThan(4_000_000)
  for (const fate of ['delivered', 'bad', 'malformed', 'stale', 'lateReplies'])
    expect(result.messages[fate], fate).toBeGreaterThan(100)
  for (const fate of ['bad', 'stale', 'unknownScope', 'outOfOrder', 'syncs'])
    expect(result.registry[fate], fate).toBeGreaterThan(100)
  for (const name of mutationNames) expect(result.applied[name], name).toBeGreaterThan(2_000)
})
