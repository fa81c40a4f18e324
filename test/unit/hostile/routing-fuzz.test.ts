import { expect, test } from 'vitest'
import { mutationNames } from './mutator.ts'
import { fuzzRouting } from './routing-fuzz.ts'

test.each([
  ['who is not cut off', 2],
  ['who is cut off and comes again', 1],
])(
  '20,000 mutated registry and message frames of one %s change nothing but what their sender may change',
  {
    timeout: 120_000,
  },
  (_who, seed) => {
    const result = fuzzRouting(seed, 20_000)
    expect(result.grownBytes).toBeLessThan(4_000_000)
    for (const fate of ['delivered', 'bad', 'malformed', 'stale', 'lateReplies'])
      expect(result.messages[fate], fate).toBeGreaterThan(50)
    for (const fate of ['undelivered', 'forwarded', 'hinted', 'hintsTaken', 'hintsIgnored', 'kindsHeard'])
      expect(result.messages[fate], fate).toBeGreaterThan(5)
    const { registry } = result
    const isCutOff = seed === 1
    for (const fate of ['bad', 'stale', 'unknownKind', 'unknownScope', 'syncs', 'changes', 'cutOffGarbage'])
      expect(registry[fate], fate).toBeGreaterThan(50)
    for (const fate of isCutOff ? ['suspected'] : ['gaps', 'outOfOrder', 'differences'])
      expect(registry[fate], fate).toBeGreaterThan(50)
    for (const name of mutationNames) expect(result.applied[name], name).toBeGreaterThan(500)
  },
)
