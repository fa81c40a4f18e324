/**
 * A night's worth of worlds: 20,000 seeds of the simulator, from a number of its own, and the storm in larger sizes.
 *
 *   node --conditions=wandist-source test/nightly/simulation.ts [--seeds 20000] [--first N] [--storms 64,128,256] [--members 100000]
 *
 * Prints each seed that broke a promise, a line of progress for every thousand, and the storms as a table. Ends with 1 when a promise was
 * broken. `--seeds 0 --storms 1000 --members 10000` is the storm of a thousand nodes: about three gigabytes, and hours.
 */
import { parseArgs } from 'node:util'
import { plan } from '../simulation/plan.ts'
import { run } from '../simulation/run.ts'
import { printStorms, type Storm, storm } from '../simulation/storm.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { seeds: text, first: text, storms: text, members: text } })
const count = Number(values.seeds ?? 20_000)
const first = Number(values.first ?? Math.floor(Math.random() * 2 ** 31))
const sizes = (values.storms ?? '64,128,256').split(',').filter(Boolean).map(Number)
const members = Number(values.members ?? 100_000)
/** One in so many is lived through twice: a hash that differs is a world that is not closed. */
const twiceEvery = 50

const startMs = performance.now()
const seconds = () => Math.round((performance.now() - startMs) / 1_000)
let broken = 0
let events = 0
for (let seed = first; seed < first + count; seed++) {
  const verdict = await run(plan(seed))
  events += verdict.events
  const again = seed % twiceEvery === 0 ? await run(plan(seed)) : verdict
  const what = again.hash === verdict.hash ? verdict.detail : 'the same seed gave other events'
  if (what !== '') {
    broken++
    console.log(`npm run sim -- --seed ${seed}: ${what}`)
  }
  const done = seed - first + 1
  if (done % 1_000 === 0) console.error(`${done} of ${count} seeds, ${broken} broken, ${seconds()} s`)
}
console.log(JSON.stringify({ first, seeds: count, broken, events, seconds: seconds() }))

const storms: Storm[] = []
for (const nodes of sizes) {
  const now = await storm({ nodes, members }, () => performance.now())
  storms.push(now)
  console.log(printStorms(storms))
  const isWell = now.framesPerPairAndFlap <= 4 && now.queueFramesMax <= 10_000 && now.equalAfterMs <= 5_000
  if (!isWell) broken++
}
if (broken > 0) process.exitCode = 1
