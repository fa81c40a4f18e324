/**
 * From a seed to a script: how large the world is, its weather, which deeds happen in it at all, and when.
 *
 * Swarm testing: each kind of deed and each weather is left out of every other script, so that the others are seen without it.
 * Source: Groce et al., "Swarm Testing", ISSTA 2012; TigerBeetle's VOPR (a core that must converge while the rest stays broken).
 */
import { deeds, faults } from './deeds/deeds.ts'
import { calm, type Weather } from './network/path.ts'
import type { Action, Script } from './script.ts'
import { SeededRandom } from './world/random.ts'

export interface PlanOptions {
  readonly nodes?: number | undefined
  /** How long faults happen, in virtual time. */
  readonly faultsMs?: number | undefined
}

/** The script of a seed. */
export function plan(seed: number, options: PlanOptions = {}): Script {
  const random = new SeededRandom(seed, 'plan')
  const count = options.nodes ?? random.pick([2, 3, 3, 3, 4, 5])
  const nodes = Array.from({ length: count }, (_, at) => `n${at + 1}`)
  const shape = {
    seed,
    nodes,
    isTwoClusters: random.chance(0.3),
    processesPerNode: random.between(1, 3),
    isServing: random.chance(0.5),
    faultsMs: options.faultsMs ?? random.between(2_000, 6_000),
    core: random.sample(nodes, random.between(Math.min(2, count), count)).sort(),
    weather: drawWeather(random),
    limits: {
      queueBytesMax: random.pick([48, 128, 256]) * 1024,
      queueMessagesMax: random.pick([10, 1_000]),
      heartbeatTimeoutMs: random.pick([600, 1_000]),
    },
  }
  const actions = [...drawActions(random, shape), ...drawOutside(random, shape)]
  return { ...shape, actions: actions.sort((one, other) => one.atMs - other.atMs) }
}

function drawWeather(random: SeededRandom): Weather {
  return {
    ...calm,
    ...(random.chance(0.5) && { latencyMsMin: 1, latencyMsMax: random.pick([5, 40]) }),
    ...(random.chance(0.5) && { jitterMs: random.pick([2, 20]) }),
    ...(random.chance(0.5) && { bytesPerMs: random.pick([300, 3_000]) }),
    ...(random.chance(0.5) && { bufferBytes: random.pick([2_000, 16_000]) }),
    ...(random.chance(0.5) && { sliceBytesMax: random.pick([7, 100, 1_500]) }),
    ...(random.chance(0.5) && { tailLossChance: random.pick([0.3, 0.9]) }),
  }
}

type Shape = Omit<Script, 'actions'>

function drawActions(random: SeededRandom, shape: Shape): Action[] {
  const actions: Action[] = []
  // More of them in larger worlds, but not in proportion: a run's length is what it costs.
  const busy = Math.sqrt(shape.nodes.length / 3)
  for (const [name, deed] of Object.entries(deeds)) {
    // Without members nothing else means anything.
    if (name !== 'join' && random.chance(0.5)) continue
    if (shape.nodes.length < 2 && name in faults) continue
    const count = (deed.perTenSeconds * busy * shape.faultsMs * 2 * random.next()) / 10_000
    for (let i = 0; i < count; i++)
      actions.push({ atMs: random.below(shape.faultsMs), do: name, ...deed.draw(random, shape) })
  }
  return actions
}

/** What stays wrong with those outside the core, for good. */
function drawOutside(random: SeededRandom, { nodes, core, faultsMs }: Shape): Action[] {
  const for_good = { atMs: faultsMs - 1, forMs: 1e9 }
  return nodes
    .filter(node => !core.includes(node))
    .flatMap((node): Action[] => {
      const other = random.pick(core)
      switch (random.below(6)) {
        case 0:
          return [{ ...for_good, do: 'crash', node, isOff: true }]
        case 1:
          return [{ ...for_good, do: 'crash', node, isOff: false }]
        case 2:
          return [{ ...for_good, do: 'pause', node }]
        case 3:
          return [{ ...for_good, do: 'deaf', node, other }]
        case 4:
          return [{ ...for_good, do: 'cut', node, other }]
        default:
          return []
      }
    })
}
