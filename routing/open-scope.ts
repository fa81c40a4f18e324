/**
 * An open scope: what its users do with its groups, and what becomes of that.
 *
 * It keeps the scope, who listens, what this turn of the loop has touched, and what peers are to be told of that when the
 * turn ends. Invariant: what other nodes tell goes to the scope and to the listeners through here, in that order.
 */
import type { Pid } from './address.ts'
import { Audience } from './audience.ts'
import { Batch } from './batch.ts'
import { digestText, type Lanes } from './digest.ts'
import { AudienceKind, type Entry, isName, type Standing } from './exchange.ts'
import { GroupEvents, type MemberEars } from './group-events.ts'
import type { Groups, Snapshot } from './groups.ts'
import { type GroupListener, Listeners } from './listeners.ts'
import { type MemberMeta, metaOf, sameMeta } from './meta.ts'
import type { RoutingOptions } from './options.ts'
import type { DigestRow, MemberBefore, PeerEvent, RegistryEvents } from './registry-events.ts'
import { memberKey, type Roster } from './roster.ts'
import { type Holding, Scope, type ScopeOptions } from './scope.ts'
import type { View } from './view.ts'

export interface OpenScopeOptions extends ScopeOptions {
  /** Which start of this node. */
  readonly creation: number
  readonly limits: RoutingOptions
  /** Numbers of changes up to this one are used up. */
  readonly numbersFrom: number
  /** Whether far nodes may see a group. */
  readonly published: (group: string) => boolean
  readonly nowMs: () => number
  /** Runs something at the end of this turn of the loop. */
  readonly soon: (run: () => void) => void
  /** Called when own members have changed. */
  readonly changed: () => void
  readonly events: RegistryEvents
}

/** What a row for operators is made of; `digest` is that of what is really held. */
type Row = Pick<DigestRow, 'node' | 'creation' | 'members' | 'isSuspect' | 'sinceMs'> & {
  readonly standing: Standing
  readonly digest: Lanes
}

export class OpenScope implements Groups {
  readonly name: string
  #scope: Scope
  #isClosed = false
  readonly #options: OpenScopeOptions
  readonly #listeners: Listeners
  readonly #batch = new Batch()
  readonly #cluster: Audience
  /** Made when the first far peer asks. */
  #far: Audience | undefined
  /** Monotonic time of the last turn that changed own members. */
  #ownSinceMs: number

  constructor(name: string, options: OpenScopeOptions) {
    this.name = name
    this.#scope = new Scope(options)
    this.#options = options
    this.#ownSinceMs = options.nowMs()
    this.#listeners = new Listeners(options.soon)
    this.#cluster = this.#makeAudience(AudienceKind.cluster)
  }

  /** The members; nobody's once it is closed. */
  get scope(): Scope {
    return this.#scope
  }

