/** Runs scripts on real Erlang nodes and on wandist's, and says where the two stories are not the same. */
import type { ErlangNodes } from './erlang-nodes.ts'
import { MemoryStage } from './memory-stage.ts'
import { lineOf, randomScript, type Script } from './script.ts'
import { tellStory } from './story.ts'
import { TcpStage } from './tcp-stage.ts'

/** Scripts that run side by side over TCP: they mostly wait. */
const sideBySide = 10

/** What a script's two stories do not share, with the script; `undefined` when they are the same. */
export function difference(
  script: Script,
  pg: readonly string[],
  wandist: readonly string[],
): string | undefined {
  const only = (story: readonly string[], other: readonly string[]) =>
    story.filter(line => !other.includes(line))
  const lines = [
    ...only(pg, wandist).map(line => `  only pg:      ${line}`),
    ...only(wandist, pg).map(line => `  only wandist: ${line}`),
  ]
  return lines.length === 0 ? undefined : [`seed ${script.seed}: ${lineOf(script)}`, ...lines].join('\n')
}

/** The differences of `count` seeds from `seedFirst` on, wandist on a manual clock; `progress` is told after each script. */
export async function compareInMemory(
  erlang: ErlangNodes,
  seedFirst: number,
  count: number,
  progress: (done: number) => void = () => {},
): Promise<readonly string[]> {
  const found: string[] = []
  for (let at = 0; at < count; at++) {
    const script = randomScript(seedFirst + at)
    const pg = erlang.tell(script)
    const wandist = await storyInMemory(script)
    found.push(difference(script, await pg, wandist) ?? '')
    progress(at + 1)
  }
  return found.filter(Boolean)
}

/** The same with wandist on real sockets. */
export async function compareOverTcp(
  erlang: ErlangNodes,
  seedFirst: number,
  count: number,
): Promise<readonly string[]> {
  const found: string[] = []
  for (let at = 0; at < count; at += sideBySide) {
    const seeds = Array.from(
      { length: Math.min(sideBySide, count - at) },
      (_, index) => seedFirst + at + index,
    )
    const scripts = seeds.map(randomScript)
    const stories = await Promise.all(scripts.map(storyOverTcp))
    for (const [index, script] of scripts.entries())
      found.push(difference(script, await erlang.tell(script), stories[index]!) ?? '')
  }
  return found.filter(Boolean)
}

export async function storyInMemory(script: Script): Promise<readonly string[]> {
  await using stage = new MemoryStage(script.seed, script.nodes)
  return await tellStory(script, stage)
}

async function storyOverTcp(script: Script): Promise<readonly string[]> {
  await using stage = await TcpStage.of(script.nodes)
  return await tellStory(script, stage)
}
