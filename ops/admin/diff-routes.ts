/**
 * Who holds a wrong view of whom: every node's digests beside the owners' own.
 *
 *   GET /v1/diff[?group=]
 *
 *   look ── all equal ─▶ done
 *     └─ some differ ─ a moment ─▶ look again ─ what stays ─▶ ask owner and holder for their members, and name the difference
 *
 * Bounded in time by what was asked for, and in the second step by `namedMax` views: lists travel for views that differ only.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ObservedNode } from '../observed-node.ts'
import type { Gathered, Gatherer, Missing } from './gather.ts'
import type { HeldMember, Views } from './queries.ts'
import { type Document, RequestError } from './routes.ts'
import { compareViews, isLasting, type Look, type ViewPair, whyWrong } from './views.ts'

/** A view that is wrong. */
export interface WrongView {
  readonly scope: string
  readonly owner: string
  readonly holder: string
  /** True for one that stays, false for one that is on its way. */
  readonly lasting: boolean
  readonly why: string
  /** The holder has lost its link with the owner, and keeps the members for a while. */
  readonly suspect: boolean
  /** Number and digest: of the owner, and of what is held. */
  readonly own: { readonly number: number; readonly digest: string }
  readonly held: { readonly number: number; readonly digest: string } | null
  /** Wall time since when neither the owner's members nor the view of them has changed; it may have been wrong before. */
  readonly sinceMs: number
  /** Members that the owner has and the holder has not, and the other way round; null where they were not asked for, or were too many. */
  readonly missing: readonly HeldMember[] | null
  readonly tooMany: readonly HeldMember[] | null
}

/** See the file's head. */
export interface ViewDiff {
  readonly group: string | null
  readonly nodes: number
  readonly owners: number
  readonly views: number
  readonly scopes: number
  /** Views that differed at the first look and were right at the second. */
  readonly settled: number
  readonly wrong: readonly WrongView[]
}

/** How long between two looks, at most. */
const MOMENT_MS = 300
/** Views whose members are asked for. */
const namedMax = 64
/** Time is shared: two looks, a moment, and the members. */
const LOOK_SHARE = 0.3

export class DiffRoutes {
  readonly #node: ObservedNode
  readonly #gatherer: Gatherer

  constructor(node: ObservedNode, gatherer: Gatherer) {
    this.#node = node
    this.#gatherer = gatherer
  }

  /** @throws RequestError for a group in which nobody is, as far as all nodes know */
  async get(parameters: URLSearchParams, timeoutMs: number): Promise<Document<ViewDiff>> {
    const group = parameters.get('group')
    const lookMs = Math.ceil(timeoutMs * LOOK_SHARE)
    const first = await this.#gatherer.all({ op: 'digests', group }, lookMs)
    const missing = [...first.missing, ...cutOf(first)]
    const isKnown = group === null || [...first.answers.values()].some(({ hasGroup }) => hasGroup)
    const before = compareViews(this.#node.topology, first.answers)
    if (!isKnown && missing.length === 0 && before.wrong.length === 0)
      throw new RequestError(404, 'unknown-group', `no such group: "${group}"`)
    const wrong = before.wrong.length === 0 ? [] : await this.#stay(before, first, lookMs)
    const named = await this.#name(wrong, group, lookMs)
    const differing = group === null ? named : named.filter(isOfGroup)
    const settled = before.wrong.filter(pair => !wrong.some(other => isSame(pair, other))).length
    const { owners, views, scopes } = before
    const nodes = first.answers.size
    return {
      data: { group, nodes, owners, views, scopes, settled, wrong: differing },
      complete: missing.length === 0,
      missing,
    }
  }

  /** Looks again at what differs; whoever was silent is not waited for again. */
  async #stay(before: Look, first: Gathered<Views>, lookMs: number): Promise<(ViewPair & Lasting)[]> {
    await sleep(Math.min(MOMENT_MS, lookMs))
    const names = [...first.answers.keys()]
    const again = await Promise.all(
      names.map(name => this.#gatherer.one(name, { op: 'digests', group: null }, lookMs)),
    )
    const answers = new Map(again.flatMap(({ answers }) => [...answers]))
    return compareViews(this.#node.topology, answers).wrong.map(pair => ({
      ...pair,
      lasting: isLasting(
        pair,
        before.wrong.find(other => isSame(pair, other)),
      ),
    }))
  }

  /** Says which members differ, of the first views that stay wrong. */
  #name(
    wrong: readonly (ViewPair & Lasting)[],
    group: string | null,
    lookMs: number,
  ): Promise<readonly WrongView[]> {
    let left = namedMax
    return Promise.all(
      wrong.map(async pair => {
        const isNamed = (pair.lasting || group !== null) && left-- > 0
        const lists = isNamed ? await this.#lists(pair, group, lookMs) : { missing: null, tooMany: null }
        const { own, held, scope, owner, holder, lasting } = pair
        const forMs = Math.min(own.forMs, held?.forMs ?? own.forMs)
        return {
          ...{ scope, owner, holder, lasting, why: whyWrong(pair), suspect: held?.isSuspect ?? false },
          own: { number: own.number, digest: own.digest },
          held: held && { number: held.number, digest: held.digest },
          sinceMs: Math.round(this.#node.ports.clock.wallMs() - forMs),
          ...lists,
        }
      }),
    )
  }

  async #lists(
    { scope, owner, holder, audience }: ViewPair,
    group: string | null,
    lookMs: number,
  ): Promise<Pick<WrongView, 'missing' | 'tooMany'>> {
    const query = { op: 'held' as const, scope, owner, audience, group }
    const [theirs, ours] = await Promise.all(
      [owner, holder].map(async name => (await this.#gatherer.one(name, query, lookMs)).answers.get(name)),
    )
    if (!theirs || !ours || theirs.truncated || ours.truncated) return { missing: null, tooMany: null }
    return {
      missing: without(theirs.members, ours.members),
      tooMany: without(ours.members, theirs.members),
    }
  }
}

interface Lasting {
  readonly lasting: boolean
}

function isSame(one: ViewPair, other: ViewPair): boolean {
  return one.scope === other.scope && one.owner === other.owner && one.holder === other.holder
}

/** Asked about one group, a view counts unless it is known to be right there. */
function isOfGroup({ missing, tooMany }: WrongView): boolean {
  return missing === null || tooMany === null || missing.length > 0 || tooMany.length > 0
}

/** What stands in one list and not, just so, in the other. */
function without(some: readonly HeldMember[], others: readonly HeldMember[]): HeldMember[] {
  const known = new Set(others.map(textOf))
  return some.filter(member => !known.has(textOf(member)))
}

function textOf({ group, pid, times, meta }: HeldMember): string {
  return JSON.stringify([group, pid, times, meta])
}

function cutOf({ answers }: Gathered<Views>): Missing[] {
  return [...answers]
    .filter(([, { truncated }]) => truncated)
    .map(([node]) => ({ node, reason: 'truncated' }))
}
