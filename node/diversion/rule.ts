/**
 * What an operator asks for: a share of what is sent to a group, or to groups' members on one peer, goes to another node
 * too (tee) or instead (divert), for a while.
 *
 *   tee 10 % of group "room" to dc1-chat9, for ten minutes
 *
 * Pure values that travel between nodes. Invariant: every rule ends by itself, within a day, so that a forgotten one
 * harms nobody for ever. Source: R12 s12-13, production load tee'd and diverted to the server under test.
 */
import type { Topology } from '../../cluster-config/index.ts'

/** A copy goes to the target; or the message itself does. */
type DiversionKind = 'tee' | 'divert'

/** A rule, as it is asked for. */
export interface DiversionRule {
  /** 1 to 64 letters, digits and dashes; the same on every node that has the rule. */
  readonly id: string
  readonly kind: DiversionKind
  /** Whether `source` is a group, or a peer: then the rule is about all groups, where the member chosen is on it. */
  readonly of: 'group' | 'peer'
  readonly source: string
  /** Which share, above 0, at most 1. */
  readonly fraction: number
  /** The node with the members that get it. */
  readonly target: string
  /** For how long, ms; at most a day. */
  readonly forMs: number
}

/** How long a rule lasts unless its operator says, ms. */
export const diversionMsDefault = 10 * 60_000
/** How long a rule may last, ms. */
const diversionMsMax = 24 * 60 * 60_000

/** Why a rule cannot be, whichever node it is for; `undefined` when it can. It may come from anywhere: nothing is taken for granted. */
export function diversionProblem(rule: DiversionRule, topology: Topology): string | undefined {
  const { id, kind, of, source, fraction, target, forMs } = rule
  if (kind !== 'tee' && kind !== 'divert') return `neither tee nor divert: ${kind}`
  if (typeof id !== 'string' || !/^[a-z0-9-]{1,64}$/.test(id)) return `not an id: ${id}`
  if (!(typeof fraction === 'number' && fraction > 0 && fraction <= 1))
    return `a fraction is above 0 and at most 1: ${fraction}`
  if (!(typeof forMs === 'number' && forMs > 0 && forMs <= diversionMsMax))
    return `it lasts a day at most: ${forMs} ms`
  if (typeof target !== 'string' || topology.node(target) === undefined) return `no such node: "${target}"`
  if (typeof source !== 'string') return `not a name: ${source}`
  if (of === 'group') return groupProblem(source, topology)
  if (of !== 'peer') return `neither of a group nor of a peer: ${of}`
  if (topology.node(source) === undefined) return `no such node: "${source}"`
  return source === target ? `from ${source} to itself` : undefined
}

function groupProblem(group: string, topology: Topology): string | undefined {
  if (group.length < 1 || group.length > 255)
    return `a group's name has 1 to 255 characters, not ${group.length}`
  // Whoever owns a key is one process; a second one that does the same work would be a second owner.
  const service = topology.services.find(name => group.startsWith(`${name}/`))
  return service && `"${group}" is of the service ${service}, whose keys have one owner`
}
