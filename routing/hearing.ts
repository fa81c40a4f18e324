/**
 * What a peer tells of its own members: taken over, compared with its digests, and asked about where it differs.
 *
 * Invariant: nothing is believed beyond the peer's own members, and a difference from what the peer says of itself is asked about, at a
 * bounded rate, until there is none.
 */
import { Allowance } from './allowance.ts'
import {
  type ChangeFrame,
  type Entry,
  type Mark,
  type Standing,
  type SyncFrame,
  timesOf,
} from './exchange.ts'
import { Inbox } from './inbox.ts'
import type { OpenScope } from './open-scope.ts'
import type { RoutingOptions } from './options.ts'
import type {
  CutOffReason,
  Difference,
  PeerEvent,
  RegistryCounts,
  RegistryEvents,
} from './registry-events.ts'
import type { Holding } from './scope.ts'

/** What hearing needs of its conversation. */
export interface HearingHost {
  readonly limits: RoutingOptions
  readonly counts: RegistryCounts
  readonly events: RegistryEvents
  nowMs(): number
  /** Asks the peer about a scope, when this turn ends. */
  ask(scope: string): void
  /** Ends the link. */
  cutOff(reason: CutOffReason, detail: string): void
}

export class Hearing {
  readonly #peer: PeerEvent
  readonly #host: HearingHost
  readonly #inboxes = new Map<string, Inbox>()
  readonly #differences: Allowance

  constructor(peer: PeerEvent, host: HearingHost) {
    this.#peer = peer
    this.#host = host
    const { asksPerSecond, asksBurst } = host.limits
    this.#differences = new Allowance(asksPerSecond, asksBurst, host.nowMs())
  }

  opened(name: string): void {
    const { node, creation } = this.#peer
    this.#inboxes.set(name, new Inbox(node, creation, this.#host.limits.nodeMembersMax))
  }

  closed(name: string): void {
    this.#inboxes.delete(name)
  }

  /** The peer has told of a scope, one way or another; until then our question may have been lost. */
  isHeard(name: string): boolean {
    return this.#inboxes.get(name)!.isHeard
  }

