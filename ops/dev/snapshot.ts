/**
 * A run as it is shown at one moment, and the lines that say it: shared by the live view and by plain output.
 */
import type { Topology } from '../../cluster-config/index.ts'
import type { ChildStatus } from './children.ts'
import type { Counts } from './tally.ts'
import type { ChatLine, ViewDatacenter } from './view.ts'
import type { Look } from './watch.ts'

/** See the file's head. */
export interface Snapshot {
  readonly topology: Topology
  readonly phase: string
  readonly upMs: number
  readonly children: readonly ChildStatus[]
  readonly look: Look
  readonly rows: readonly string[]
  /** `undefined` without phones. */
  readonly talk: { readonly counts: Counts; readonly phones: number; readonly away: number } | undefined
  readonly chat: readonly ChatLine[]
}

/** The conversation in figures: what became of the messages, and how well. */
export function printFigures({ talk }: Snapshot): readonly string[] {
  if (talk === undefined) return ['no phones']
  const { counts, phones, away } = talk
  const { sent, acked, delivered, crossDatacenter, duplicates, outOfOrder, p50Ms, p99Ms } = counts
  return [
    `sent ${sent}  acked ${acked}  delivered ${delivered}  across datacenters ${crossDatacenter}`,
    `phones ${phones - away} of ${phones}  twice ${duplicates}  out of order ${outOfOrder}  p50 ${p50Ms} ms  p99 ${p99Ms} ms`,
  ]
}

/** `1:02:03`, `0:42`. */
export function printClock(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  const two = (number: number) => String(number).padStart(2, '0')
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** How many nodes are ready, of how many. */
export function printReady({ topology, look }: Snapshot): string {
  const ready = [...look.nodes.values()].filter(({ state }) => state === 'ready').length
  return `${ready} of ${topology.nodes.length} nodes ready, ${look.linksUp} of ${look.linksWanted} links up`
}

/** The topology with what is known of each node: its own word where it answers, else how its process does. */
export function datacentersOf({ topology, children, look, phase }: Snapshot): readonly ViewDatacenter[] {
  // What runs and does not answer is on its way while everything starts, and in trouble later.
  const unseen = phase === 'starting' ? 'starting' : 'silent'
  const byName = new Map(children.map(child => [child.node, child]))
  return topology.datacenters.map(datacenter => ({
    name: datacenter,
    clusters: topology.clusters.flatMap(cluster => {
      const nodes = topology.inDatacenter(datacenter).filter(node => node.cluster === cluster)
      if (nodes.length === 0) return []
      return [
        {
          name: cluster,
          nodes: nodes.map(({ name, roles }) => {
            const child = byName.get(name)
            const seen = look.nodes.get(name)
            return {
              name,
              state: seen?.state ?? (child?.state === 'running' ? unseen : (child?.state ?? 'down')),
              connections: roles.includes('chat') ? (seen?.connections ?? 0) : undefined,
              pid: child?.pid,
              restarts: child?.restarts ?? 0,
            }
          }),
        },
      ]
    }),
  }))
}
