/**
 * What the admin processes of two nodes say to each other: queries and answers, as values that travel between nodes.
 *
 * Two versions must understand each other: queries are only added, fields are only added, and a node that does not
 * know a query answers `unsupported`. A node answers for itself only; it is the truth about its own members.
 */
import type {
  DiversionReport,
  DiversionRule,
  HistoryAnswer,
  HistoryQuestion,
  ProcessTree,
} from '../../node/index.ts'
import type { DigestRow, Explanation, GroupTarget, ServiceTarget } from '../../routing/index.ts'
import type { PeerDetail, PeerRow } from '../peer-report.ts'
import type { Left, NodeDetail, NodeRow } from '../report.ts'
import type { Sample } from '../sample.ts'

/** The pid index at which every node's admin process is found, on worker 0. */
export const adminIndex = 1

/** Groups, members of one group, or peers, that an answer carries; beyond it the answer is said to be incomplete. */
export const entriesMax = 10_000

/** A node in the overview: its line, its links, the names of its groups. */
export interface Glance {
  readonly row: NodeRow
  readonly linked: number
  /** Peers that it should be linked with and is not, and why the last link ended. */
  readonly notLinked: readonly { readonly node: string; readonly reason: string }[]
  /** Groups with members on that node. */
  readonly groups: readonly GroupName[]
  readonly truncated: boolean
  readonly trouble: string | null
}

export interface GroupName {
  readonly scope: string
  readonly group: string
}

/** A group's members on one node. */
export interface GroupCount extends GroupName {
  readonly members: number
}

/** What is left of a drain. */
export interface DrainState {
  readonly state: string
  readonly left: Left
  /** Why the drain cannot be finished; the node stays, draining. */
  readonly failure: string | null
}

/** Every query, with what it is asked and what it answers. */
export interface Queries {
  readonly row: { readonly asked: object; readonly answer: NodeRow }
  readonly glance: { readonly asked: object; readonly answer: Glance }
  readonly detail: { readonly asked: object; readonly answer: NodeDetail }
  readonly sample: { readonly asked: object; readonly answer: Sample }
  readonly groups: {
    readonly asked: object
    readonly answer: { readonly groups: readonly GroupCount[]; readonly truncated: boolean }
  }
  readonly members: {
    readonly asked: { readonly group: string }
    readonly answer: { readonly members: readonly Member[]; readonly truncated: boolean }
  }
  readonly peers: {
    readonly asked: object
    readonly answer: { readonly rows: readonly PeerRow[]; readonly truncated: boolean }
  }
  /** One peer; null for a node that is none. */
  readonly peer: {
    readonly asked: { readonly peer: string }
    readonly answer: { readonly peer: PeerDetail | null }
  }
  /** Starts a drain, or finds it started. */
  readonly drain: { readonly asked: { readonly deadlineMs: number }; readonly answer: DrainState }
  readonly left: { readonly asked: object; readonly answer: DrainState }
  /** Puts a tee or a divert in force. */
  readonly divert: { readonly asked: { readonly rule: DiversionRule }; readonly answer: DiversionReport }
  readonly undivert: {
    readonly asked: { readonly id: string }
    readonly answer: { readonly removed: boolean }
  }
  readonly diversions: {
    readonly asked: object
    readonly answer: { readonly rules: readonly DiversionReport[] }
  }
  /** Whom a message would go to from the node, and why. */
  readonly explain: {
    readonly asked: { readonly target: GroupTarget | ServiceTarget }
    readonly answer: Explanation
  }
  /** What the node tells of itself and holds of others; and whether it knows of a group, where one is asked about. */
  readonly digests: { readonly asked: { readonly group: string | null }; readonly answer: Views }
  /** What the node holds of a node, itself included, that an audience may see; null for nothing. Of one group, or of all. */
  readonly held: {
    readonly asked: {
      readonly scope: string
      readonly owner: string
      readonly audience: DigestRow['audience']
      readonly group: string | null
    }
    readonly answer: { readonly members: readonly HeldMember[]; readonly truncated: boolean }
  }
  /** Who supervises what on the node. */
  readonly processes: { readonly asked: object; readonly answer: ProcessTree }
  /** What the node's journal has of a group. */
  readonly history: { readonly asked: HistoryQuestion; readonly answer: HistoryAnswer }
}

/** What a node tells of itself and holds of others. */
export interface Views {
  readonly rows: readonly ViewRow[]
  readonly notLinked: readonly { readonly node: string; readonly reason: string }[]
  readonly hasGroup: boolean
  readonly truncated: boolean
}

/** A digest; `forMs` is how long it has been as it is. */
export interface ViewRow extends Omit<DigestRow, 'sinceMs'> {
  readonly forMs: number
}

/** A member as somebody holds it. */
export interface HeldMember {
  readonly group: string
  readonly pid: string
  readonly times: number
  /** What it says of itself, as JSON; '' for nothing. */
  readonly meta: string
}

/** A member of a group. */
export interface Member {
  readonly scope: string
  readonly pid: string
  /** Whether nodes of other clusters see it. */
  readonly published: boolean
}

export type QueryName = keyof Queries
/** What travels: the query's name and what it is asked. */
export type Query = {
  readonly [Name in QueryName]: { readonly op: Name } & Queries[Name]['asked']
}[QueryName]
export type AnswerTo<Name extends QueryName> = Queries[Name]['answer']
