/**
 * What is held is not sent again: when a link comes back and the members of that start are still held, only what changed meanwhile
 * travels, never the whole table.
 */
import { decodeFrame, FrameKind } from '../../../routing/exchange.ts'
import { Channel } from '../../../routing/index.ts'
import { type Observer, Violation } from '../observer.ts'

export function resendChecker(): Observer {
  const name = 'what is held is not sent again'
  /** Links, as `node peer`, that came up while members of the same start were held. */
  const resumed = new Set<string>()
  const keyOf = (node: { name: string }, peer: { node: string }) => `${node.name} ${peer.node}`
  return {
    name,
    up: (node, peer) => {
      const isHeld = node.wires.registry
        .digests()
        .some(row => row.node === peer.node && row.creation === peer.creation && row.members > 0)
      if (isHeld) resumed.add(keyOf(node, peer))
      else resumed.delete(keyOf(node, peer))
    },
    membership: (node, { kind, pids }) => {
      // Forgotten meanwhile: then a sync is due.
      if (kind === 'leave') for (const pid of pids) resumed.delete(keyOf(node, pid))
    },
    received: (node, from, channel, body) => {
      if (channel !== Channel.registry || !resumed.has(keyOf(node, from))) return
      // A difference that was noticed is mended with a sync.
      if (node.wires.registry.counts.differences > 0) return
      const frame = decodeFrame(body)
      if (frame?.kind === FrameKind.sync)
        throw new Violation(name, `${from.node} sends all its members to ${node.name}, which holds them`)
    },
  }
}
