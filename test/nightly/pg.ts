/**
 * 1,000 random scripts on real Erlang nodes with OTP's `pg` and on wandist's, and 50 of them over TCP: every view must be the same.
 *
 *   node --conditions=wandist-source test/nightly/pg.ts [--scripts 1000] [--tcp 50] [--seed 1]
 *
 * Prints each difference with its script, and in the end a count as JSON. Ends with 1 when there was one, with 69 without Erlang.
 */
import { parseArgs } from 'node:util'
import { compareInMemory, compareOverTcp } from '../pg/compare.ts'
import { ErlangNodes, erlangIsMissing } from '../pg/erlang-nodes.ts'

const { values } = parseArgs({
  options: { scripts: { type: 'string' }, tcp: { type: 'string' }, seed: { type: 'string' } },
})
const scripts = Number(values.scripts ?? 1_000)
const tcp = Number(values.tcp ?? 50)
const seed = Number(values.seed ?? 1)

const missing = await erlangIsMissing()
if (missing !== undefined) {
  console.error(`not compared with pg: ${missing}`)
  process.exit(69)
}
await using erlang = await ErlangNodes.start()
const differences = [
  ...(await compareInMemory(erlang, seed, scripts, done => {
    if (done % 100 === 0) console.error(`${done} of ${scripts} scripts`)
  })),
  ...(await compareOverTcp(erlang, seed, tcp)),
]
for (const text of differences) console.log(text)
console.log(
  JSON.stringify({ seed, scripts, tcp, differences: differences.length, pgFailures: erlang.failures }),
)
if (differences.length > 0) process.exitCode = 1
