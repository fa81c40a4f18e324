/**
 * Every cast has one fate: it is handled at most once, by the process that it was meant for; not at all when the sender was told
 * that it did not leave; and what the transport delivered, the router accounts for.
 */
import { Channel } from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { type Observer, type SimCast, Violation } from '../observer.ts'
import type { SimNode } from '../world/node.ts'

/** What becomes of a frame that reaches a router; each ends in exactly one of them. */
const arrivalCounts = [
  'delivered',
  'undelivered',
  'forwarded',
  'stale',
  'expiredOnArrival',
  'bad',
  'malformed',
  'hintsTaken',
  'hintsIgnored',
  'kindsHeard',
  'redirected',
  'answers',
  'lateReplies',
] as const

export function castsChecker(): Observer {
  const name = 'one fate per cast'
  const casts = new Map<string, SimCast>()
  const left = new Map<string, number>()
  const arrived = new Map<SimNode, number>()
  const keyOf = (id: number, target: unknown) => `${id} ${target}`
  return {
    name,
    cast: cast => {
      const key = keyOf(cast.id, cast.target)
      casts.set(key, cast)
      left.set(key, (left.get(key) ?? 0) + 1)
    },
    handled: (node, process, id) => {
      const key = casts.has(keyOf(id, process)) ? keyOf(id, process) : keyOf(id, undefined)
      const cast = casts.get(key)
      const times = left.get(key)
      if (cast === undefined)
        throw new Violation(name, `${process} at ${node.name} handles cast ${id}, not meant for it`)
      if (times === 0) throw new Violation(name, `${process} at ${node.name} handles cast ${id} again`)
      if (cast.sent !== Sent.ok)
        throw new Violation(name, `cast ${id} is handled, and its sender was told ${cast.sent}`)
      left.set(key, times! - 1)
    },
    received: (node, _from, channel) => {
      if (channel === Channel.message) arrived.set(node, (arrived.get(node) ?? 0) + 1)
    },
    look: world => {
      for (const node of world.nodes.values()) {
        const { counts } = node.wires.router
        let count = 0
        for (const fate of arrivalCounts) count += counts[fate]
        const frames = arrived.get(node) ?? 0
        // Local calls count as answers, too.
        if (count < frames)
          throw new Violation(name, `${node.name} received ${frames} messages and counts ${count}`)
      }
    },
  }
}
