/**
 * `npm run sim`: lives a seed, a range of seeds or a kept script through, and says how it ended.
 *
 * A seed that fails is shrunk to a script, which is kept under scripts/ as a test. Ends with 1 when a promise was broken,
 * with 2 for arguments that mean nothing.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Arguments, readArguments, usage } from './arguments.ts'
import { plan } from './plan.ts'
import { run, type Verdict } from './run.ts'
import { printScript, readScript, type Script } from './script.ts'
import { shrink } from './shrink.ts'
import { Status } from './status.ts'

const scriptsFolder = join(import.meta.dirname, 'scripts')

/** Says how a run ended, in one line. */
function printVerdict(name: string, verdict: Verdict): void {
  const { checker, detail, events, hash, endedAtMs, agreedMs } = verdict
  const time = `${(endedAtMs / 1_000).toFixed(3)} s, ${events} events, hash ${hash}`
  if (checker === undefined) console.log(`${name}: ok, agreed after ${agreedMs.toFixed(0)} ms; ${time}`)
  else console.log(`${name}: BROKEN: ${detail}\n  at ${time}`)
}

/** Lives one script through, with a row a second. */
async function show(name: string, script: Script): Promise<Verdict> {
  const status = new Status(line => console.log(line))
  let nextMs = 0
  const verdict = await run(script, world => {
    if (world.nowMs < nextMs) return
    status.rows(world)
    nextMs += 1_000
  })
  printVerdict(name, verdict)
  return verdict
}

async function keep(script: Script, { checker }: Verdict): Promise<void> {
  const { script: small, runs } = await shrink(script, checker!)
  const { detail } = await run(small)
  const name = `${checker!.replaceAll(/\W+/g, '-')}-${script.plant ?? 'seed'}-${script.seed}.json`
  writeFileSync(join(scriptsFolder, name), printScript({ ...small, found: detail.split('\n')[0] }))
  console.log(
    `shrunk in ${runs} runs from ${script.actions.length} actions on ${script.nodes.length} nodes to ${small.actions.length} on ${small.nodes.length}: scripts/${name}`,
  )
}

/** The script in a file. @throws Error with one line that says what is wrong */
function scriptIn(file: string): Script {
  try {
    return readScript(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Error(`--script ${file}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}

async function main({ first, last, nodes, minutes, plant }: Arguments, script?: Script): Promise<boolean> {
  if (script !== undefined) return (await show('script', script)).checker === undefined
  const faultsMs = minutes === undefined ? undefined : minutes * 60_000
  let isWell = true
  for (let seed = first; seed <= last; seed++) {
    const planned = { ...plan(seed, { nodes, faultsMs }), ...(plant !== undefined && { plant }) }
    const name = `seed ${seed}`
    const verdict = first === last ? await show(name, planned) : await run(planned)
    if (verdict.checker === undefined) continue
    isWell = false
    if (first !== last) printVerdict(name, verdict)
    await keep(planned, verdict)
  }
  if (first !== last) console.log(`seeds ${first}..${last}: ${isWell ? 'ok' : 'BROKEN'}`)
  return isWell
}

/** What was asked for; `undefined`, and said so, for what means nothing. */
function asked(): [Arguments, Script | undefined] | undefined {
  try {
    const args = readArguments(process.argv.slice(2))
    return [args, args.script === undefined ? undefined : scriptIn(args.script)]
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error} (${usage})`)
    process.exitCode = 2
    return undefined
  }
}

const request = asked()
if (request !== undefined && !(await main(...request))) process.exitCode = 1
