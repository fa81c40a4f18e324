/**
 * What nodes hold of each other, beside what each owner says of itself. Pure.
 *
 * A view is one owner's members in one scope as one other node holds them. It is right when its digest is the owner's own, of the
 * audience that the holder belongs to. Two looks a moment apart tell a change that is under way from a difference that stays.
 */
import type { Topology } from '../../cluster-config/index.ts'
import type { ViewRow, Views } from './queries.ts'

/** A view, and what its owner says. */
export interface ViewPair {
  readonly scope: string
  readonly owner: string
  readonly holder: string
  readonly audience: ViewRow['audience']
  /** The owner's own row. */
  readonly own: ViewRow
  /** What the holder has; null for nothing. */
  readonly held: ViewRow | null
  /** Why there is no link, as the holder says; null while there is one. */
  readonly noLink: string | null
}

/** All views that can be compared. */
export interface Look {
  readonly owners: number
  readonly views: number
  readonly scopes: number
  readonly wrong: readonly ViewPair[]
}

const nothing = '0'.repeat(16)

/** Compares what nodes said at about the same time. */
export function compareViews(topology: Topology, answers: ReadonlyMap<string, Views>): Look {
  const wrong: ViewPair[] = []
  const owners = new Set<string>()
  const scopes = new Set<string>()
  let views = 0
  for (const [holder, said] of answers) {
    const rows = new Map(said.rows.map(row => [`${row.scope} ${row.node}`, row]))
    const noLinks = new Map(said.notLinked.map(({ node, reason }) => [node, reason]))
    for (const { name: owner } of topology.peersOf(holder)) {
      const isNear = topology.place(owner)?.cluster === topology.place(holder)?.cluster
      const audience = isNear ? 'cluster' : 'far'
      for (const own of answers.get(owner)?.rows ?? []) {
        const { scope } = own
        // A scope that the holder has not opened it need not know.
        if (own.node !== owner || own.audience !== audience || !rows.has(`${scope} ${holder}`)) continue
        const held = rows.get(`${scope} ${owner}`) ?? null
        owners.add(owner)
        scopes.add(scope)
        views += 1
        if (isRight(own, held)) continue
        wrong.push({ scope, owner, holder, audience, own, held, noLink: noLinks.get(owner) ?? null })
      }
    }
  }
  return { owners: owners.size, views, scopes: scopes.size, wrong }
}

/** Which of the views that are wrong at a second look stay so; the others are on their way. */
export function isLasting(pair: ViewPair, before: ViewPair | undefined): boolean {
  const { own, held } = pair
  // It was right a moment ago, so what differs has only just changed.
  if (!before) return false
  if (held?.digest === before.own.digest) return false
  if (held?.number === own.number && held.creation === own.creation) return true
  return held === null || held.number === before.held?.number
}

/** What is wrong with a view, for people. */
export function whyWrong({ own, held, noLink }: ViewPair): string {
  const link = noLink === null ? '' : `no link (${noLink}), `
  if (held === null) return noLink === null ? 'nothing heard' : `no link (${noLink})`
  if (held.creation !== own.creation) return `${link}of an earlier start`
  if (held.number < own.number) return `${link}behind by ${own.number - held.number}`
  if (held.number > own.number) return `${link}ahead by ${held.number - own.number}`
  return `${link}not what it was told`
}

function isRight(own: ViewRow, held: ViewRow | null): boolean {
  if (held === null) return own.digest === nothing
  return held.creation === own.creation && held.audience === own.audience && held.digest === own.digest
}
