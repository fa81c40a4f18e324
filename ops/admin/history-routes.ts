/**
 * Who was in a group at a time, and what happened since: the journals of all nodes, merged.
 *
 *   GET /v1/history?group=&atMs=[&sinceMs=]
 *
 * Each owner is the truth about its own members. Only for owners that do not answer, or had not been started or do not remember,
 * are the others asked what they saw of them; they may have seen less than there was. Times are each node's own wall clock.
 */
import type { HistoryAnswer, PastChange, PastMember } from '../../node/index.ts'
import type { ObservedNode } from '../observed-node.ts'
import { isPublished } from './answer.ts'
import type { Gathered, Gatherer, Missing } from './gather.ts'
import { type Document, RequestError } from './routes.ts'

/** A process that was a member, and who says so. */
export interface PastMemberRow extends PastMember {
  readonly node: string
  readonly datacenter: string
  /** The owner itself, or the others that saw it. */
  readonly saidBy: readonly string[]
}

/** Something that happened: to members as their owner says, or as another saw it; or to a link at one of its ends. */
export interface PastEvent {
  readonly atMs: number
  /** Whose journal it is from, and in which order there. */
  readonly saidBy: string
  readonly number: number
  readonly kind: PastChange['kind'] | 'link-up' | 'link-down' | 'suspect' | 'gone'
  /** Whom it is about. */
  readonly node: string
  readonly scope: string | null
  readonly pids: readonly string[]
  readonly count: number
  readonly why: string
}

/** How far back a node's journal reaches. */
export interface Reach {
  readonly node: string
  readonly startedAtMs: number
  readonly reachMs: number
}

/** See the file's head. */
export interface GroupHistory {
  readonly group: string
  readonly atMs: number
  readonly sinceMs: number | null
  readonly members: readonly PastMemberRow[]
  /** Oldest first; empty unless `sinceMs` was given. */
  readonly events: readonly PastEvent[]
  readonly journals: readonly Reach[]
  /** Nodes whose members then nobody knows any more, and why. */
  readonly unknown: readonly { readonly node: string; readonly why: string }[]
}

/** The owners are asked first, and what is left goes to the others. */
const OWNERS_SHARE = 0.5

export class HistoryRoutes {
  readonly #node: ObservedNode
  readonly #gatherer: Gatherer

  constructor(node: ObservedNode, gatherer: Gatherer) {
    this.#node = node
    this.#gatherer = gatherer
  }

  /** @throws RequestError for a time that is none, or a group of which no node knows anything */
  async get(parameters: URLSearchParams, timeoutMs: number): Promise<Document<GroupHistory>> {
    const group = parameters.get('group') ?? ''
    const untilMs = timeOf(parameters, 'atMs')
    const sinceMs = parameters.has('sinceMs') ? timeOf(parameters, 'sinceMs') : null
    const question = { op: 'history' as const, group, untilMs, sinceMs }
    const own = await this.#gatherer.all({ ...question, owners: null }, timeoutMs * OWNERS_SHARE)
    const fromMs = Math.min(sinceMs ?? untilMs, untilMs)
    const gone = this.#node.topology.nodes
      .map(({ name }) => name)
      .filter(name => !reaches(own.answers.get(name), fromMs))
    const seen =
      gone.length === 0
        ? undefined
        : await this.#gatherer.all({ ...question, owners: gone }, timeoutMs * OWNERS_SHARE)
    const merged = new Merge(own, seen, gone, untilMs, (witness, owner) => this.#sees(witness, owner, group))
    const members = merged.members().map(row => ({
      ...row,
      datacenter: this.#node.topology.place(row.node)?.datacenter ?? '',
    }))
    const changes = sinceMs === null ? [] : merged.changes()
    const links = merged.links(new Set([...members, ...changes].map(({ node }) => node)))
    const data: GroupHistory = {
      ...{ group, atMs: untilMs, sinceMs, members },
      events: [...changes, ...links].sort((one, other) => one.atMs - other.atMs || one.number - other.number),
      journals: merged.journals(),
      unknown: merged.unknown(),
    }
    const missing = [...own.missing, ...merged.cut()]
    return { data, complete: missing.length === 0, missing }
  }

  /** Whether a node can have seen the group's members on another. */
  #sees(witness: string, owner: string, group: string): boolean {
    const { topology } = this.#node
    if (topology.place(witness)?.cluster === topology.place(owner)?.cluster) return true
    return isPublished(this.#node, group) && topology.peersOf(owner).some(({ name }) => name === witness)
  }
}

/** What owners said of themselves, and what others saw of those that did not, or not enough. */
class Merge {
  readonly #own: Gathered<HistoryAnswer>
  readonly #seen: Gathered<HistoryAnswer> | undefined
  /** Owners whose own word does not reach. */
  readonly #gone: ReadonlySet<string>
  readonly #untilMs: number
  /** Whether a node can have seen another's members. */
  readonly #sees: (witness: string, owner: string) => boolean

