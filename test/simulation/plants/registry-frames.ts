/** Bugs planted in what registries say to each other: their frames are read, changed and written again. */
import type { Wires } from '../../../node/wiring.ts'
import {
  decodeFrame,
  encodeFrame,
  encodeHead,
  type Frame,
  FrameKind,
  frameHeadBytes,
} from '../../../routing/exchange.ts'
import { Channel } from '../../../routing/index.ts'
import type { Peer } from '../../../transport/index.ts'
import type { SimNode } from '../world/node.ts'
import type { Plant } from './plant.ts'
import { eachPeer, randomOf } from './transport.ts'

/** Puts `change` between the wire and a node's registry; what it returns is taken in, nothing if `undefined`. */
function incoming({ registry }: Wires, change: (frame: Frame, from: string) => Frame | undefined): void {
  const receive = registry.receive.bind(registry)
  registry.receive = (link, body) => {
    const frame = decodeFrame(body)
    const changed = frame && change(frame, link.node)
    if (changed === frame) receive(link, body)
    else if (changed)
      receive(link, Buffer.concat([encodeHead(changed.kind, link.creation), encodeFrame(changed)]))
  }
}

/** Puts `change` between a node's registry and the wire. */
function outgoing(node: SimNode, change: (frame: Frame) => Frame): void {
  eachPeer(node, peer => {
    const send: Peer['send'] = peer.send.bind(peer)
    peer.send = (channel, lane, header, payload, deadlineMs) => {
      const isOurs = channel === Channel.registry && payload !== undefined && header.length === frameHeadBytes
      const frame = isOurs ? decodeFrame(Buffer.concat([header, payload])) : undefined
      return send(channel, lane, header, frame ? encodeFrame(change(frame)) : payload, deadlineMs)
    }
  })
}

export const registryFramePlants: readonly Plant[] = [
  {
    name: 'no-numbering',
    mistake: 'changes are not numbered and not compared: one that is lost on the way is never missed',
    foundBy: ['views converge', 'events add up to views', 'what is held is not sent again'],
    wires: (wires, node) => {
      const random = randomOf(node, 'no-numbering')
      incoming(wires, (frame, from) => {
        if (frame.kind === FrameKind.state) return undefined
        if (frame.kind !== FrameKind.change) return frame
        if (random.chance(0.1)) return undefined
        const held = wires.registry.digests().find(row => row.node === from)
        return { ...frame, from: held?.number ?? frame.from, digest: undefined }
      })
    },
  },
  {
    name: 'sync-on-flap',
    mistake: 'nobody says what he still holds, so that all members travel again with every link',
    foundBy: ['what is held is not sent again'],
    wires: (_wires, node) =>
      outgoing(node, frame =>
        frame.kind === FrameKind.discover
          ? { ...frame, asks: frame.asks.map(ask => ({ ...ask, held: undefined })) }
          : frame,
      ),
  },
  {
    name: 'flap-forgets',
    mistake: 'the members of a node go as soon as its link is lost',
    foundBy: ['a short flap keeps members'],
    wires: ({ registry }) => {
      const peerDown = registry.peerDown.bind(registry)
      registry.peerDown = link => peerDown(link, { isOrderly: true })
    },
  },
]

/** Mishaps that the product mends by itself: numbers and digests are there for them. */
export const mendedMishaps: readonly Plant[] = [
  {
    name: 'change-lost',
    mistake: 'one change in ten is lost on the way',
    foundBy: [],
    wires: (wires, node) => {
      const random = randomOf(node, 'change-lost')
      incoming(wires, frame => (frame.kind === FrameKind.change && random.chance(0.1) ? undefined : frame))
    },
  },
  {
    name: 'entry-lost',
    mistake: 'one change in ten loses what it says, and keeps its number',
    foundBy: [],
    wires: (wires, node) => {
      const random = randomOf(node, 'entry-lost')
      incoming(wires, frame =>
        frame.kind === FrameKind.change && random.chance(0.1) ? { ...frame, entries: [] } : frame,
      )
    },
  },
  {
    name: 'question-lost',
    mistake: 'one question in ten is lost on the way',
    foundBy: [],
    wires: (wires, node) => {
      const random = randomOf(node, 'question-lost')
      incoming(wires, frame => (frame.kind === FrameKind.discover && random.chance(0.1) ? undefined : frame))
    },
  },
]
