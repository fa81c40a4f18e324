/**
 * Who was in a group at a time, and what happened to it since: read back from the present.
 *
 *   members now ── undo the newest entry ── undo the next ── ... ── until ── ... ── since
 *
 * A node is the truth about its own members, as far back as its journal reaches; about others it says what it saw. Invariant:
 * nothing is made up: the answer says from which time on everything is there, and whose members are not known.
 */
import type { HeldMembers, PeerEvent, Pid } from '../../routing/index.ts'
import type { Journal, LinkEntry, MembersEntry } from './journal.ts'

/** What is asked. Times are wall times, milliseconds since 1970. */
export interface HistoryQuestion {
  readonly group: string
  /** Members are told as they were then. */
  readonly untilMs: number
  /** Events from then to `untilMs` are told, too; null for none. */
  readonly sinceMs: number | null
  /** Whose members, as they were seen from here; null for the node's own. */
  readonly owners: readonly string[] | null
}

/** A process that was a member. */
export interface PastMember {
  readonly scope: string
  readonly pid: string
  /** How often it had joined. */
  readonly times: number
  /** The link with its node was lost then. */
  readonly suspect: boolean
}

/** What happened to a node's members of the group. */
export interface PastChange {
  readonly number: number
  readonly atMs: number
  readonly scope: string
  readonly node: string
  readonly creation: number
  /** `appeared` and `forgot`: all at once, as others learn of them and lose them. */
  readonly kind: 'join' | 'leave' | 'appeared' | 'forgot'
  /** Of how many processes, each as often as it joined or left. */
  readonly count: number
  /** Which; fewer than `count` where an answer could not carry all. */
  readonly pids: readonly string[]
}

/** Plain data: it travels between nodes, so fields are only added. */
export interface HistoryAnswer {
  /** Which start of the node answers. */
  readonly creation: number
  /** When this start of the node began. */
  readonly startedAtMs: number
  /** Since when nothing is missing that was asked for. */
  readonly reachMs: number
  readonly linksReachMs: number
  readonly members: readonly PastMember[]
  /** Oldest first. */
  readonly changes: readonly PastChange[]
  readonly links: readonly LinkEntry[]
  /** Nodes whose members at that time are not known any more. */
  readonly unknown: readonly string[]
  /** There was more than an answer carries. */
  readonly truncated: boolean
}

/** What is needed of the registry. */
export interface Present {
  whichScopes(): readonly string[]
  held(scope: string, node: string): Pick<HeldMembers, 'members'> | undefined
}

/**
 * Answers from the journal of this start of a node.
 *
 * @param processesMax how many processes an answer names at most
 */
export function history(
  journal: Journal,
  present: Present,
  { node, creation }: PeerEvent,
  question: HistoryQuestion,
  processesMax: number,
): HistoryAnswer {
  const { group, untilMs, sinceMs, owners } = question
  const ring = owners ? journal.others : journal.own
  const past = new Past(group, owners && new Set(owners))
  for (const scope of present.whichScopes()) {
    for (const owner of owners ?? [node])
      past.start(scope, present.held(scope, owner)?.members(group)?.values() ?? [])
  }
  const floorMs = Math.min(sinceMs ?? untilMs, untilMs)
  const changes: PastChange[] = []
  let then: PastView | undefined
  for (const entry of ring.newestFirst()) {
    if (entry.atMs <= untilMs) then ??= past.view()
    if (entry.atMs <= floorMs) break
    const undone = past.undo(entry)
    if (then) changes.push(...undone)
  }
  const { members, unknown } = then ?? past.view()
  const suspects = owners ? suspectsAt(journal, untilMs) : new Set()
  const some = members.slice(0, processesMax).map(({ scope, pid, times }) => {
    return { scope, pid: String(pid), times, suspect: suspects.has(pid.node) }
  })
  const kept = cut(changes.slice(0, processesMax), processesMax - some.length)
  const links = sinceMs === null ? [] : linksBetween(journal, sinceMs, untilMs).slice(0, processesMax)
  return {
    creation,
    startedAtMs: journal.startedAtMs,
    reachMs: journal.reachMs(ring),
    linksReachMs: journal.reachMs(journal.links),
    members: some,
    changes: kept.toReversed(),
    links: links.toReversed(),
    unknown,
    truncated: some.length < members.length || kept.length < changes.length || links.length === processesMax,
  }
}

