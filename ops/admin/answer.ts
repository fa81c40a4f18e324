/**
 * Answers queries about this node, from what lies ready in it, and passes on what operators order. Nothing here waits, and nothing is
 * asked of others.
 */
import { type HistoryQuestion, history } from '../../node/index.ts'
import type { LoopWatch } from '../loop-watch.ts'
import type { ObservedNode } from '../observed-node.ts'
import { lastClosed, type PeerRow, reportPeerDetail, reportPeerRow } from '../peer-report.ts'
import { reportDetail, reportLeft, reportRow } from '../report.ts'
import { takeSample } from '../sample.ts'
import {
  type AnswerTo,
  type DrainState,
  entriesMax,
  type Glance,
  type GroupCount,
  type HeldMember,
  type Member,
  type Query,
  type QueryName,
  type Views,
} from './queries.ts'

/** The text with which a node turns down a query that it does not know. */
export const unsupported = 'unsupported query'

/** Speaks for one node. */
export class Answerer {
  readonly #node: ObservedNode
  readonly #loop: LoopWatch
  #drainFailure: string | undefined

  constructor(node: ObservedNode, loop: LoopWatch) {
    this.#node = node
    this.#loop = loop
  }

  /**
   * Answers a query.
   *
   * @throws Error {@link unsupported} for a query that this version does not know, TypeError for one that is malformed
   */
  answer(query: Query): AnswerTo<QueryName> {
    const node = this.#node
    switch (query.op) {
      case 'row':
        return reportRow(node)
      case 'glance':
        return glance(node)
      case 'detail':
        return reportDetail(node, this.#loop.totals())
      case 'sample':
        return takeSample(node, this.#loop.totals())
      case 'groups':
        return limited(ownGroups(node), (groups, truncated) => ({ groups, truncated }))
      case 'members':
        return limited(ownMembers(node, text(query.group)), (members, truncated) => ({ members, truncated }))
      case 'peers':
        return limited(peerRows(node), (rows, truncated) => ({ rows, truncated }))
      case 'peer': {
        const peer = node.mesh.peers.get(text(query.peer))
        return { peer: peer === undefined ? null : reportPeerDetail(node, peer) }
      }
      case 'drain':
        this.#drain(positive(query.deadlineMs))
        return this.#drainState()
      case 'left':
        return this.#drainState()
      case 'divert':
        return node.diversions.add(query.rule)
      case 'undivert':
        return { removed: node.diversions.remove(text(query.id)) }
      case 'diversions':
        return { rules: node.diversions.list() }
      case 'explain':
        return node.router.explain(targetOf(query.target))
      case 'digests':
        return views(node, query.group)
      case 'held':
        return limited(held(node, query), (members, truncated) => ({ members, truncated }))
      case 'processes':
        return node.processTree()
      case 'history':
        return history(
          node.journal,
          node.registry,
          { node: node.name, creation: node.creation },
          questionOf(query),
          entriesMax,
        )
      default:
        throw new Error(unsupported)
    }
  }

  /** Nobody waits for it here: how it goes is read off the node's state, or off the failure kept. */
  #drain(deadlineMs: number): void {
    this.#node.drain({ deadlineMs }).catch((error: unknown) => {
      this.#drainFailure = error instanceof Error ? error.message : String(error)
    })
  }

  #drainState(): DrainState {
    return {
      state: this.#node.state,
      left: reportLeft(this.#node),
      failure: this.#drainFailure ?? null,
    }
  }
}

function glance(node: ObservedNode): Glance {
  const notLinked: { node: string; reason: string }[] = []
  let linked = 0
  for (const peer of node.mesh.peers.values()) {
    if (peer.linked) linked += 1
    else notLinked.push({ node: peer.node, reason: whyClosed(node, peer.node) })
  }
  return limited(ownGroups(node), (groups, truncated) => ({
    row: reportRow(node),
    linked,
    notLinked,
    groups: groups.map(({ scope, group }) => ({ scope, group })),
    truncated,
    trouble: node.trouble ?? null,
  }))
}

