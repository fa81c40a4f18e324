/** What listeners are told adds up to what lookups show: joins and leaves are the whole story of a view. */
import type { Pid } from '../../../routing/index.ts'
import { type Observer, Violation } from '../observer.ts'
import { allGroups } from '../script.ts'
import type { SimNode } from '../world/node.ts'

export function eventsChecker(): Observer {
  const name = 'events add up to views'
  const told = new Map<SimNode, Map<string, number>>()
  const add = (counts: Map<string, number>, group: string, pid: Pid, change: number) => {
    const key = `${group} ${pid}`
    const count = (counts.get(key) ?? 0) + change
    if (count === 0) counts.delete(key)
    else counts.set(key, count)
    return count
  }
  return {
    name,
    started: node => void told.set(node, new Map()),
    ended: node => void told.delete(node),
    membership: (node, { kind, group, pids }) => {
      const counts = told.get(node)
      if (counts === undefined) return
      for (const pid of pids)
        if (add(counts, group, pid, kind === 'join' ? 1 : -1) < 0)
          throw new Violation(name, `${node.name} is told that ${pid} left ${group}, which it was not in`)
    },
    look: world => {
      for (const [node, counts] of told) {
        if (node.isGone) continue
        const seen = new Map<string, number>()
        for (const group of allGroups)
          for (const pid of node.wires.registry.members(group)) add(seen, group, pid, 1)
        for (const [key, count] of seen)
          if (counts.get(key) !== count)
            throw new Violation(
              name,
              `${node.name} shows ${key} ${count} times and told ${counts.get(key) ?? 0}`,
            )
        if (counts.size !== seen.size)
          throw new Violation(
            name,
            `${node.name} told of ${counts.size} members and shows ${seen.size}, ${world.nowMs}`,
          )
      }
    },
  }
}
