/** wandist's process groups beside those of OTP 25, on the same random scripts; `npm run nightly:pg` runs a thousand. */
import { describe, expect, test } from 'vitest'
import { compareInMemory, compareOverTcp, difference, storyInMemory } from './compare.ts'
import { ErlangNodes, erlangIsMissing } from './erlang-nodes.ts'
import { lineOf, randomScript, type Script } from './script.ts'

const missing = await erlangIsMissing()
if (missing !== undefined) console.warn(`wandist is not compared with pg: ${missing}`)

describe.skipIf(missing !== undefined)('beside four real Erlang nodes with pg', { timeout: 120_000 }, () => {
  test('every node of 150 scripts sees the same members, as often as they joined', async () => {
    await using erlang = await ErlangNodes.start()
    expect(await compareInMemory(erlang, 1, 150)).toEqual([])
  })

  test('and so it is over TCP', async () => {
    await using erlang = await ErlangNodes.start()
    expect(await compareOverTcp(erlang, 1_000_001, 20)).toEqual([])
  })
})

describe('the scripts', () => {
  const scripts = Array.from({ length: 30 }, (_, seed) => randomScript(seed))

  test('are the same for the same seed, and contain every kind of step', () => {
    expect(scripts.map(lineOf)).toEqual(scripts.map(({ seed }) => lineOf(randomScript(seed))))
    const kinds = new Set(scripts.flatMap(({ steps }) => steps.map(step => step.do)))
    expect([...kinds].sort()).toEqual(['crash', 'cut', 'heal', 'join', 'kill', 'leave', 'settle', 'start'])
    expect(new Set(scripts.map(({ nodes }) => nodes.length))).toEqual(new Set([2, 3, 4]))
  })

  test('show a system that misses deaths, and one that hears nothing of a netsplit', async () => {
    for (const unheard of ['kill', 'cut']) {
      const deaf = ({ seed, nodes, steps }: Script): Script => ({
        seed,
        nodes,
        steps: steps.filter(step => step.do !== unheard),
      })
      const differences = await Promise.all(
        scripts.map(async script =>
          difference(script, await storyInMemory(script), await storyInMemory(deaf(script))),
        ),
      )
      expect(differences.filter(Boolean).length, `without ${unheard}`).toBeGreaterThan(5)
    }
  })
})
