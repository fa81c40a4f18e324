/**
 * A night's worth of worlds: 20,000 seeds of the simulator, from a number of its own.
 *
 *   node --conditions=wandist-source test/nightly/simulation.ts [--seeds 20000] [--first 1000000]
 *
 * Prints each seed that broke a promise, and a line of progress for every thousand. Ends with 1 when there was one.
 */
import { parseArgs } from 'node:util'
import { plan } from '../simulation/plan.ts'
import { run } from '../simulation/run.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { seeds: text, first: text } })
const count = Number(values.seeds ?? 20_000)
const first = Number(values.first ?? Math.floor(Math.random() * 2 ** 31))

const startMs = performance.now()
let broken = 0
let events = 0
for (let seed = first; seed < first + count; seed++) {
  const verdict = await run(plan(seed))
  events += verdict.events
  // Some are lived through twice: a hash that differs is a world that is not closed.
  const again = seed % 50 === 0 ? await run(plan(seed)) : verdict
  const what = again.hash === verdict.hash ? verdict.detail : 'the same seed gave other events'
  if (what !== '') {
    broken++
    console.log(`npm run sim -- --seed ${seed}: ${what}`)
  }
  if ((seed - first + 1) % 1_000 === 0)
    console.error(
      `${seed - first + 1} of ${count} seeds, ${broken} broken, ${Math.round((performance.now() - startMs) / 1_000)} s`,
    )
}
console.log(JSON.stringify({ first, seeds: count, broken, events }))
if (broken > 0) process.exitCode = 1
