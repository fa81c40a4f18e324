/**
 * What befalls nodes and the network between them. To add a fault, add an entry.
 *
 * Invariant: each one ends what it began, whatever other faults began meanwhile.
 */
import type { World } from '../world/world.ts'
import { type Deed, number, text } from './deed.ts'

type Draw = Deed['draw']

const pair: Draw = (random, { nodes }) => {
  const [node, other] = random.sample(nodes, 2)
  return { node: node!, other: other! }
}
const forMs = (random: Parameters<Draw>[0]) => Math.round(20 * 100 ** random.next())

/** Black-holes one way for a time. */
function hole(world: World, source: string, target: string, forMs: number): void {
  const path = world.network.path(source, target)
  world.suffer(
    forMs,
    [source, target],
    () => path.holes++,
    () => {
      path.holes--
      if (!path.isHole) world.network.healed(source, target)
    },
  )
}

export const faults: Readonly<Record<string, Deed>> = {
  /** Both ends hear that their link is broken. */
  reset: {
    perTenSeconds: 10,
    draw: pair,
    act: (world, action) => world.network.reset(text(action, 'node'), text(action, 'other')),
  },
  /** A link that breaks again and again. */
  flap: {
    perTenSeconds: 2,
    draw: (random, shape) => ({
      ...pair(random, shape),
      times: random.between(2, 12),
      everyMs: random.between(5, 150),
    }),
    act: (world, action) => {
      for (let time = 0; time < number(action, 'times'); time++)
        world.loop.worldAt(world.nowMs + time * number(action, 'everyMs'), () => {
          if (world.nowMs < world.healedAtMs) world.network.reset(text(action, 'node'), text(action, 'other'))
        })
    },
  },
  /** Nothing arrives one way, and nobody is told. */
  deaf: {
    perTenSeconds: 4,
    draw: (random, shape) => ({ ...pair(random, shape), forMs: forMs(random) }),
    act: (world, action) => hole(world, text(action, 'node'), text(action, 'other'), number(action, 'forMs')),
  },
  /** Nothing arrives either way between two nodes that others still reach. */
  cut: {
    perTenSeconds: 4,
    draw: (random, shape) => ({ ...pair(random, shape), forMs: forMs(random) }),
    act: (world, action) => {
      hole(world, text(action, 'node'), text(action, 'other'), number(action, 'forMs'))
      hole(world, text(action, 'other'), text(action, 'node'), number(action, 'forMs'))
    },
  },
  /** A netsplit: some nodes cannot reach the others; one way only, now and then. */
  netsplit: {
    perTenSeconds: 2,
    draw: (random, { nodes }) => ({
      side: random.sample(nodes, random.between(1, nodes.length - 1)),
      isOneWay: random.chance(0.3),
      forMs: forMs(random),
    }),
    act: (world, action) => {
      const side = action.side as readonly string[]
      const others = world.script.nodes.filter(node => !side.includes(node))
      for (const one of side)
        for (const other of others) {
          hole(world, one, other, number(action, 'forMs'))
          if (action.isOneWay !== true) hole(world, other, one, number(action, 'forMs'))
        }
    },
  },
  /** Dials one way are refused. */
  refuse: {
    perTenSeconds: 3,
    draw: (random, shape) => ({ ...pair(random, shape), forMs: forMs(random) }),
    act: (world, action) => {
      const [node, other] = [text(action, 'node'), text(action, 'other')]
      const path = world.network.path(node, other)
      const begin = () => path.refusals++
      world.suffer(number(action, 'forMs'), [node, other], begin, () => path.refusals--)
    },
  },
  /** A path becomes long and thin. */
  slow: {
    perTenSeconds: 3,
    draw: (random, shape) => ({
      ...pair(random, shape),
      latencyMs: random.between(20, 400),
      bytesPerMs: random.pick([2, 20, 200]),
      forMs: forMs(random),
    }),
    act: (world, action) => {
      const [node, other] = [text(action, 'node'), text(action, 'other')]
      const path = world.network.path(node, other)
      // One at a time: what it was before must come back.
      if (path.isSlow) return
      const { latencyMs, bytesPerMs } = path
      const become = (isSlow: boolean, latencyMs: number, bytesPerMs: number) => () =>
        Object.assign(path, { isSlow, latencyMs, bytesPerMs })
      const begin = become(true, number(action, 'latencyMs'), number(action, 'bytesPerMs'))
      world.suffer(number(action, 'forMs'), [node, other], begin, become(false, latencyMs, bytesPerMs))
    },
  },
  /** Bits turn over on their way, and TCP does not notice. */
  flip: {
    perTenSeconds: 2,
    draw: (random, shape) => ({
      ...pair(random, shape),
      chance: random.pick([0.02, 0.3]),
      forMs: forMs(random),
    }),
    act: (world, action) => {
      const [node, other] = [text(action, 'node'), text(action, 'other')]
      const path = world.network.path(node, other)
      const turnTo = (chance: number) => () => {
        path.flipChance = chance
      }
      world.suffer(number(action, 'forMs'), [node, other], turnTo(number(action, 'chance')), turnTo(0))
    },
  },
  /** A node's wall clock jumps, either way, and stays so: by a second, an hour, a day. */
  clock: {
    perTenSeconds: 2,
    draw: (random, { nodes }) => ({
      node: random.pick(nodes),
      offsetMs: Math.round(random.pick([1e3, 3.6e6, 8.64e7]) * (random.next() * 2 - 1)),
    }),
    act: (world, action) => world.setWallOffset(text(action, 'node'), number(action, 'offsetMs')),
  },
  /** A node's loop stands still. */
  pause: {
    perTenSeconds: 2,
    draw: (random, { nodes }) => ({ node: random.pick(nodes), forMs: forMs(random) }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      if (node === undefined) return
      const untilMs = world.nowMs + number(action, 'forMs')
      const begin = () => {
        node.machine.pausedUntilMs = Math.max(node.machine.pausedUntilMs, untilMs)
        world.tell('paused', node, node.machine.pausedUntilMs)
      }
      world.suffer(number(action, 'forMs'), [node.name], begin, () => {})
    },
  },
  /** A node is killed, and starts again. */
  crash: {
    perTenSeconds: 2,
    draw: (random, { nodes }) => ({
      node: random.pick(nodes),
      isOff: random.chance(0.4),
      forMs: 100 + forMs(random),
    }),
    act: (world, action) => {
      const node = text(action, 'node')
      const begin = () => world.crash(node, action.isOff === true)
      world.suffer(number(action, 'forMs'), [node], begin, () => world.start(node))
    },
  },
  /** A node stops in order, and starts again. */
  stop: {
    perTenSeconds: 2,
    draw: (random, { nodes }) => ({ node: random.pick(nodes), forMs: 100 + forMs(random) }),
    act: (world, action) => {
      const node = text(action, 'node')
      let isOver = false
      const startIfOver = () => {
        if (isOver) world.start(node)
      }
      const begin = () => world.stop(node, startIfOver)
      world.suffer(number(action, 'forMs'), [node], begin, () => {
        isOver = true
        world.start(node)
      })
    },
  },
  /** A node forgets another one: it is taken out of its configuration, and comes back. */
  forget: {
    perTenSeconds: 1,
    draw: (random, shape) => ({ ...pair(random, shape), forMs: forMs(random) }),
    act: (world, action) => {
      const [name, other] = [text(action, 'node'), text(action, 'other')]
      const without = () => world.nodes.get(name)?.configure(other)
      world.suffer(number(action, 'forMs'), [name, other], without, () => world.nodes.get(name)?.configure())
    },
  },
}
