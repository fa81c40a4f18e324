import { expect, test } from 'vitest'
import { frameMutations } from './frame-mutations.ts'
import { fuzzMesh } from './mesh-fuzz.ts'
import { mutationNames } from './mutator.ts'

test('20,000 mutated handshakes and live links end with a reason or give just what was sent, and a healthy peer does not notice', {
  timeout: 120_000,
}, async () => {
  const result = await fuzzMesh(1, 20_000)
  expect(result.grownBytes).toBeLessThan(4_000_000)
  expect(result.up).toBeGreaterThan(8_000)
  expect(result.survived).toBeGreaterThan(1_000)
  expect(result.ended['bad-frame']).toBeGreaterThan(8_000)
  // Put together from fragments, on links whose conversation was spoiled, most of them.
  expect(result.long.fragments).toBeGreaterThan(2_000)
  expect(result.long.blocks).toBeGreaterThan(1_000)
  for (const name of [...mutationNames, ...Object.keys(frameMutations)])
    expect(result.applied[name], name).toBeGreaterThan(1_500)
})