interface Standing {
  readonly scope: string
  readonly pid: Pid
  readonly times: number
}

interface PastView {
  readonly members: readonly Standing[]
  readonly unknown: readonly string[]
}

/** The members of a group while entries are undone. */
class Past {
  readonly #group: string
  /** Only these nodes count; null for all in the ring. */
  readonly #owners: ReadonlySet<string> | null
  readonly #members = new Map<string, Standing>()
  readonly #unknown = new Set<string>()

  constructor(group: string, owners: ReadonlySet<string> | null) {
    this.#group = group
    this.#owners = owners
  }

  start(scope: string, members: Iterable<{ readonly pid: Pid; readonly times: number }>): void {
    for (const { pid, times } of members) this.#put(scope, pid, times)
  }

  view(): PastView {
    return { members: [...this.#members.values()], unknown: [...this.#unknown] }
  }

  /** Takes an entry back; returns what it did to the group. */
  undo(entry: MembersEntry): PastChange[] {
    const { number, atMs, scope, node, creation } = entry
    if (this.#owners && !this.#owners.has(node)) return []
    const lists: Record<PastChange['kind'], string[]> = { join: [], leave: [], appeared: [], forgot: [] }
    if (entry.kind === 'changed') {
      for (const { group, pid, times } of entry.before) {
        if (group !== this.#group) continue
        const timesAfter = this.#put(scope, pid, times)
        for (let count = times; count < timesAfter; count++) lists.join.push(String(pid))
        for (let count = timesAfter; count < times; count++) lists.leave.push(String(pid))
      }
    } else if (entry.kind === 'appeared') {
      lists.appeared.push(...this.#clear(scope, node, creation))
      this.#unknown.delete(node)
    } else if (entry.held) {
      for (const { pid, times } of entry.held.members(this.#group)?.values() ?? []) {
        this.#put(scope, pid, times)
        lists.forgot.push(String(pid))
      }
    } else if (entry.members > 0) this.#unknown.add(node)
    return (['leave', 'join', 'appeared', 'forgot'] as const)
      .filter(kind => lists[kind].length > 0)
      .map(kind => ({
        number,
        atMs,
        scope,
        node,
        creation,
        kind,
        count: lists[kind].length,
        pids: lists[kind],
      }))
  }

  /** Sets how often a process is in; returns how often it was. */
  #put(scope: string, pid: Pid, times: number): number {
    const key = `${scope} ${pid}`
    const before = this.#members.get(key)?.times ?? 0
    if (times === 0) this.#members.delete(key)
    else this.#members.set(key, { scope, pid, times })
    return before
  }

  #clear(scope: string, node: string, creation: number): string[] {
    const cleared: string[] = []
    for (const [key, member] of this.#members) {
      if (member.scope !== scope || member.pid.node !== node || member.pid.creation !== creation) continue
      this.#members.delete(key)
      cleared.push(String(member.pid))
    }
    return cleared
  }
}

/** Nodes whose link was lost at a time, and whose members stayed. */
function suspectsAt(journal: Journal, atMs: number): ReadonlySet<string> {
  const suspects = new Set<string>()
  const seen = new Set<string>()
  for (const { kind, node, atMs: happenedMs } of journal.links.newestFirst()) {
    if (happenedMs > atMs || kind === 'link-down' || seen.has(node)) continue
    seen.add(node)
    if (kind === 'suspect') suspects.add(node)
  }
  return suspects
}

/** Newest first. */
function linksBetween(journal: Journal, sinceMs: number, untilMs: number): LinkEntry[] {
  const found: LinkEntry[] = []
  for (const entry of journal.links.newestFirst()) {
    if (entry.atMs <= sinceMs) break
    if (entry.atMs <= untilMs) found.push(entry)
  }
  return found
}

/** The same changes, naming no more processes than that. */
function cut(changes: readonly PastChange[], processesMax: number): PastChange[] {
  let left = processesMax
  return changes.map(change => {
    const pids = change.pids.slice(0, left)
    left -= pids.length
    return { ...change, pids }
  })
}
