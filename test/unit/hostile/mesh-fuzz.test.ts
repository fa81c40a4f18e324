import { expect, test } from 'vitest'
import { fuzzMesh } from './mesh-fuzz.ts'
import { mutationNames } from './mutator.ts'

test('20,000 mutated handshakes and live links end with a reason, and a healthy peer does not notice', {
  timeout: 120_000,
}, async () => {
  const result = await fuzzMesh(1, 20_000)
  expect(result.grownBytes).toBeLessThan(4_000_000)
  expect(result.up).toBeGreaterThan(8_000)
  expect(result.survived).toBeGreaterThan(200)
  expect(result.ended['bad-frame']).toBeGreaterThan(8_000)
  for (const name of mutationNames) expect(result.applied[name], name).toBeGreaterThan(2_000)
})
