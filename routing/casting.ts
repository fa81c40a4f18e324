/**
 * Casts: messages that nobody waits for, to one process or to every member of a group.
 *
 * Hot: a cast allocates its payload at most. Invariant: each cast is in the counts once for each process that it is for.
 * Source: R14 s14, cast unless data is wanted back.
 */
import { Lane, Sent, sentName } from '../transport/index.ts'
import type { Pid, Target } from './address.ts'
import { encodeFor, type Payload } from './codec.ts'
import type { MessageCounts } from './counts.ts'
import type { Dispatch } from './dispatch.ts'
import { runStart } from './fanout.ts'
import type { PeerKinds } from './kinds.ts'
import { flagsOf, Kind } from './message.ts'
import type { Sender } from './sender.ts'

export interface CastOptions {
  /** The sending process, one of this node's. */
  readonly from?: Pid | undefined
  /** `Lane.ordinary` unless told. */
  readonly lane?: Lane | undefined
}

export interface CastingOptions {
  readonly node: string
  readonly fanoutMembersMax: number
}

export class Casting {
  readonly #options: CastingOptions
  readonly #dispatch: Dispatch
  readonly #sender: Sender
  readonly #peerKinds: PeerKinds
  readonly #counts: MessageCounts

  constructor(
    options: CastingOptions,
    dispatch: Dispatch,
    sender: Sender,
    peerKinds: PeerKinds,
    counts: MessageCounts,
  ) {
    this.#options = options
    this.#dispatch = dispatch
    this.#sender = sender
    this.#peerKinds = peerKinds
    this.#counts = counts
  }

  /** Casts to the process that was chosen for `target`; `undefined` when there is none. */
  cast(target: Target, pid: Pid | undefined, message: unknown, options: CastOptions | undefined): Sent {
    if (!pid) this.#counts.noMember += 1
    const sent = pid ? this.#send(target, pid, message, options) : Sent.noconnect
    this.#counts[sentName(sent)] += 1
    return sent
  }

  /** Casts to all `members`, of which the first `local` are this node's; returns how many casts were `ok`. */
  castAll(
    group: string,
    members: readonly Pid[],
    local: number,
    message: unknown,
    options: CastOptions,
  ): number {
    const payload = local < members.length ? encodeFor({ group }, message) : undefined
    let count = 0
    // The far ones first: what a local process does with the message must not touch the encoded one.
    for (let end = members.length; payload && end > local; ) {
      const start = runStart(members, end, Math.max(local, end - this.#options.fanoutMembersMax))
      count += this.#sendRun(members, start, end, payload, options)
      end = start
    }
    for (let index = local - 1; index >= 0; index--) {
      const sent = this.#dispatch.castHere(members[index]!, message, options.from)
      this.#counts[sentName(sent)] += 1
      if (sent === Sent.ok) count += 1
    }
    return count
  }

  #send(target: Target, pid: Pid, message: unknown, options: CastOptions | undefined): Sent {
    if (pid.node === this.#options.node) return this.#dispatch.castHere(pid, message, options?.from)
    const link = this.#dispatch.linkTo(pid)
    if (!link) return Sent.noconnect
    const lane = options?.lane ?? Lane.ordinary
    return this.#dispatch.cast(link, pid, encodeFor(target, message), options?.from, lane, flagsOf(target))
  }

  /** Casts to some members of another node; returns how many casts were `ok`. */
  #sendRun(
    members: readonly Pid[],
    start: number,
    end: number,
    payload: Payload,
    { from, lane = Lane.ordinary }: CastOptions,
  ): number {
    const link = this.#dispatch.linkTo(members[start]!)
    if (link && end - start > 1 && this.#peerKinds.takes(link, Kind.fanout)) {
      const sent = this.#sender.fanOut(link, lane, members, start, end, from, payload)
      this.#counts[sentName(sent)] += end - start
      if (sent !== Sent.ok) return 0
      this.#counts.fannedOut += 1
      return end - start
    }
    let count = 0
    for (let index = start; index < end; index++) {
      const sent = link ? this.#dispatch.cast(link, members[index]!, payload, from, lane, 0) : Sent.noconnect
      this.#counts[sentName(sent)] += 1
      if (sent === Sent.ok) count += 1
    }
    return count
  }
}
