/**
 * On a network that loses nothing in the middle of a stream, no two ledgers ever contradict each other, and no frame is bad unless bits are
 * flipped; even then no message is, and no frame of a registry. Registries agree with what they are told.
 */
import { type Observer, Violation } from '../observer.ts'

const routerFaults = ['bad', 'malformed'] as const
const registryFaults = [
  'bad',
  'unknownKind',
  'unknownScope',
  'damaged',
  'cutOffGarbage',
  'cutOffNumbers',
  'cutOffMembers',
  'cutOffFlood',
] as const
/** Deeds after which a node may have forgotten another that was silent for too long, and meet its late changes. */
const delays = ['pause', 'deaf', 'cut', 'netsplit', 'slow'] as const
/** What a node must never notice while nothing is lost between the registries, and nobody stands still. */
const differences = ['gaps', 'outOfOrder', 'differences'] as const
const linkFaults = [
  'bad-frame',
  'wrong-secret',
  'wrong-name',
  'duplicate-name',
  'foreign-cluster',
  'version',
] as const

export function alarmChecker(): Observer {
  const name = 'no alarms'
  return {
    name,
    look: world => {
      for (const { name: node, wires } of world.nodes.values()) {
        if (wires.mesh.alarms > 0) throw new Violation(name, `${node}: ${wires.mesh.alarms} alarms`)
        for (const fault of routerFaults)
          if (wires.router.counts[fault] > 0)
            throw new Violation(name, `${node}: ${wires.router.counts[fault]} messages are ${fault}`)
        for (const fault of registryFaults)
          if (wires.registry.counts[fault] > 0)
            throw new Violation(name, `${node}: ${wires.registry.counts[fault]} registry frames are ${fault}`)
        const isCalm = world.script.plant === undefined && !delays.some(what => world.sightings.has(what))
        for (const fault of differences)
          if (isCalm && wires.registry.counts[fault] > 0)
            throw new Violation(
              name,
              `${node}: ${wires.registry.counts[fault]} ${fault}, and nothing was lost`,
            )
        if (world.sightings.has('bit flipped')) continue
        for (const reason of linkFaults)
          if ((wires.mesh.closedCounts.get(reason) ?? 0) > 0) {
            const link = wires.mesh.closedLinks.findLast(closed => closed.reason === reason)
            throw new Violation(name, `${node}: a link to ${link?.node} ended as ${reason}: ${link?.detail}`)
          }
      }
    },
  }
}
