/** Bugs planted in the transport: in its options, its streams, its peers. */
import type { Peer, Stream } from '../../../transport/index.ts'
import type { SimNode } from '../world/node.ts'
import { SeededRandom } from '../world/random.ts'
import type { Plant } from './plant.ts'

type Send = Peer['send']

/** Calls `change` with each peer of a node when it is first linked. */
export function eachPeer(node: SimNode, change: (peer: Peer) => void): void {
  const { registry } = node.wires
  const peerUp = registry.peerUp.bind(registry)
  const seen = new Set<unknown>()
  registry.peerUp = link => {
    if (!seen.has(link)) change(link as Peer)
    seen.add(link)
    peerUp(link)
  }
}

/** A stream of which `changed` does some things differently. */
function altered(stream: Stream, changed: Partial<Stream>): Stream {
  return {
    remoteAddress: stream.remoteAddress,
    attach: handler => stream.attach(handler),
    write: chunks => stream.write(chunks),
    end: () => stream.end(),
    destroy: () => stream.destroy(),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    ...changed,
  }
}

/** `Buffer.slice` would share memory. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes)
}

export const transportPlants: readonly Plant[] = [
  {
    name: 'unbounded-queue',
    mistake: 'the queue of a peer grows as long as there is memory',
    foundBy: ['queues are bounded'],
    options: options => ({ ...options, queueBytesMax: 2 ** 30, queueBytesTotalMax: 2 ** 32 }),
  },
  {
    name: 'heartbeat-never-fires',
    mistake: 'a link on which nothing is heard any more counts as up',
    foundBy: ['one link per pair'],
    options: options => ({ ...options, heartbeatTimeoutMs: 1e9 }),
  },
  {
    name: 'tie-break-keeps-both',
    mistake: 'of two streams between two nodes, the one that lost is not closed',
    foundBy: ['one link per pair'],
    ports: (ports, node) => ({
      ...ports,
      carrier: {
        ...ports.carrier,
        dial: address => {
          const stream = ports.carrier.dial(address)
          const isLoser = () => node.isLinked(address.slice(0, address.indexOf(':')))
          return altered(stream, {
            end: () => ports.timers.soon(() => isLoser() || stream.end()),
            destroy: () => ports.timers.soon(() => isLoser() || stream.destroy()),
          })
        },
      },
    }),
  },
  {
    name: 'write-lost',
    mistake: 'now and then a whole write never leaves',
    foundBy: ['no alarms', 'ledgers balance'],
    ports: ports => ({
      ...ports,
      carrier: {
        ...ports.carrier,
        dial: address => {
          const stream = ports.carrier.dial(address)
          let writes = 0
          return altered(stream, { write: chunks => ++writes % 20 === 0 || stream.write(chunks) })
        },
      },
    }),
  },
  {
    name: 'lane-reorders',
    mistake: 'a message that is sent right behind another one overtakes it',
    foundBy: ['order per sender and lane'],
    wires: (_wires, node) =>
      eachPeer(node, peer => {
        const send = peer.send.bind(peer)
        let held: Parameters<Send> | undefined
        peer.send = (channel, lane, header, payload, deadlineMs) => {
          const message: Parameters<Send> = [
            channel,
            lane,
            copyOf(header),
            payload && copyOf(payload),
            deadlineMs,
          ]
          if (channel === 1) return send(...message)
          if (held === undefined && peer.linked) {
            held = message
            node.machine.timers.after(2, () => {
              if (held === message) send(...message)
              held = undefined
            })
            return 0
          }
          const sent = send(...message)
          if (held !== undefined) send(...held)
          held = undefined
          return sent
        }
      }),
  },
  {
    name: 'ledger-forgets-lost',
    mistake: 'the last message that a broken link lost is not counted',
    foundBy: ['ledgers balance'],
    wires: (_wires, node) =>
      eachPeer(node, peer => {
        const settle = peer.settle.bind(peer)
        peer.settle = link => {
          const { ordinary } = peer.ledger
          const before = ordinary.lost
          settle(link)
          if (ordinary.lost > before) ordinary.lost--
        }
      }),
  },
  {
    name: 'delivered-when-written',
    mistake: 'what was handed to the stream counts as delivered',
    foundBy: ['ledgers balance'],
    wires: (_wires, node) =>
      eachPeer(node, peer => {
        const settle = peer.settle.bind(peer)
        peer.settle = link => {
          const before = peer.ledger.lanes.map(({ lost }) => lost)
          settle(link)
          for (const [at, lane] of peer.ledger.lanes.entries()) {
            lane.delivered += lane.lost - before[at]!
            lane.lost = before[at]!
          }
        }
      }),
  },
]

/** Numbers for a plant of a node. */
export function randomOf(node: SimNode, plant: string): SeededRandom {
  return new SeededRandom(node.creation, `${plant} ${node.name}`)
}
