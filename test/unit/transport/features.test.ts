import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type Feature,
  featureMask,
  features,
  featuresKnown,
  featuresRequired,
} from '../../../transport/features.ts'

const row = (bit: number): Feature => ({
  bit,
  name: `feature-${bit}`,
  since: '1.0.0',
  mandatorySince: undefined,
})

test('a mask has the bit of each feature, up to the last', () => {
  expect(featureMask([])).toBe(0)
  expect(featureMask([row(0), row(2)])).toBe(5)
  expect(featureMask([row(31)])).toBe(0x8000_0000)
})

test('every bit is given out once, and what is required is known', () => {
  expect(features.map(({ bit }) => bit)).toEqual(features.map((_, at) => at))
  expect(new Set(features.map(({ name }) => name)).size).toBe(features.length)
  expect(features.length).toBeLessThanOrEqual(32)
  expect((featuresRequired & ~featuresKnown) === 0).toBe(true)
})

test('PROTOCOL.md has the same table', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../transport/PROTOCOL.md'), 'utf8')
  const table = text.split(/^\| bit .*\n\|[ |-]+\n/m)[1]!.split('\n\n')[0]!
  const rows = table
    .split('\n')
    .filter(line => line.startsWith('|'))
    .map(line =>
      line
        .split('|')
        .slice(1, 5)
        .map(cell => cell.trim()),
    )
  expect(rows).toEqual(
    features.map(({ bit, name, since, mandatorySince }) => [String(bit), name, since, mandatorySince ?? '']),
  )
})
