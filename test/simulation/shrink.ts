/**
 * A failing script made small: deeds, nodes, time and weather are taken away as long as the same promise stays broken.
 *
 * Greedy, in halves first (Zeller's delta debugging), and bounded in runs. Invariant: what it returns fails as the original did.
 */
import { calm } from './network/path.ts'
import { run } from './run.ts'
import { type Action, printScript, type Script } from './script.ts'

/** What came of shrinking. */
export interface Shrunk {
  readonly script: Script
  readonly runs: number
}

/** @param checker the promise that `script` breaks */
export async function shrink(script: Script, checker: string, runsMax = 600): Promise<Shrunk> {
  let best = script
  let runs = 0
  /** Takes a smaller script if it fails as well; true if it did. */
  const take = async (smaller: Script) => {
    if (runs >= runsMax || printScript(smaller) === printScript(best)) return false
    runs++
    const fails = (await run(smaller)).checker === checker
    if (fails) best = smaller
    return fails
  }
  let before: Script
  do {
    before = best
    for (const simpler of simplifications(best)) await take({ ...best, ...simpler })
    for (const node of best.nodes) if (best.nodes.length > 2) await take(withoutNode(best, node))
    for (let size = best.actions.length; size >= 1; size = Math.floor(size / 2))
      for (let at = 0; at < best.actions.length; )
        if (!(await take({ ...best, actions: best.actions.toSpliced(at, size) }))) at += size
    const lastMs = best.actions.at(-1)?.atMs ?? 0
    if (lastMs + 1 < best.faultsMs) await take({ ...best, faultsMs: lastMs + 1 })
  } while (best !== before && runs < runsMax)
  return { script: best, runs }
}

function simplifications({ weather, core, nodes }: Script): Partial<Script>[] {
  const calmer = Object.keys(calm).map(key => ({
    weather: { ...weather, [key]: calm[key as keyof typeof calm] },
  }))
  return [
    { weather: calm },
    ...calmer,
    { isTwoClusters: false },
    { processesPerNode: 1 },
    core.length < nodes.length ? { core: nodes } : {},
  ]
}

/** The script without a node and all that it does and suffers. */
function withoutNode(script: Script, node: string): Script {
  const without = (nodes: readonly string[]) => nodes.filter(other => other !== node)
  const actions = script.actions
    .filter(action => action.node !== node && action.other !== node)
    .map(action => (Array.isArray(action.side) ? { ...action, side: without(action.side) } : action))
    .filter(({ side }: Action) => !Array.isArray(side) || side.length > 0)
  const nodes = without(script.nodes)
  const core = without(script.core)
  return { ...script, nodes, core: core.length > 0 ? core : nodes, actions }
}
