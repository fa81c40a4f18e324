/**
 * A flap goes unnoticed: a member that never left its group stays in every view that has it, unless its node's link was lost for longer
 * than the grace, or ended with a goodbye, or its node came back as another start.
 */
import { type Observer, Violation } from '../observer.ts'
import type { SimNode } from '../world/node.ts'
import type { World } from '../world/world.ts'

/** The registry's grace, as a part of the heartbeat timeout: see node/wiring.ts. */
const gracePart = 0.75

interface Loss {
  readonly atMs: number
  readonly isOrderly: boolean
}

export function shortFlapChecker(world: () => World): Observer {
  const name = 'a short flap keeps members'
  const losses = new Map<SimNode, Map<string, Loss>>()
  return {
    name,
    started: node => void losses.set(node, new Map()),
    down: (node, peer, isOrderly) =>
      void losses.get(node)!.set(peer.node, { atMs: world().nowMs, isOrderly }),
    membership: (node, { kind, group, pids }) => {
      if (kind === 'join' || node.isStopping) return
      for (const pid of pids) {
        if (pid.node === node.name) continue
        const owner = world().starts.find(start => start.name === pid.node && start.creation === pid.creation)
        if (owner === undefined || owner.everLeft.has(`${group} ${pid.index}`)) continue
        const loss = losses.get(node)!.get(pid.node)
        const graceMs = gracePart * node.options.heartbeatTimeoutMs
        const isGone = loss !== undefined && (loss.isOrderly || world().nowMs - loss.atMs > graceMs - 1)
        const isRestarted = world().starts.findLast(({ name }) => name === pid.node) !== owner
        if (!isGone && !isRestarted)
          throw new Violation(
            name,
            `${node.name} forgets ${pid} in ${group}, its link lost since ${loss?.atMs}`,
          )
      }
    },
  }
}
