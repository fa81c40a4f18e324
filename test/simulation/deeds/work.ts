/** What goes on in nodes while all is well: processes come and go, join and leave, and talk to each other. */
import { groups, service } from '../script.ts'
import type { SeededRandom } from '../world/random.ts'
import { type Answer, answers } from '../world/worker.ts'
import type { World } from '../world/world.ts'
import { type Deed, number, text } from './deed.ts'

type Shape = Parameters<Deed['draw']>[1]

const someone = (random: SeededRandom, { nodes, processesPerNode }: Shape) => ({
  node: random.pick(nodes),
  slot: random.below(processesPerNode),
})
const target = (random: SeededRandom) => ({ group: random.pick(groups), choice: random.below(1_000) })
/** Small ones, and now and then one that is cut into fragments. */
const size = (random: SeededRandom) =>
  random.chance(0.1) ? random.between(1_000, 40_000) : random.below(200)
/** A key that falls into a partition. */
function keyOf({ tables }: World, partition: number): string {
  const table = tables.get(service)!
  let at = 0
  while (table.partitionOf(`key${at}`) !== partition) at++
  return `key${at}`
}

const drawKey = (random: SeededRandom) => `key${random.below(20)}`
const timeout = (random: SeededRandom) => random.pick([5, 50, 200, 1_000])

export const work: Readonly<Record<string, Deed>> = {
  join: {
    perTenSeconds: 60,
    draw: (random, shape) => ({ ...someone(random, shape), group: random.pick(groups) }),
    act: (world, action) =>
      world.nodes.get(text(action, 'node'))?.join(number(action, 'slot'), text(action, 'group')),
  },
  /** A node brings many members at once, and takes them away later. */
  crowd: {
    perTenSeconds: 1,
    draw: (random, { nodes }) => ({
      node: random.pick(nodes),
      group: random.pick(groups),
      count: random.between(20, 200),
      forMs: random.between(100, 3_000),
    }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      if (node?.isGone !== false) return
      const leave = node.joinCrowd(text(action, 'group'), number(action, 'count'))
      world.loop.worldAt(world.nowMs + number(action, 'forMs'), () => {
        if (!node.isGone) leave()
      })
    },
  },
  leave: {
    perTenSeconds: 30,
    draw: (random, shape) => ({ ...someone(random, shape), group: random.pick(groups) }),
    act: (world, action) =>
      world.nodes.get(text(action, 'node'))?.leave(number(action, 'slot'), text(action, 'group')),
  },
  end: {
    perTenSeconds: 8,
    draw: someone,
    act: (world, action) => world.nodes.get(text(action, 'node'))?.endProcess(number(action, 'slot')),
  },
  spawn: {
    perTenSeconds: 12,
    draw: someone,
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      if (node?.isGone === false) node.spawn(number(action, 'slot'))
    },
  },
  cast: {
    perTenSeconds: 80,
    draw: (random, shape) => ({
      ...someone(random, shape),
      ...target(random),
      lane: random.between(1, 2),
      bytes: size(random),
    }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      const lane = action.lane === 2 ? 2 : 1
      const to = { group: text(action, 'group'), choice: number(action, 'choice') }
      if (node?.isGone === false)
        world.traffic.cast(node, number(action, 'slot'), to, lane, number(action, 'bytes'))
    },
  },
  burst: {
    perTenSeconds: 6,
    draw: (random, shape) => ({
      ...someone(random, shape),
      ...target(random),
      lane: random.between(1, 2),
      bytes: random.pick([0, 0, 500, 5_000]),
      count: random.between(20, 120),
    }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      const lane = action.lane === 2 ? 2 : 1
      const to = { group: text(action, 'group'), choice: number(action, 'choice') }
      for (let i = 0; i < number(action, 'count') && node?.isGone === false; i++)
        world.traffic.cast(node, number(action, 'slot'), to, lane, number(action, 'bytes'))
    },
  },
  castAll: {
    perTenSeconds: 10,
    draw: (random, shape) => ({
      node: random.pick(shape.nodes),
      group: random.pick(groups),
      bytes: size(random),
    }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      if (node?.isGone === false) world.traffic.castAll(node, text(action, 'group'), number(action, 'bytes'))
    },
  },
  call: {
    perTenSeconds: 40,
    draw: (random, shape) => ({
      node: random.pick(shape.nodes),
      ...target(random),
      answer: random.chance(0.5) ? 'now' : random.pick(answers),
      timeoutMs: timeout(random),
    }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      const to = { group: text(action, 'group'), choice: number(action, 'choice') }
      if (node?.isGone === false)
        world.traffic.call(node, to, text(action, 'answer') as Answer, number(action, 'timeoutMs'))
    },
  },
  /** Many calls to one process at once, the first of which keeps it busy: its queue may fill. */
  rush: {
    perTenSeconds: 3,
    draw: (random, { nodes }) => ({
      node: random.pick(nodes),
      ...target(random),
      count: random.between(10, 40),
      timeoutMs: timeout(random),
    }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      const to = { group: text(action, 'group'), choice: number(action, 'choice') }
      for (let at = 0; at < number(action, 'count') && node?.isGone === false; at++)
        world.traffic.call(node, to, at === 0 ? 'slow' : 'now', number(action, 'timeoutMs'))
    },
  },
  /** A message to whoever owns a key of the service. */
  tellOwner: {
    perTenSeconds: 40,
    draw: (random, { nodes }) => ({ node: random.pick(nodes), key: drawKey(random), bytes: size(random) }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      if (node?.isGone === false) world.traffic.tellOwner(node, text(action, 'key'), number(action, 'bytes'))
    },
  },
  /** A question to whoever owns a key of the service. */
  askOwner: {
    perTenSeconds: 40,
    draw: (random, { nodes }) => ({
      node: random.pick(nodes),
      key: drawKey(random),
      answer: random.chance(0.8) ? 'now' : random.pick(answers),
      timeoutMs: timeout(random),
    }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      const answer = text(action, 'answer') as Answer
      if (node?.isGone === false)
        world.traffic.call(node, { service, key: text(action, 'key') }, answer, number(action, 'timeoutMs'))
    },
  },
  /** A node hands a partition over: its process leaves, ends a little later, and another one comes in time. */
  handOver: {
    perTenSeconds: 10,
    draw: (random, { nodes }) => ({
      node: random.pick(nodes),
      partition: random.below(4),
      endsMs: random.pick([0, 5, 50]),
      forMs: random.between(100, 1_000),
    }),
    act: (world, action) => {
      const node = world.nodes.get(text(action, 'node'))
      if (node?.isGone !== false) return
      const partition = number(action, 'partition')
      node.handOver(partition, number(action, 'endsMs'))
      // The others do not know yet, and send to who has just left.
      const key = keyOf(world, partition)
      for (const sender of world.nodes.values()) {
        if (sender.isGone || sender === node) continue
        world.traffic.tellOwner(sender, key, 100)
        world.traffic.call(sender, { service, key }, 'now', 500)
      }
      world.loop.worldAt(world.nowMs + number(action, 'forMs'), () => {
        if (!node.isGone) node.keep(partition)
      })
    },
  },
}
