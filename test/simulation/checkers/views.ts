/**
 * Views converge: when it is quiet, each node of the core sees, of each other one, exactly the members that this one has in truth and
 * may show it; of nodes that it has no link to, none; and no group is ever listed that is empty.
 */

import { type Observer, Violation } from '../observer.ts'
import { allGroups, clusterOf, isPublished } from '../script.ts'
import type { SimNode } from '../world/node.ts'
import type { World } from '../world/world.ts'

export function viewsChecker(): Observer {
  const name = 'views converge'
  return {
    name,
    look: world => {
      for (const { name: node, wires } of world.nodes.values()) {
        const empty = wires.registry.whichGroups().find(group => wires.registry.members(group).length === 0)
        if (empty !== undefined) throw new Violation(name, `${node} lists the empty group ${empty}`)
      }
    },
    lacking: world => {
      for (const core of world.script.core) {
        const node = world.nodes.get(core)
        if (node === undefined) return `${core} is not there`
        const unlinked = world.script.core.find(other => other !== core && !node.isLinked(other))
        if (unlinked !== undefined) return `${core} has no link to ${unlinked}`
        for (const group of allGroups) {
          const lack = differenceIn(world, node, group)
          if (lack !== undefined) return `${core}, group ${group}: ${lack}`
        }
      }
      return undefined
    },
  }
}

/** How what a node sees of a group differs from what it should see. */
function differenceIn(world: World, node: SimNode, group: string): string | undefined {
  const seen = node.wires.registry.members(group)
  const should: string[] = []
  for (const other of world.nodes.values())
    if (other === node || (node.isLinked(other.name) && maySee(world, node, other, group)))
      if (other === node || world.isCore(other.name))
        for (const [index, times] of other.truth.get(group) ?? [])
          for (let time = 0; time < times; time++) should.push(`${other.name}/${other.creation}/0/${index}`)
  // Of nodes outside the core nobody can say what should be seen while they are linked: their links may be half dead.
  const judged = seen.filter(pid => world.isCore(pid.node) || !node.isLinked(pid.node))
  const is = judged.map(String).sort().join(' ')
  const ought = should.sort().join(' ')
  return is === ought ? undefined : `sees [${is}], should see [${ought}]`
}

function maySee({ script }: World, node: SimNode, owner: SimNode, group: string): boolean {
  return isPublished(group) || clusterOf(script, node.name) === clusterOf(script, owner.name)
}
