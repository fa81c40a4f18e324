/** Scripts that once broke a promise, shrunk and kept: those of the product hold now, those of a planted bug still find it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from './run.ts'
import { readScript } from './script.ts'
import { shrink } from './shrink.ts'

const folder = join(import.meta.dirname, 'scripts')
const kept = readdirSync(folder).map(name => ({
  name,
  script: readScript(readFileSync(join(folder, name), 'utf8')),
}))

describe('kept scripts', () => {
  for (const { name, script } of kept) {
    const { plant, found = '', ...healthy } = script
    test(`${name} holds`, async () => expect((await run(healthy)).detail).toBe(''))
    if (plant === undefined) continue
    test(`${name} finds ${plant}`, async () => {
      const { checker } = await run(script)
      expect(found.startsWith(`${checker}:`)).toBe(true)
    })
  }

  test('a script with more than it takes shrinks to what it takes', async () => {
    const { script } = kept.find(({ script }) => script.plant === 'end-keeps-members')!
    const { checker } = await run(script)
    const idle = { do: 'spawn', node: script.nodes[0]!, slot: 0 }
    const actions = [1, 2, 3]
      .map(atMs => ({ ...idle, atMs }))
      .concat(script.actions as (typeof idle & { atMs: number })[])
    const { script: small } = await shrink({ ...script, actions }, checker!, 60)
    expect(small.actions.length).toBe(script.actions.length)
  })
})