  constructor(
    own: Gathered<HistoryAnswer>,
    seen: Gathered<HistoryAnswer> | undefined,
    gone: readonly string[],
    untilMs: number,
    sees: (witness: string, owner: string) => boolean,
  ) {
    this.#own = own
    this.#seen = seen
    this.#gone = new Set(gone)
    this.#untilMs = untilMs
    this.#sees = sees
  }

  members(): Omit<PastMemberRow, 'datacenter'>[] {
    const rows: Omit<PastMemberRow, 'datacenter'>[] = []
    for (const [node, answer] of this.#own.answers) {
      if (!reaches(answer, this.#untilMs)) continue
      rows.push(...answer.members.map(member => ({ ...member, node, saidBy: [node] })))
    }
    const seen = new Map<string, Omit<PastMemberRow, 'datacenter'>>()
    for (const [witness, answer] of this.#seen?.answers ?? []) {
      if (!reaches(answer, this.#untilMs)) continue
      for (const member of answer.members) {
        const node = nodeOf(member.pid)
        if (reaches(this.#own.answers.get(node), this.#untilMs)) continue
        const key = `${member.scope} ${member.pid}`
        const before = seen.get(key)
        const saidBy = [...(before?.saidBy ?? []), witness]
        const suspect = member.suspect && (before?.suspect ?? true)
        seen.set(key, { ...member, node, saidBy, suspect })
      }
    }
    return [...rows, ...seen.values()].sort(
      (one, other) => compare(one.node, other.node) || compare(one.pid, other.pid),
    )
  }

  /** The owners' own word; for those that are gone, of one that saw most of it. */
  changes(): PastEvent[] {
    const events: PastEvent[] = []
    for (const [node, { changes }] of this.#own.answers) {
      for (const change of changes) events.push(eventOf(change, node))
    }
    for (const owner of this.#gone) {
      // What its present start did, it said itself.
      const present = this.#own.answers.get(owner)?.creation
      const ofOwner = Array.from(this.#seen?.answers ?? [], ([witness, { changes }]) =>
        changes
          .filter(({ node, creation }) => node === owner && creation !== present)
          .map(change => eventOf(change, witness)),
      )
      events.push(...ofOwner.reduce((best, some) => (some.length > best.length ? some : best), []))
    }
    return events
  }

  /** What happened to links with those who had members, as the others say. */
  links(owners: ReadonlySet<string>): PastEvent[] {
    return [...this.#own.answers].flatMap(([saidBy, { links }]) =>
      links
        .filter(({ node }) => owners.has(node))
        .map(({ atMs, number, kind, node, why, members }) => ({
          ...{ atMs, saidBy, number, kind, node, scope: null, pids: [], count: members ?? 0, why },
        })),
    )
  }

  journals(): Reach[] {
    return Array.from(this.#own.answers, ([node, { startedAtMs, reachMs }]) => ({
      node,
      startedAtMs,
      reachMs,
    }))
  }

  unknown(): { node: string; why: string }[] {
    const witnesses = [...(this.#seen?.answers ?? [])].filter(([, answer]) => reaches(answer, this.#untilMs))
    return [...this.#gone].flatMap(node => {
      const answer = this.#own.answers.get(node)
      if (reaches(answer, this.#untilMs)) return []
      const why = !answer
        ? 'no answer'
        : this.#untilMs < answer.startedAtMs
          ? 'started later'
          : 'its journal does not reach back that far'
      const others = witnesses.filter(
        ([name, { unknown }]) => name !== node && !unknown.includes(node) && this.#sees(name, node),
      )
      return others.length > 0 ? [] : [{ node, why: `${why}, and nobody else remembers` }]
    })
  }

  cut(): Missing[] {
    const answers = [...this.#own.answers, ...(this.#seen?.answers ?? [])]
    const cut = new Set(answers.filter(([, { truncated }]) => truncated).map(([node]) => node))
    return [...cut].map(node => ({ node, reason: 'truncated' }))
  }
}

/** Whether an answer has everything from a time on. */
function reaches(answer: HistoryAnswer | undefined, fromMs: number): boolean {
  return answer !== undefined && answer.reachMs <= fromMs
}

function eventOf({ atMs, number, kind, node, scope, pids, count }: PastChange, saidBy: string): PastEvent {
  return { atMs, saidBy, number, kind, node, scope, pids, count, why: '' }
}

function nodeOf(pid: string): string {
  return pid.slice(0, pid.indexOf('/'))
}

function timeOf(parameters: URLSearchParams, name: string): number {
  const text = parameters.get(name)
  const timeMs = Number(text)
  if (text === null || text === '' || !Number.isFinite(timeMs))
    throw new RequestError(400, 'bad-time', `not a time: ${name}=${text}`)
  return timeMs
}

function compare(one: string, other: string): number {
  return collator.compare(one, other)
}

const collator = new Intl.Collator('en', { numeric: true })
