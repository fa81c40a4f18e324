/**
 * Why a message goes where it goes: the candidates for a target in order, and the one that would be chosen from here.
 *
 * Plain data, for people and their tools; nothing here chooses, and nobody's turn is taken. Invariant: what it names as chosen is
 * what `choose` answers next. Source: R14 s34, real-time cluster status.
 */
import { describe, Pid, type Target } from './address.ts'
import type { Chooser } from './chooser.ts'
import { isPassedOver, weightOf } from './eligible.ts'
import type { PartitionTable } from './placement.ts'
import type { Registry } from './registry.ts'
import type { View } from './view.ts'

/** Where a service's key belongs, by the configuration. */
export interface ExplainedService {
  readonly service: string
  readonly key: string
  readonly partition: number
  readonly partitions: number
  readonly island: string
  /** True when an override, and not the ring, put the partition there. */
  readonly overridden: boolean
  readonly primary: string
  readonly secondary: string | null
}

/** One member that could be chosen. */
export interface Candidate {
  readonly pid: string
  readonly node: string
  readonly distance: 'self' | 'cluster' | 'datacenter' | 'far'
  /** How often it joined. */
  readonly times: number
  readonly weight: number
  readonly draining: boolean
  /** Its node's link has just been lost. */
  readonly suspect: boolean
  /** Chosen only when all others are, too: suspect, draining, or without weight. */
  readonly last: boolean
  /** A message to it can be sent now. */
  readonly reachable: boolean
  /** Bytes that wait in front of it as far as this node knows; null where there is no link. */
  readonly queueBytes: number | null
  readonly zone: string | null
  readonly version: string | null
  readonly role: 'primary' | 'secondary' | null
}

export interface Explanation {
  readonly target: string
  /** The node that looks. */
  readonly from: string
  readonly group: string | null
  readonly service: ExplainedService | null
  /** The pid that a message would go to now. */
  readonly chosen: string | null
  /** What decided. */
  readonly why:
    | 'pid'
    | 'primary'
    | 'secondary'
    | 'nearest'
    | 'round-robin'
    | 'least-queue'
    | 'key'
    /** The node that was chosen handed the partition over, and named the new owner. */
    | 'hint'
    | 'no such service'
    | 'no member'
  /** In the order in which they are tried, those that come last at the end; among equals, nearest first. */
  readonly candidates: readonly Candidate[]
}

export interface ExplainOptions {
  readonly node: string
  readonly registry: Registry
  readonly services: () => ReadonlyMap<string, PartitionTable>
}

const distanceNames = ['self', 'cluster', 'datacenter', 'far'] as const

/** Explains a choice; see `Router.explain`. */
export function explain(target: Target, options: ExplainOptions, chooser: Chooser): Explanation {
  const base = { target: describe(target), from: options.node }
  if (target instanceof Pid) {
    return { ...base, group: null, service: null, chosen: String(target), why: 'pid', candidates: [] }
  }
  if ('service' in target) {
    const table = options.services().get(target.service)
    if (!table) {
      return { ...base, group: null, service: null, chosen: null, why: 'no such service', candidates: [] }
    }
    return { ...base, ...explainService(table, target.key, options, chooser) }
  }
  const view = options.registry.view(target.group)
  const candidates = candidatesOf(view, chooser, undefined)
  const chosen = chooser.peek(target)
  const why = target.key === undefined ? (target.pick ?? 'nearest') : 'key'
  return {
    ...base,
    group: target.group,
    service: null,
    chosen: chosen ? String(chosen) : null,
    why: chosen ? why : 'no member',
    candidates: candidates.sort(byLast),
  }
}

function explainService(
  table: PartitionTable,
  key: string,
  { registry }: ExplainOptions,
  chooser: Chooser,
): Omit<Explanation, 'target' | 'from'> {
  const partition = table.partitionOf(key)
  const group = table.group(partition)
  const [primary, secondary] = table.owners(partition)
  const view = registry.view(group)
  const seen = view?.picks.peekOwner(primary, secondary)
  const chosen = seen && chooser.hints.follow(group, seen)
  const roleOf = (node: string) => (node === primary ? 'primary' : node === secondary ? 'secondary' : null)
  return {
    group,
    service: {
      service: table.service,
      key,
      partition,
      partitions: table.partitions,
      island: table.island(partition),
      overridden: table.isOverridden(partition),
      primary,
      secondary: secondary ?? null,
    },
    chosen: chosen ? String(chosen) : null,
    why: !chosen ? 'no member' : chosen !== seen ? 'hint' : (roleOf(chosen.node) ?? 'nearest'),
    candidates: candidatesOf(view, chooser, roleOf).sort(
      (one, other) => byLast(one, other) || byRole(one, other),
    ),
  }
}

function candidatesOf(
  view: View | undefined,
  chooser: Chooser,
  roleOf: ((node: string) => Candidate['role']) | undefined,
): Candidate[] {
  return Array.from(view?.rows() ?? [], ({ member: { pid, times, meta }, placed }) => {
    const queueBytes = chooser.queueOf(pid)
    return {
      pid: String(pid),
      node: pid.node,
      distance: distanceNames[placed.distance],
      times,
      weight: weightOf(meta),
      draining: meta?.draining ?? false,
      suspect: placed.suspect,
      last: isPassedOver(meta, placed.suspect),
      reachable: chooser.isReachable(pid),
      queueBytes: Number.isFinite(queueBytes) ? queueBytes : null,
      zone: meta?.zone ?? null,
      version: meta?.version ?? null,
      role: roleOf?.(pid.node) ?? null,
    }
  })
}

function byLast(one: Candidate, other: Candidate): number {
  return Number(one.last) - Number(other.last)
}

function byRole(one: Candidate, other: Candidate): number {
  return rank(one.role) - rank(other.role)
}

function rank(role: Candidate['role']): number {
  return role === 'primary' ? 0 : role === 'secondary' ? 1 : 2
}
