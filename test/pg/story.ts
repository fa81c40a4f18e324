/** Runs a script on wandist's nodes, whatever carries their bytes, and tells the story that `pg_scripts.erl` tells of Erlang's. */
import type { PgNode } from './pg-node.ts'
import { type Script, type Step, textOf } from './script.ts'

/** Nodes of a kind, and what a script may do to them. */
export interface Stage extends AsyncDisposable {
  /** The running nodes. */
  readonly nodes: ReadonlyMap<string, PgNode>
  start(name: string): Promise<void>
  crash(name: string): Promise<void>
  cut(one: string, other: string): void
  heal(one: string, other: string): void
  /** Lets the nodes work for a moment, or not at all. */
  pause(): Promise<void>
  /** Waits until all views are at rest, with every grace time over. */
  settle(): Promise<void>
}

/** Runs a script on a stage on which nothing has happened yet. */
export async function tellStory(script: Script, stage: Stage): Promise<readonly string[]> {
  const story: string[] = []
  for (const name of script.nodes) await stage.start(name)
  await stage.settle()
  for (const step of script.steps) {
    const result = await take(stage, step)
    if (result !== undefined) story.push(`${textOf(step)}: ${result}`)
    await stage.pause()
  }
  await stage.settle()
  for (const name of [...stage.nodes.keys()].sort()) story.push(...viewOf(stage, name))
  return story
}

async function take(stage: Stage, step: Step): Promise<string | undefined> {
  switch (step.do) {
    case 'join':
      return stage.nodes.get(step.node)!.join(step.process, step.group)
    case 'leave':
      return stage.nodes.get(step.node)!.leave(step.process, step.group)
    case 'kill':
      return void stage.nodes.get(step.node)!.kill(step.process)
    case 'crash':
      return void (await stage.crash(step.node))
    case 'start':
      return void (await stage.start(step.node))
    case 'cut':
      return void stage.cut(step.one, step.other)
    case 'heal':
      return void stage.heal(step.one, step.other)
    case 'settle':
      return void (await stage.settle())
  }
}

function viewOf({ nodes }: Stage, name: string): string[] {
  const { registry } = nodes.get(name)!
  const processOf = (pid: { readonly node: string; toString(): string }) =>
    nodes.get(pid.node)?.processOf(pid.toString()) ?? String(pid)
  return registry
    .whichGroups()
    .sort()
    .map(group => {
      const [all, local] = [registry.members(group), registry.localMembers(group)].map(pids =>
        pids.map(processOf).sort().join(' '),
      )
      return `${name} sees ${group}: ${all} / ${local}`
    })
}
