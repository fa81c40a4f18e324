/**
 * A run: a script lived through, from its first event to a verdict.
 *
 *   faults on ─▶ a healthy core ─▶ the core agrees, in bounded time ─▶ everybody in it reaches everybody
 *
 * Safety is checked all the way, agreement at the end. Invariant: the same script gives the same verdict and the same hash.
 */
import { newCheckers } from './checkers/checkers.ts'
import { deeds } from './deeds/deeds.ts'
import { Violation } from './observer.ts'
import { mishaps, plants } from './plants/plants.ts'
import { groups, type Script } from './script.ts'
import { Sightings } from './sightings.ts'
import { World } from './world/world.ts'

/** How often the checkers look everywhere, ms. */
const lookMs = 25
/** How long the core may take to agree, ms: what a script's faults, heartbeats and back-offs may add up to. */
export const agreeMsMax = 15_000

export interface Verdict {
  /** The promise that was broken; `undefined` when all were kept. */
  readonly checker: string | undefined
  readonly detail: string
  readonly hash: string
  readonly events: number
  /** How long the core took to agree after the last fault, ms. */
  readonly agreedMs: number
  readonly endedAtMs: number
  readonly sightings: ReadonlyMap<string, number>
}

/** Looks at a world that is under way; for people. */
export type Onlooker = (world: World) => void

export async function run(script: Script, onlooker: Onlooker = () => {}): Promise<Verdict> {
  const plant = script.plant === undefined ? undefined : (plants[script.plant] ?? mishaps[script.plant])
  if (script.plant !== undefined && plant === undefined)
    throw new RangeError(`no such plant: ${script.plant}`)
  let world: World | undefined
  const sightings = new Sightings(() => world!)
  const checkers = [...newCheckers(() => world!), sightings]
  world = new World(script, checkers, plant)
  let broken: Violation | undefined
  let agreedMs = Number.NaN
  try {
    agreedMs = await live(world, onlooker)
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    broken = error
  }
  for (const node of world.nodes.values()) sightings.ended(node)
  return {
    checker: broken?.checker,
    detail: broken?.message ?? '',
    hash: world.hash.text,
    events: world.loop.eventCount,
    agreedMs,
    endedAtMs: world.nowMs,
    sightings: world.sightings,
  }
}

async function live(world: World, onlooker: Onlooker): Promise<number> {
  const { script } = world
  for (const action of script.actions) {
    const deed = deeds[action.do]
    if (deed === undefined) throw new RangeError(`no such deed: ${action.do}`)
    world.loop.worldAt(action.atMs, () => {
      world.hash.add(action.do, world.nowMs)
      world.seen(action.do)
      deed.act(world, action)
    })
  }
  while (world.nowMs < script.faultsMs) await step(world, onlooker)
  world.heal()
  const lastMs = world.nowMs
  await agree(world, onlooker)
  const agreedMs = world.nowMs - lastMs
  await reach(world, onlooker)
  return agreedMs
}

async function step(world: World, onlooker: Onlooker): Promise<void> {
  await world.loop.run(world.nowMs + lookMs)
  world.look()
  onlooker(world)
}

async function agree(world: World, onlooker: Onlooker): Promise<void> {
  const deadlineMs = world.nowMs + agreeMsMax
  do await step(world, onlooker)
  while (world.lacking() !== undefined && world.nowMs < deadlineMs)
  const lack = world.lacking()
  if (lack !== undefined) throw new Violation(lack.checker, `not after ${agreeMsMax} ms: ${lack.detail}`)
}

/** Each node of the core calls a process of each other one, and must be answered. */
async function reach(world: World, onlooker: Onlooker): Promise<void> {
  const [group] = groups
  for (const name of world.script.core) {
    const node = world.nodes.get(name)!
    if (node.processes[0] === undefined) node.spawn(0)
    node.join(0, group)
  }
  await agree(world, onlooker)
  for (const name of world.script.core) {
    const node = world.nodes.get(name)!
    for (const [choice, pid] of node.wires.registry.members(group).entries())
      if (world.isCore(pid.node)) world.traffic.call(node, { group, choice }, 'now', 2_000)
  }
  await agree(world, onlooker)
}
