/**
 * A night's worth of hostile input: 1,000,000 mutated inputs for the mesh and as many for routing, from a seed of its own.
 *
 *   node --conditions=wandist-source test/nightly/fuzz.ts [--inputs 1000000] [--seed 1]
 *
 * Prints what became of them as JSON. Ends with 1 when an input did harm: the error names seed and input, which give it again.
 */
import { parseArgs } from 'node:util'
import { fuzzMesh } from '../unit/hostile/mesh-fuzz.ts'
import { fuzzRouting } from '../unit/hostile/routing-fuzz.ts'

const { values } = parseArgs({ options: { inputs: { type: 'string' }, seed: { type: 'string' } } })
const inputs = Number(values.inputs ?? 1_000_000)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
/** More live bytes than this at the end is a leak. */
const grownBytesMax = 4_000_000

function progress(what: string): (at: number) => void {
  const startMs = performance.now()
  return at => {
    if (at % 100_000 === 0)
      console.error(`${what}: ${at} of ${inputs}, ${Math.round(performance.now() - startMs)} ms`)
  }
}

const mesh = await fuzzMesh(seed, inputs, progress('mesh'))
const routing = fuzzRouting(seed, inputs, progress('routing'))
console.log(JSON.stringify({ seed, mesh, routing }, undefined, 2))
for (const [what, { grownBytes }] of Object.entries({ mesh, routing }))
  if (grownBytes > grownBytesMax) {
    console.error(`${what}: ${grownBytes} more live bytes than at the start`)
    process.exitCode = 1
  }
