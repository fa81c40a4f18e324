/**
 * wandist as its users have it: two nodes, and processes that cast and call by group through routing and runtime.
 *
 * It paces itself by the queue of its peer, as a sender that may wait would.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type ClusterConfigInput, type Node, Server, startNode } from 'wandist'
import type { Figure, System } from '../../bench.ts'
import { freePorts } from '../../machine.ts'
import { measureMesh } from '../cases/mesh-oneway.ts'
import { measureOneway } from '../cases/oneway.ts'
import { measurePair } from '../cases/pair.ts'
import { measureSendCost } from '../cases/send-cost.ts'
import { measureSlowPeer } from '../cases/slow-peer.ts'
import type { Ends } from '../ends.ts'
import { Pair } from '../pair.ts'
import { senders } from '../parameters.ts'

/** The sender looks up when this much is queued. */
const queuedBytesMax = 1024 * 1024

export const wandist: System = {
  name: 'wandist',
  unavailable: async () => undefined,
  async run(options) {
    const figures: Figure[] = []
    figures.push(...(await measurePair('wandist', (await freePorts(2)).join(), options)))
    if (options.wants('oneway-unchecked')) {
      using pair = await Pair.start('wandist-unchecked', (await freePorts(2)).join())
      figures.push(...(await measureOneway(pair, options.seconds, 'oneway-unchecked')))
    }
    if (options.wants('mesh-oneway')) figures.push(...(await measureMesh(options.seconds)))
    if (options.wants('send-cost')) figures.push(...(await measureSendCost(options.seconds)))
    if (options.wants('slow-peer')) figures.push(...(await measureSlowPeer(options.seconds)))
    return figures
  },
}

export const ends = wandistEnds({})

/** @param transport what the configuration says of links */
export function wandistEnds(transport: ClusterConfigInput['transport']): Ends {
  return {
    async source(at) {
      const node = await start('source', at, transport)
      const targets = groups.map(group => ({ group }))
      for (const group of groups) await node.awaitMember(group)
      const peer = node.mesh.peer('sink')!
      return {
        send: (sender, message) => void node.cast(targets[sender]!, message),
        async pace() {
          do await nextTurn()
          while (peer.queueBytes > queuedBytesMax)
        },
        call: message => node.call(targets[0]!, message),
      }
    },
    async sink(at) {
      const node = await start('sink', at, transport)
      const counters = groups.map(group => {
        const counter = new Counter()
        node.spawn(counter, { groups: [group] })
        return counter
      })
      return { received: () => counters.reduce((sum, { count }) => sum + count, 0) }
    },
  }
}

const groups = Array.from({ length: senders }, (_, index) => `sink/${index}`)

/** Counts casts, answers calls with what they said. */
class Counter extends Server<Uint8Array, Uint8Array> {
  count = 0
  override handleCast(message: Uint8Array) {
    if (message.length > 0) this.count += 1
  }
  override handleCall(message: Uint8Array) {
    return message
  }
}

function start(name: string, at: string, transport: ClusterConfigInput['transport']): Promise<Node> {
  const [source, sink] = at.split(',')
  const nodes = { source: { mesh: `127.0.0.1:${source}` }, sink: { mesh: `127.0.0.1:${sink}` } }
  return startNode({ name, config: { id: 'bench', nodes, transport }, secret: 'bench', logLevel: 'silent' })
}