  /** What is held of the peer, as far as a difference from there would set it right. */
  standing(open: OpenScope): Standing | undefined {
    const holding = this.holding(open)
    if (!holding || this.#inboxes.get(open.name)!.isCorrupt) return undefined
    return { ...holding.standing, digest: holding.roster.digest }
  }

  /** What is held of the peer. */
  holding(open: OpenScope): Holding | undefined {
    const holding = open.scope.holding(this.#peer.node)
    return holding?.creation === this.#peer.creation ? holding : undefined
  }

  /**
   * What taking over entries costs listeners and lists: how much more or less often each member is in than before, and 1 at
   * least. What is held is looked up only for members that are in several times.
   */
  costOf(open: OpenScope, entries: readonly Entry[]): number {
    const roster = this.holding(open)?.roster
    let cost = 0
    for (const entry of entries) {
      for (let at = 1; at < entry.length; at += 3) {
        const times = timesOf(entry[at + 2] as Mark)
        if (times <= 1) cost += 1
        else {
          const key = (entry[at] as number) * 0x1_0000_0000 + (entry[at + 1] as number)
          cost += Math.max(1, Math.abs(times - (roster?.find(entry[0], key)?.times ?? 0)))
        }
      }
    }
    return cost
  }

  /** Compares what is held with what the peer says that it is. */
  compare(open: OpenScope, { audience, number, digest }: Standing): void {
    const holding = this.#confirmed(open)
    const held = holding?.standing
    if (!holding || !held || held.audience !== audience || held.number < number) {
      this.#differ(open, 'behind', true)
    } else if (held.number > number) {
      const isNew = this.#inboxes.get(open.name)!.wrong === undefined
      this.#differ(open, 'went-back', true)
      if (isNew) this.#host.cutOff('numbers', `${open.name} went back from ${held.number} to ${number}`)
    } else if (!holding.roster.digest.equals(digest)) this.#differ(open, 'digest', true)
    else {
      this.#host.counts.agreed += 1
      this.#agreed(open, number)
    }
  }

  /** Gathers a part of a sync, which counts when it is whole and right. */
  takeSync(open: OpenScope, frame: SyncFrame): void {
    const { counts } = this.#host
    this.#confirmed(open)
    const gathered = this.#inboxes.get(open.name)!.gather(frame)
    if (gathered === 'more') return
    if (gathered === 'out-of-order') {
      counts.outOfOrder += 1
      this.#differ(open, 'damaged', false)
    } else if (gathered === 'too-many') this.#tooMany(open)
    else if (gathered === 'damaged') {
      counts.damaged += 1
      this.#differ(open, 'damaged', true)
    } else {
      counts.syncs += 1
      this.#inboxes.get(open.name)!.isCorrupt = false
      const holding = open.replace(gathered, this.#peer.creation, frame.standing)
      holding.sinceMs = this.#host.nowMs()
      this.#agreed(open, frame.standing.number)
    }
  }

  /** Takes over what changed, if it follows what is held. */
  takeChange(open: OpenScope, frame: ChangeFrame): void {
    const { counts, limits } = this.#host
    const holding = this.#confirmed(open)
    const { audience, from, to, digest, entries } = frame
    if (!holding || holding.standing.audience !== audience || from > holding.standing.number) {
      counts.gaps += 1
      this.#differ(open, 'gap', false)
    } else if (to <= holding.standing.number) counts.duplicates += 1
    else if (open.scope.sizeAfter(holding, entries, limits.nodeMembersMax) > limits.nodeMembersMax)
      this.#tooMany(open)
    else {
      counts.changes += 1
      open.apply(holding, entries)
      holding.standing = { audience, number: to, digest: digest ?? holding.roster.digest }
      holding.sinceMs = this.#host.nowMs()
      // A monitor may have closed the scope when it heard of this.
      if (!digest || this.holding(open) !== holding) return
      if (holding.roster.digest.equals(digest)) this.#agreed(open, to)
      else this.#differ(open, 'digest', false)
    }
  }

  #tooMany(open: OpenScope): void {
    const { counts, limits } = this.#host
    counts.overLimit += 1
    this.#host.cutOff('members', `more than ${limits.nodeMembersMax} members in ${open.name}`)
  }

  /** What is held of the peer; it has just said something of that scope. */
  #confirmed(open: OpenScope): Holding | undefined {
    this.#inboxes.get(open.name)!.isHeard = true
    const holding = this.holding(open)
    if (holding) holding.isConfirmed = true
    return holding
  }

  /** Asks about a difference; `again` also when a question about it is under way already. */
  #differ(open: OpenScope, why: Difference, again: boolean): void {
    const inbox = this.#inboxes.get(open.name)!
    const isNew = inbox.wrong === undefined
    // A question under way may have named the standing that has just been found wrong.
    const isWorse = why === 'digest' && !inbox.isCorrupt
    if (isWorse) inbox.isCorrupt = true
    if (!isNew && !again && !isWorse) return
    if (!this.#differences.take(1, this.#host.nowMs())) {
      this.#host.cutOff('numbers', `${open.name} still differs: ${why}`)
      return
    }
    inbox.wrong ??= why
    this.#host.counts.differences += 1
    if (isNew) this.#host.events.differed?.({ ...this.#peer, scope: open.name, why })
    this.#host.ask(open.name)
  }

  #agreed(open: OpenScope, number: number): void {
    const inbox = this.#inboxes.get(open.name)
    if (!inbox) return
    inbox.isCorrupt = false
    const why = inbox.wrong
    if (why === undefined) return
    inbox.wrong = undefined
    this.#host.counts.repairs += 1
    this.#host.events.repaired?.({ ...this.#peer, scope: open.name, why, number })
  }
}
