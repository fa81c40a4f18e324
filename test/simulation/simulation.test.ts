/**
 * Hundreds of worlds, each from its seed, in which every promise is kept while nodes crash and networks fail.
 * A seed that fails here is replayed with `npm run sim -- --seed N`, which also shrinks it.
 */
import { describe, expect, test, vi } from 'vitest'
import { plan } from './plan.ts'
import { run } from './run.ts'
import { printScript, readScript } from './script.ts'

const firstSeed = 1
const seedCount = 400

/** Each of them must happen somewhere in the batch, or the faults do not bite. */
const rareStates = [
  'bit flipped',
  'call answered',
  'call failed',
  'call no-member',
  'call noconnect',
  'call noprocess',
  'call overload',
  'call timeout',
  'cast nosuspend',
  'link bad-frame',
  'link duplicate-link',
  'link goodbye',
  'link heartbeat-timeout',
  'link local-stop',
  'link not-configured',
  'link refused',
  'link removed',
  'link stream-closed',
  'router fannedOut',
  'router forwarded',
  'router hintsTaken',
  'router lateReplies',
  'router redirected',
  'tail lost',
]

describe('the simulator', () => {
  test(`every promise holds in ${seedCount} worlds, and what is rare happens in some`, {
    timeout: 180_000,
  }, async () => {
    const broken: string[] = []
    const seen = new Set<string>()
    for (let seed = firstSeed; seed < firstSeed + seedCount; seed++) {
      const { detail, checker, sightings } = await run(plan(seed))
      if (checker !== undefined) broken.push(`npm run sim -- --seed ${seed}: ${detail}`)
      for (const what of sightings.keys()) seen.add(what)
    }
    expect(broken).toEqual([])
    expect(rareStates.filter(state => !seen.has(state))).toEqual([])
  })

  test('the same seed gives the same events, to the last one; another seed gives others', async () => {
    const hashes = new Set<string>()
    for (let seed = 1; seed <= 20; seed++) {
      const [first, again] = [await run(plan(seed)), await run(plan(seed))]
      expect(again).toEqual(first)
      hashes.add(first.hash)
    }
    expect(hashes.size).toBe(20)
  })

  test('a script says all: written, read and run it gives the same events as its seed', async () => {
    const script = plan(12)
    expect((await run(readScript(printScript(script)))).hash).toBe((await run(script)).hash)
  })

  test('nothing in a world reads the real time or draws a random number', async () => {
    const real = () => {
      throw new Error('the real world was asked')
    }
    // Nothing else runs meanwhile: a run waits for promises only.
    const spies = [
      vi.spyOn(Date, 'now').mockImplementation(real),
      vi.spyOn(performance, 'now').mockImplementation(real),
      vi.spyOn(Math, 'random').mockImplementation(real),
      vi.spyOn(globalThis, 'setTimeout').mockImplementation(real),
      vi.spyOn(globalThis, 'setImmediate').mockImplementation(real),
    ]
    try {
      for (let seed = 1; seed <= 5; seed++) await run(plan(seed))
    } finally {
      for (const spy of spies) spy.mockRestore()
    }
  })
})
