/**
 * Every send has one counted fate, at every step: accepted = delivered + expired + shed + lost + in flight, lane by lane; and what
 * one end counts as delivered, the other end has received (DESIGN.md, promise 3).
 */
import { Lane, type Peer } from '../../../transport/index.ts'
import { type Observer, Violation } from '../observer.ts'
import type { SimNode } from '../world/node.ts'
import type { World } from '../world/world.ts'

const lanes = [Lane.control, Lane.ordinary, Lane.bulk]

export function ledgerChecker(): Observer {
  const name = 'ledgers balance'
  /** Frames that came up, by both ends' names and starts. */
  const received = new Map<string, number>()
  const check = (node: SimNode, peer: Peer) => {
    for (const lane of lanes) {
      const { accepted, delivered, expired, shed, lost } = peer.ledger.lanes[lane]!
      const inFlight = peer.inFlightFramesOf(lane)
      if (accepted !== delivered + expired + shed + lost + inFlight)
        throw new Violation(
          name,
          `${node.name} to ${peer.node}, lane ${lane}: accepted ${accepted}, delivered ${delivered}, expired ${expired}, shed ${shed}, lost ${lost}, in flight ${inFlight}`,
        )
    }
  }
  return {
    name,
    received: (node, from) => {
      const key = `${from.node} ${from.creation} > ${node.name}`
      received.set(key, (received.get(key) ?? 0) + 1)
    },
    step: node => {
      for (const peer of node.wires.mesh.peers.values()) check(node, peer)
    },
    look: world => {
      for (const node of world.nodes.values())
        for (const peer of node.wires.mesh.peers.values()) {
          const { control, ordinary, bulk } = peer.ledger
          const delivered = control.delivered + ordinary.delivered + bulk.delivered
          const arrived = received.get(`${node.name} ${node.creation} > ${peer.node}`) ?? 0
          if (delivered > arrived)
            throw new Violation(
              name,
              `${node.name} counts ${delivered} delivered to ${peer.node}, which received ${arrived}`,
            )
        }
    },
    lacking: world => {
      // Control is never at rest: owners say what should be held of them.
      for (const [node, peer] of corePeers(world))
        for (const lane of [Lane.ordinary, Lane.bulk]) {
          const frames = peer.inFlightFramesOf(lane)
          if (frames > 0) return `${frames} in flight from ${node.name} to ${peer.node}, lane ${lane}`
        }
      return undefined
    },
  }
}

/** The nodes of the core that live, each with its peers in the core. */
export function* corePeers(world: World): IterableIterator<[node: SimNode, peer: Peer]> {
  for (const node of world.nodes.values()) {
    if (!world.isCore(node.name)) continue
    for (const peer of node.wires.mesh.peers.values()) if (world.isCore(peer.node)) yield [node, peer]
  }
}
