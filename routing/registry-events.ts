/**
 * What a registry counts, and what it tells whoever keeps a journal of it: plain data without a wall clock.
 */
import type { Touch } from './batch.ts'
import type { Roster } from './roster.ts'

/** Why a difference between an owner and what is held of it was noticed. */
export type Difference =
  /** Numbers are missing in between. */
  | 'gap'
  /** The owner is further, and nothing has come. */
  | 'behind'
  /** The same number, but another digest. */
  | 'digest'
  /** The owner says a smaller number than before. */
  | 'went-back'
  /** A sync whose parts do not make what its digest says, or do not follow each other. */
  | 'damaged'

/** Why a peer was cut off. */
export type CutOffReason =
  /** Bytes that are no frame of a kind that we know. */
  | 'garbage'
  /** Numbers that no honest owner gives. */
  | 'numbers'
  /** More members than `nodeMembersMax`. */
  | 'members'
  /** More bytes or members per second than anyone needs. */
  | 'flood'

/** Why a node's members are gone. */
export type GoneReason =
  /** The node said goodbye, or was removed. */
  | 'orderly'
  /** Its link did not come back within `graceMs`. */
  | 'grace'
  /** It has started anew. */
  | 'restarted'
  /** Its link came back, but it said nothing of the scope within `graceMs`. */
  | 'silent'

/** Whom it is about. */
export interface PeerEvent {
  readonly node: string
  readonly creation: number
}

/** A member of a group that stands otherwise now, and how often it was in the group before; 0 for one that was not. */
export type MemberBefore = Pick<Touch, 'group' | 'pid' | 'times'>

/** The members of one node in one scope, to be read. */
export type HeldMembers = Pick<Roster, 'size' | 'groups' | 'members'>

/** Ears for what happens to peers; all optional. Called after the fact; what they throw is thrown at the caller. */
export interface RegistryEvents {
  /** A link came up; `members` of the same start were still held. */
  linked?(event: PeerEvent & { readonly members: number }): void
  /** A link was lost; the members stay for `graceMs`. */
  suspected?(event: PeerEvent & { readonly members: number; readonly graceMs: number }): void
  /** A node's members were forgotten, in all scopes, or for `silent` in one. */
  gone?(event: PeerEvent & { readonly members: number; readonly why: GoneReason }): void
  /** What is held of a peer differs from what it says. */
  differed?(event: PeerEvent & { readonly scope: string; readonly why: Difference }): void
  /** And does no longer. */
  repaired?(
    event: PeerEvent & { readonly scope: string; readonly why: Difference; readonly number: number },
  ): void
  cutOff?(event: PeerEvent & { readonly reason: CutOffReason; readonly detail: string }): void
  /** Members of a node joined and left: of this node once per turn, of others as they tell it. `before` is the listener's. */
  changed?(event: PeerEvent & { readonly scope: string; readonly before: readonly MemberBefore[] }): void
  /** What a node told of a scope was taken over as a whole; nothing was held of it before. */
  appeared?(event: PeerEvent & { readonly scope: string; readonly members: number }): void
  /** All that was held of a node in a scope is forgotten at once; `held` does not change any more. */
  forgot?(event: PeerEvent & { readonly scope: string; readonly held: HeldMembers }): void
}

/** What one node holds of one owner in one scope, for operators. */
export interface DigestRow {
  readonly scope: string
  readonly node: string
  readonly creation: number
  /** Which of the owner's numberings this is. */
  readonly audience: 'cluster' | 'far'
  readonly number: number
  /** 16 hexadecimal digits. */
  readonly digest: string
  readonly members: number
  readonly isSuspect: boolean
  /** Monotonic time since which this is so. */
  readonly sinceMs: number
}

/** What happened to registry frames, since the start. */
export function newRegistryCounts() {
  return {
    sent: 0,
    refused: 0,
    received: 0,
    /** No frame, though of a kind that we know. */
    bad: 0,
    /** Of a kind that this version does not know. */
    unknownKind: 0,
    /** From a node without a link, or of another start of it. */
    stale: 0,
    unknownScope: 0,
    /** Changes of a node that has not synced, or that do not follow what is held of it. */
    gaps: 0,
    /** Changes that were known already. */
    duplicates: 0,
    /** Parts of a sync that did not follow. */
    outOfOrder: 0,
    /** Syncs whose digest was wrong. */
    damaged: 0,
    /** Frames that would go beyond `nodeMembersMax`. */
    overLimit: 0,
    /** Whole syncs taken. */
    syncs: 0,
    /** Frames of changes taken. */
    changes: 0,
    /** States that agreed with what is held. */
    agreed: 0,
    /** Differences noticed, whatever the reason; each is asked about. */
    differences: 0,
    /** Those that are over. */
    repairs: 0,
    /** Questions of peers that the difference answered; the others cost a whole sync. */
    resumes: 0,
    /** Peers whose link was lost and whose members stayed; and those whose members were forgotten after all. */
    suspected: 0,
    forgotten: 0,
    /** Peers cut off, by reason. */
    cutOffGarbage: 0,
    cutOffNumbers: 0,
    cutOffMembers: 0,
    cutOffFlood: 0,
  }
}

export type RegistryCounts = ReturnType<typeof newRegistryCounts>
