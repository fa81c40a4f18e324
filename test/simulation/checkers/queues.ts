/** Everything is bounded: the queue of a peer, the message queue of a process, the streams of a node (DESIGN.md, promise 6). */
import { type Observer, Violation } from '../observer.ts'
import type { SimNode } from '../world/node.ts'

export function queuesChecker(): Observer {
  const name = 'queues are bounded'
  return {
    name,
    step: node => {
      const { queueLengthMax } = node.wires.runtime.stats()
      if (queueLengthMax > messagesMax(node))
        throw new Violation(name, `a process of ${node.name} has ${queueLengthMax} messages waiting`)
      const { queueBytesMax, controlReserveBytes, frameBytesMax } = node.options
      // At the low watermark one message of any length is taken; control has its reserve on top.
      const limit = queueBytesMax + controlReserveBytes + frameBytesMax
      for (const peer of node.wires.mesh.peers.values())
        if (peer.queueBytes > limit)
          throw new Violation(
            name,
            `${node.name} keeps ${peer.queueBytes} bytes for ${peer.node}, more than ${limit}`,
          )
    },
    look: world => {
      for (const node of world.nodes.values()) {
        const streamsMax = 4 * world.script.nodes.length + node.options.handshakesMax
        if (node.wires.mesh.openLinks > streamsMax)
          throw new Violation(name, `${node.name} has ${node.wires.mesh.openLinks} streams open`)
      }
    },
  }
}

/** What a process tells itself is taken even when its queue is full: here, its late answers. */
function messagesMax({ limits }: SimNode): number {
  return 2 * limits.queueMessagesMax
}