  join(group: string, pid: Pid, meta?: MemberMeta): void {
    if (this.#isClosed) throw new Error(`join ${group}: the scope is closed: ${this.name}`)
    if (!this.#isOwn(pid))
      throw new TypeError(`join ${group}: only ${this.#options.node}'s own processes may: ${pid}`)
    const member = this.scope.own.find(group, memberKey(pid))
    if (!member && !isName(group))
      throw new TypeError(`join a group: its name must have 1 to 255 characters: ${group}`)
    const { nodeMembersMax } = this.#options.limits
    if (this.scope.own.size >= nodeMembersMax)
      throw new RangeError(`join ${group}: this node has ${nodeMembersMax} members already`)
    const before = member?.meta
    const said = meta === undefined ? before : metaOf(meta)
    this.#put(group, pid, member?.times ?? 0, before, (member?.times ?? 0) + 1, said)
  }

  leave(group: string, pid: Pid): boolean {
    const member = this.#isOwn(pid) ? this.scope.own.find(group, memberKey(pid)) : undefined
    if (!member) return false
    const { times, meta } = member
    this.#put(group, pid, times, meta, times - 1, times === 1 ? undefined : meta)
    return true
  }

  update(group: string, pid: Pid, meta: MemberMeta | undefined): boolean {
    const said = metaOf(meta)
    const member = this.#isOwn(pid) ? this.scope.own.find(group, memberKey(pid)) : undefined
    if (!member) return false
    this.#put(group, pid, member.times, member.meta, member.times, said)
    return true
  }

  leaveAll(pid: Pid): void {
    if (!this.#isOwn(pid)) return
    for (const group of this.scope.groupsOf(pid)) {
      // Whoever heard of the last one may have changed the next one.
      const member = this.scope.own.find(group, memberKey(pid))
      if (member) this.#put(group, pid, member.times, member.meta, 0, undefined)
    }
  }

  members(group: string): readonly Pid[] {
    return this.scope.members(group)
  }

  localMembers(group: string): readonly Pid[] {
    return this.scope.localMembers(group)
  }

  meta(group: string, pid: Pid): MemberMeta | undefined {
    return this.scope.meta(group, pid)
  }

  whichGroups(): string[] {
    return [...this.scope.groups()]
  }

  monitor(
    group: string | undefined,
    listener: GroupListener,
    first?: (snapshot: Snapshot) => void,
  ): () => void {
    const stop = this.#listeners.add(group, listener)
    first?.(this.#snapshot(group))
    return stop
  }

  /** The router's way to a group's members. */
  view(group: string): View | undefined {
    return this.scope.view(group)
  }

  /** Takes over how members of another node stand now. */
  apply(holding: Holding, entries: readonly Entry[]): void {
    this.#change({ node: holding.roster.node, creation: holding.creation }, events =>
      this.scope.apply(holding, entries, events),
    )
  }

  /** Puts what a node says now in the place of all that it said before. */
  replace(told: Roster, creation: number, standing: Standing): Holding {
    const { node } = told
    const replace = (events: MemberEars | undefined) => this.scope.replace(told, creation, standing, events)
    if (this.scope.holding(node)) return this.#change({ node, creation }, replace)
    return this.#told(ears => {
      const holding = replace(ears)
      this.#options.events.appeared?.({ node, creation, scope: this.name, members: told.size })
      return holding
    })
  }

  /** Forgets a node with all its members. */
  forget(node: string): void {
    const holding = this.scope.holding(node)
    if (!holding) return
    const { creation, roster } = holding
    this.#told(events => this.scope.remove(node, events))
    this.#options.events.forgot?.({ node, creation, scope: this.name, held: roster })
  }

  /** What peers of one kind are told. Only between turns. */
  audience(kind: AudienceKind): Audience {
    if (kind === AudienceKind.cluster) return this.#cluster
    this.#far ??= this.#makeAudience(AudienceKind.far)
    return this.#far
  }

  /** The audiences that are in use. */
  audiences(): readonly Audience[] {
    return this.#far ? [this.#cluster, this.#far] : [this.#cluster]
  }

  /** What this node tells of itself in this scope, and what it holds of others. */
  digests(): DigestRow[] {
    const { node, creation } = this.#options
    const { own } = this.scope
    const ours = this.audiences().map(({ standing }) => {
      const { digest } = standing
      const sinceMs = this.#ownSinceMs
      return this.#row({ node, creation, standing, digest, members: own.size, isSuspect: false, sinceMs })
    })
    const theirs = Array.from(this.scope.holdings(), holding => {
      const { node, digest, size: members } = holding.roster
      return this.#row({ ...holding, node, digest, members })
    })
    return [...ours, ...theirs]
  }

  /** Tells the monitors that everybody leaves; none of them hears more, and nobody joins any more. */
  close(): void {
    const closed = this.#scope
    this.#isClosed = true
    this.#scope = new Scope(this.#options)
    const groups = [...closed.groups()]
    this.#listeners.tell(groups.map(group => ({ kind: 'leave', group, pids: closed.members(group) })))
    this.#listeners.clear()
    const { events, node, creation } = this.#options
    events.forgot?.({ node, creation, scope: this.name, held: closed.own })
    for (const { roster, creation } of closed.holdings())
      events.forgot?.({ node: roster.node, creation, scope: this.name, held: roster })
  }

  /** Numbers what this turn changed. */
  endTurn(): void {
    if (this.#batch.isEmpty) return
    const touches = this.#batch.net(this.scope.own)
    if (touches.length > 0) this.#ownSinceMs = this.#options.nowMs()
    for (const audience of this.audiences()) audience.endTurn(touches)
    if (touches.length === 0) return
    const { events, node, creation } = this.#options
    events.changed?.({ node, creation, scope: this.name, before: touches })
  }

  /** Makes a change of another node's members, and tells everybody of it. */
  #change<Result>(of: PeerEvent, run: (ears: MemberEars | undefined) => Result): Result {
    const { events } = this.#options
    if (!events.changed) return this.#told(run)
    const before: MemberBefore[] = []
    return this.#told(told => {
      const result = run({
        note(group, pid, times, timesAfter, isUpdated) {
          before.push({ group, pid, times })
          told?.note(group, pid, times, timesAfter, isUpdated)
        },
      })
      // Before the monitors, of which one may close the scope.
      if (before.length > 0) events.changed?.({ ...of, scope: this.name, before })
      return result
    })
  }

  /** Makes a change of the scope, and tells the listeners of it. */
  #told<Result>(run: (ears: MemberEars | undefined) => Result): Result {
    const events = this.#listeners.any ? new GroupEvents() : undefined
    const result = run(events)
    if (events) this.#listeners.tell(events.all)
    return result
  }

  #put(
    group: string,
    pid: Pid,
    times: number,
    meta: MemberMeta | undefined,
    timesNow: number,
    metaNow: MemberMeta | undefined,
  ): void {
    if (times === timesNow && sameMeta(meta, metaNow)) return
    const touch = { group, pid, times, meta }
    this.scope.putOwn(group, pid, timesNow, metaNow, times === 0)
    this.#batch.add(touch)
    this.#far?.changed(touch)
    this.#options.changed()
    if (this.#listeners.any) {
      const events = new GroupEvents()
      events.note(group, pid, times, timesNow, !sameMeta(meta, metaNow))
      this.#listeners.tell(events.all)
    }
  }

  #isOwn(pid: Pid): boolean {
    return pid.node === this.#options.node && pid.creation === this.#options.creation
  }

  #snapshot(group: string | undefined): Snapshot {
    const groups = group === undefined ? this.scope.groups() : this.scope.view(group) ? [group] : []
    return new Map(Array.from(groups, each => [each, this.scope.members(each)] as const))
  }

  #row({ node, creation, standing, digest, members, isSuspect, sinceMs }: Row): DigestRow {
    return {
      scope: this.name,
      node,
      creation,
      audience: standing.audience === AudienceKind.cluster ? 'cluster' : 'far',
      number: standing.number,
      digest: digestText(digest),
      members,
      isSuspect,
      sinceMs,
    }
  }

  #makeAudience(kind: AudienceKind): Audience {
    const { limits, numbersFrom, published } = this.#options
    return new Audience({ kind, scope: this.name, own: this.scope.own, limits, numbersFrom, sees: published })
  }
}