/** Whether far clusters see a group: a service's as the configuration says, others as the node says. */
export function isPublished(node: ObservedNode, group: string): boolean {
  const { topology } = node
  const service = topology.services.find(name => group.startsWith(`${name}/`))
  return (service && topology.service(service)?.published) ?? node.published?.(group) ?? true
}

/** Why `peer` is not linked. */
export function whyClosed(node: ObservedNode, peer: string): string {
  return lastClosed(node, peer)?.reason ?? 'never linked'
}

function* peerRows(node: ObservedNode): Iterable<PeerRow> {
  for (const peer of node.mesh.peers.values()) yield reportPeerRow(node, peer)
}

function* ownGroups(node: ObservedNode): Iterable<GroupCount> {
  for (const name of node.registry.whichScopes()) {
    const scope = node.registry.scope(name)
    for (const group of scope.whichGroups()) {
      const members = scope.localMembers(group).length
      if (members > 0) yield { scope: name, group, members }
    }
  }
}

function* ownMembers(node: ObservedNode, group: string): Iterable<Member> {
  for (const scope of node.registry.whichScopes()) {
    for (const pid of node.registry.scope(scope).localMembers(group)) {
      yield { scope, pid: pid.toString(), published: isPublished(node, group) }
    }
  }
}

/** A target that has come from elsewhere. */
function targetOf(target: (Query & { readonly op: 'explain' })['target']): typeof target {
  if ('service' in target) return { service: text(target.service), key: text(target.key) }
  const group = text(target.group)
  return target.key !== undefined
    ? { group, key: text(target.key) }
    : { group, pick: target.pick ?? 'nearest' }
}

function views(node: ObservedNode, group: string | null): Views {
  const nowMs = node.ports.clock.nowMs()
  const notLinked = [...node.mesh.peers.values()]
    .filter(peer => !peer.linked)
    .map(peer => ({ node: peer.node, reason: whyClosed(node, peer.node) }))
  const hasGroup =
    group !== null &&
    node.registry.whichScopes().some(scope => node.registry.scope(scope).members(group).length > 0)
  return limited(node.registry.digests(), (rows, truncated) => ({
    rows: rows.map(({ sinceMs, ...row }) => ({ ...row, forMs: Math.max(0, nowMs - sinceMs) })),
    notLinked,
    hasGroup,
    truncated,
  }))
}

/** What is held of an owner; of ourselves, only what the audience may see. */
function* held(node: ObservedNode, query: Query & { readonly op: 'held' }): Iterable<HeldMember> {
  const found = node.registry.held(text(query.scope), text(query.owner))
  const seesAll = query.audience === 'cluster' || query.owner !== node.name
  const groups = query.group === null ? (found?.groups() ?? []) : [text(query.group)]
  for (const group of groups) {
    if (!seesAll && !isPublished(node, group)) continue
    for (const { pid, times, meta } of found?.members(group)?.values() ?? [])
      yield { group, pid: pid.toString(), times, meta: meta === undefined ? '' : JSON.stringify(meta) }
  }
}

function questionOf(query: Query & { readonly op: 'history' }): HistoryQuestion {
  const { group, untilMs, sinceMs, owners } = query
  if (!Number.isFinite(untilMs) || !(sinceMs === null || Number.isFinite(sinceMs)))
    throw new TypeError(`answer query: not a time: ${untilMs}, ${sinceMs}`)
  return { group: text(group), untilMs, sinceMs, owners: owners?.map(text) ?? null }
}

/** Takes as many entries as an answer may carry, and whether there were more. */
function limited<T, Result>(
  entries: Iterable<T>,
  make: (some: readonly T[], truncated: boolean) => Result,
): Result {
  const some: T[] = []
  for (const entry of entries) {
    if (some.length === entriesMax) return make(some, true)
    some.push(entry)
  }
  return make(some, false)
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`answer query: not a text: ${typeof value}`)
  return value
}

function positive(value: unknown): number {
  if (typeof value !== 'number' || !(value > 0)) throw new TypeError(`answer query: not a duration: ${value}`)
  return value
}
