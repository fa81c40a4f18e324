/**
 * A script: everything that a run needs, as data. The same script gives the same run, event by event.
 *
 * `plan.ts` makes one from a seed; `shrink.ts` makes a failing one smaller; `scripts/` keeps those that once failed. It
 * holds every deed with its time, so that one can be taken out and the others stay as they are.
 */
import { buildPartitionTable, type PartitionTable } from '../../routing/index.ts'
import type { Weather } from './network/path.ts'

/** What somebody does, or what befalls somebody, at one moment. Its other fields are the deed's own: see deeds/. */
export interface Action {
  readonly atMs: number
  /** A name of the table of deeds. */
  readonly do: string
  readonly [field: string]: string | number | boolean | readonly string[]
}

/** Limits of the nodes' meshes that differ from script to script. */
export interface Limits {
  readonly queueBytesMax: number
  readonly queueMessagesMax: number
  readonly heartbeatTimeoutMs: number
}

export interface Script {
  readonly seed: number
  readonly nodes: readonly string[]
  /** Nodes of two clusters instead of one, by turns. */
  readonly isTwoClusters: boolean
  readonly processesPerNode: number
  /** Whether the partitions of the service have processes. */
  readonly isServing: boolean
  /** Faults happen until then; after it the core must come to agree. */
  readonly faultsMs: number
  /** The nodes that must agree in the end. */
  readonly core: readonly string[]
  readonly weather: Weather
  readonly limits: Limits
  /** In the order of their times. */
  readonly actions: readonly Action[]
  /** A planted bug, by its name; see plants/. */
  readonly plant?: string | undefined
  /** In a kept script: what it found, for people. */
  readonly found?: string | undefined
}

/** The groups that processes join; those that begin with `open` are published to other clusters. */
export const groups = ['open-a', 'open-b', 'home-a'] as const

/** The one service of these worlds, and how many partitions it has. */
export const service = 'store'
const partitions = 4

/** All groups that have members: those above, and one for each partition. */
export const allGroups: readonly string[] = [
  ...groups,
  ...Array.from({ length: partitions }, (_, partition) => `${service}/${partition}`),
]

export function isPublished(group: string): boolean {
  return !group.startsWith('home')
}

/** Which nodes own the service's partitions: islands of two, of neighbours by name. */
export function tableOf({ nodes }: Pick<Script, 'nodes'>): PartitionTable {
  const islands: Record<string, string[]> = {}
  for (let at = 0; at < nodes.length; at += 2) islands[`island${at / 2}`] = nodes.slice(at, at + 2)
  return buildPartitionTable(service, { partitions, islands })
}

/** The cluster that a node of the script belongs to. */
export function clusterOf(script: Script, node: string): string {
  return script.isTwoClusters && script.nodes.indexOf(node) % 2 === 1 ? 'east' : 'west'
}

/** The text of a script: JSON, one action a line. */
export function printScript(script: Script): string {
  const { actions, weather, ...rest } = script
  const finite = { ...weather, sliceBytesMax: Math.min(weather.sliceBytesMax, 65_536) }
  const head = JSON.stringify({ ...rest, weather: finite }, undefined, 1).slice(0, -2)
  const lines = actions.map(action => `  ${JSON.stringify(action)}`)
  return `${head},\n "actions": [\n${lines.join(',\n')}\n ]\n}\n`
}

/** Reads the text of a script. @throws SyntaxError for what is none */
export function readScript(text: string): Script {
  const script = JSON.parse(text) as Script
  if (!Array.isArray(script.actions) || !Array.isArray(script.nodes)) throw new SyntaxError('not a script')
  return script
}
