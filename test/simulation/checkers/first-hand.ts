/**
 * Nobody learns members from third parties, and nobody makes any up: a member that a node sees is, or was, in the group at its owner,
 * and it came while the node had a link to that very start of the owner.
 */
import type { Pid } from '../../../routing/index.ts'
import { type Observer, Violation } from '../observer.ts'
import { clusterOf, isPublished } from '../script.ts'
import type { SimNode } from '../world/node.ts'
import type { World } from '../world/world.ts'

export function firstHandChecker(world: () => World): Observer {
  const name = 'first hand only'
  /** Whoever was in a group at some time, as `group pid`. */
  const everIn = new Set<string>()
  const wasIn = (group: string, pid: Pid) => {
    const key = `${group} ${pid}`
    if (everIn.has(key)) return true
    const owner = world().starts.find(start => start.name === pid.node && start.creation === pid.creation)
    if (owner?.truth.get(group)?.has(pid.index) !== true) return false
    everIn.add(key)
    return true
  }
  return {
    name,
    step: node => {
      for (const [group, members] of node.truth)
        for (const index of members.keys()) everIn.add(`${group} ${node.name}/${node.creation}/0/${index}`)
    },
    membership: (node, { kind, group, pids }) => {
      if (kind !== 'join') return
      for (const pid of pids) {
        if (!wasIn(group, pid))
          throw new Violation(name, `${node.name} sees ${pid} in ${group}, where it never was`)
        if (pid.node === node.name) continue
        const peer = node.peer(pid.node)
        if (peer?.creation !== pid.creation)
          throw new Violation(name, `${node.name} learns of ${pid} in ${group} without a link to it`)
        if (!isPublished(group) && !isSameCluster(world(), node, pid))
          throw new Violation(name, `${node.name} sees ${pid} in ${group}, which is not published`)
      }
    },
  }
}

function isSameCluster({ script }: World, node: SimNode, pid: Pid): boolean {
  return clusterOf(script, node.name) === clusterOf(script, pid.node)
}
