/**
 * One link per pair: at each end links come and go by turns, when it is quiet both ends hang on one and the same stream, and one that
 * carries nothing any more is found within 1.33 of the heartbeat timeout.
 */
import { type Observer, Violation } from '../observer.ts'
import type { SimNode } from '../world/node.ts'
import { corePeers } from './ledger.ts'

export function linksChecker(): Observer {
  const name = 'one link per pair'
  const up = new Map<SimNode, Map<string, number>>()
  const resumeMs = new Map<SimNode, number>()
  return {
    name,
    started: node => void up.set(node, new Map()),
    paused: (node, untilMs) => void resumeMs.set(node, untilMs),
    up: (node, peer) => {
      const links = up.get(node)!
      if (links.has(peer.node)) throw new Violation(name, `${node.name} has a second link to ${peer.node}`)
      links.set(peer.node, peer.creation)
    },
    down: (node, peer) => {
      if (!up.get(node)!.delete(peer.node))
        throw new Violation(name, `${node.name} loses a link to ${peer.node} that it did not have`)
    },
    look: world => {
      for (const node of world.nodes.values()) {
        if (node.isGone) continue
        for (const peer of node.wires.mesh.peers.values()) {
          if (!peer.linked) continue
          const heardMs = Math.max(
            world.network.path(peer.node, node.name).lastArrivalMs,
            peer.linkedSinceMs - node.machine.clock.nowMs() + world.nowMs,
            (resumeMs.get(node) ?? 0) + node.options.heartbeatTimeoutMs,
          )
          const silentMs = world.nowMs - heardMs
          if (silentMs > 1.33 * node.options.heartbeatTimeoutMs)
            throw new Violation(
              name,
              `${node.name} believes in its link to ${peer.node}, silent for ${silentMs} ms`,
            )
        }
      }
    },
    lacking: world => {
      for (const [node, peer] of corePeers(world)) {
        const other = world.nodes.get(peer.node)
        if (peer.creation !== other?.creation) return `${node.name} is linked to an old start of ${peer.node}`
        const count = world.network.openEnds(node.name, peer.node)
        if (count !== 1) return `${node.name} has ${count} streams to ${peer.node}`
        if (node.wires.mesh.openLinks > node.wires.mesh.peers.size + world.script.nodes.length)
          return `${node.name} has ${node.wires.mesh.openLinks} links`
      }
      return undefined
    },
  }
}
