/** Who is linked to one start of a node sees no member of another one. */
import { type Observer, Violation } from '../observer.ts'
import { allGroups } from '../script.ts'

export function creationsChecker(): Observer {
  const name = 'no member of a dead creation'
  return {
    name,
    look: world => {
      for (const node of world.nodes.values())
        for (const group of allGroups)
          for (const pid of node.wires.registry.members(group)) {
            const creation = pid.node === node.name ? node.creation : node.peer(pid.node)?.creation
            if (creation !== undefined && creation !== 0 && creation !== pid.creation)
              throw new Violation(
                name,
                `${node.name} is linked to ${pid.node}/${creation} and sees ${pid} in ${group}`,
              )
          }
    },
  }
}
