/**
 * Who is whose child on a node, as data: for `Node.processTree`, operators and tests.
 *
 * Invariant: however many children there are, at most CHILDREN_MAX of one supervisor are listed; `more` says how many not.
 */
import type { Child } from './child.ts'
import type { Process } from './process.ts'
import type { Strategy } from './supervisor.ts'

const CHILDREN_MAX = 1_000

export interface ProcessTree {
  readonly kind: 'supervisor'
  readonly name: string
  readonly strategy: Strategy
  /** In the order in which they are started. */
  readonly children: readonly (ProcessTree | ProcessLeaf)[]
  /** Children that are not listed. */
  readonly more: number
}

export interface ProcessLeaf {
  readonly kind: 'process'
  readonly name: string
  /** The text of its pid; null while it is left alone or being restarted. */
  readonly pid: string | null
  readonly queueLength: number
  readonly handled: number
  /** By its supervisor, since that started. */
  readonly restarts: number
}

export function treeOf(name: string, strategy: Strategy, children: readonly Child[]): ProcessTree {
  const listed = children.slice(0, CHILDREN_MAX).map(child => child.view())
  return { kind: 'supervisor', name, strategy, children: listed, more: children.length - listed.length }
}

export function leafOf(name: string, process: Process | undefined, restarts: number): ProcessLeaf {
  return {
    kind: 'process',
    name,
    pid: process?.self.toString() ?? null,
    queueLength: process?.queueLength ?? 0,
    handled: process?.handled ?? 0,
    restarts,
  }
}
