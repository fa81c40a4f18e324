/**
 * The router: from a target to one process, or to many, in one hop, with a counted fate.
 *
 * A target becomes a pid (`chooser.ts`); a pid becomes a frame on the link of its node, or an envelope handed over right
 * here (`dispatch.ts`). Nobody forwards but a node that has just handed a partition over, once (`forwarding.ts`): a message
 * for a node without a link goes nowhere. Hot: choosing allocates nothing; a cast allocates its payload at most. Invariant:
 * every message is in `counts` once where it is sent and once where it arrives. Source: R14 s28, routing just above pg2, all
 * messages single-hop; WhatsApp's `wa_raft_distribution`, `ok | noconnect | nosuspend`.
 */
import { type Ports, Sent } from '../transport/index.ts'
import type { Pid, Target } from './address.ts'
import { Answers } from './answers.ts'
import { Arrivals } from './arrivals.ts'
import { Calling, type CallOptions } from './calling.ts'
import { Calls } from './calls.ts'
import { Casting, type CastOptions } from './casting.ts'
import { Chooser } from './chooser.ts'
import { newMessageCounts } from './counts.ts'
import { Dispatch } from './dispatch.ts'
import type { Deliver } from './envelope.ts'
import { type Explanation, explain } from './explain.ts'
import { Forwarding } from './forwarding.ts'
import type { Gathered } from './gather.ts'
import { Greetings } from './greetings.ts'
import { Handovers } from './handovers.ts'
import { PeerKinds } from './kinds.ts'
import type { Link } from './link.ts'
import { type RoutingOptions, routingDefaults } from './options.ts'
import type { QueueOf } from './picks.ts'
import type { PartitionTable } from './placement.ts'
import type { Registry } from './registry.ts'
import { Sender } from './sender.ts'

export interface RouterOptions {
  /** This node's name and creation. */
  readonly node: string
  readonly creation: number
  readonly registry: Registry
  readonly ports: Pick<Ports, 'clock' | 'timers'>
  /** The link to a node, while there is one. */
  readonly linkTo: (node: string) => Link | undefined
  /** Hands an envelope to a local process; false when there is none, or it refused. Must not run its handler. */
  readonly deliver: Deliver
  /** Messages that wait for a local process; 0 for all unless told. */
  readonly queueLength?: (index: number, worker: number) => number
  /** The partitioned services by name, as configured now. */
  readonly services: () => ReadonlyMap<string, PartitionTable>
  readonly limits?: RoutingOptions
}

export class Router {
  /** Fates of messages, since the start. */
  readonly counts = newMessageCounts()
  readonly #options: RouterOptions
  readonly #calls: Calls
  readonly #chooser: Chooser
  readonly #casting: Casting
  readonly #calling: Calling
  readonly #sender = new Sender()
  readonly #handovers: Handovers
  readonly #peerKinds = new PeerKinds()
  readonly #greetings: Greetings
  readonly #arrivals: Arrivals
  #isStopped = false

  constructor(options: RouterOptions) {
    const { node, creation, registry, services, linkTo, deliver } = options
    const { clock, timers } = options.ports
    const limits = options.limits ?? routingDefaults
    const { counts } = this
    const sender = this.#sender
    const here = { ...limits, node, creation, clock, linkTo, deliver, services }
    this.#options = options
    this.#calls = new Calls(clock, timers, limits.sweepMs)
    this.#chooser = new Chooser({
      ...here,
      view: group => registry.view(group),
      queueLength: options.queueLength ?? (() => 0),
    })
    const count = (isAwaited: boolean) => {
      counts[isAwaited ? 'answers' : 'lateReplies'] += 1
    }
    const dispatch = new Dispatch(here, sender, {
      succeed: (reference, value) => count(this.#calls.succeed(reference, node, value)),
      fail: (reference, refusal, detail) => count(this.#calls.fail(reference, node, refusal, detail)),
    })
    this.#casting = new Casting(here, dispatch, sender, this.#peerKinds, counts)
    this.#calling = new Calling(here, this.#calls, this.#chooser, dispatch, counts)
    this.#handovers = new Handovers(here)
    this.#greetings = new Greetings({ timers, linkTo, retryMs: limits.retryMs }, sender)
    const ownerOf = (table: PartitionTable, partition: number) => this.#chooser.ownerOf(table, partition)
    this.#arrivals = new Arrivals(
      here,
      {
        calls: this.#calls,
        answers: new Answers(linkTo, sender, counts),
        forwarding: new Forwarding({ ...here, ownerOf }, this.#handovers, sender, counts),
        hints: this.#chooser.hints,
        peerKinds: this.#peerKinds,
        redirect: (reference, from, owner) => this.#calling.redirect(reference, from, owner),
      },
      counts,
    )
  }

  /** Calls that wait for an answer. */
  get pendingCalls(): number {
    return this.#calls.pending
  }

  /** What waits in front of a process, in bytes: all that the pick `least-queue` knows. */
  get queueOf(): QueueOf {
    return this.#chooser.queueOf
  }

  /**
   * Sends a message to one process and forgets it. Never waits; the answer says what is known at once: `ok` is "queued
   * for the peer" or "in the process's message queue", `nosuspend` "no room", `noconnect` "no link, no member, or no such
   * process any more". Throws a RoutingError `failed` only for a message that cannot be encoded: a bug.
   */
  cast(target: Target, message: unknown, options?: CastOptions): Sent {
    if (this.#isStopped) {
      this.counts.noconnect += 1
      return Sent.noconnect
    }
    return this.#casting.cast(target, this.#chooser.choose(target), message, options)
  }

  /**
   * Casts to every member, as often as it joined; returns how many casts were `ok`. The message is encoded once, and a node
   * with several members gets one frame, in which they are listed: exactly those that this node sees. One that has ended
   * meanwhile is counted as undelivered there; one that has just joined there is not reached.
   */
  castAll(group: string, message: unknown, options: CastOptions = {}): number {
    const { registry } = this.#options
    const members = registry.members(group)
    if (this.#isStopped) {
      this.counts.noconnect += members.length
      return 0
    }
    return this.#casting.castAll(group, members, registry.localMembers(group).length, message, options)
  }

  /**
   * Sends a message to one process and waits for its answer. Rejects with a RoutingError: `timeout`, `noconnect`,
   * `nosuspend`, `tooBig`, `no-member`, `noprocess`, `overload`, `failed`, `aborted` or `stopped`. After `timeout`, and
   * after a `noconnect` that came late, the message may have been handled. A call to a service whose partition has just
   * moved is sent once more, to the new owner: do not change its message before it is answered.
   */
  call(target: Target, message: unknown, options: CallOptions = {}): Promise<unknown> {
    return this.#calling.call(target, message, options)
  }

  /**
   * Asks every member of a group (once, however often it joined), or every one of `targets`. Resolves when all have
   * answered, and at the latest after `timeoutMs` or when the signal is aborted, with the answers that have come by then
   * and with who is missing and why. Rejects with a RoutingError `failed` only for a message that cannot be encoded.
   */
  gather(whom: string | readonly Target[], message: unknown, options: CallOptions = {}): Promise<Gathered> {
    const targets = typeof whom === 'string' ? [...new Set(this.#options.registry.members(whom))] : whom
    return this.#calling.gather(targets, message, options)
  }

  /** The process that a message to `target` would go to now. */
  choose(target: Target): Pid | undefined {
    return this.#chooser.choose(target)
  }

  /** Who would be chosen from here, from among whom, and why; for people. It takes nobody's turn. */
  explain(target: Target): Explanation {
    return explain(target, this.#options, this.#chooser)
  }

  /** The partition of a service's key; throws a RangeError for a service that is not configured. */
  partition(service: string, key: string): number {
    return this.#chooser.partition(service, key)
  }

  /**
   * A process of this node has left a group on purpose. If that is a partition's, what still comes for it once it has ended
   * is passed on to the new owner.
   */
  handedOver(group: string, pid: Pid): void {
    this.#handovers.add(group, pid)
  }

  /**
   * Takes a frame of channel `Channel.message`; `body` is not kept, unless it `isOwn`: in memory that is nobody else's. Whatever is wrong with
   * it is counted and ignored.
   */
  receive(link: Link, body: Uint8Array, isOwn = false): void {
    this.#arrivals.receive(link, body, isOwn)
  }

  /** A peer is linked: it is told which kinds of messages this version takes. */
  peerUp(link: Link): void {
    if (!this.#isStopped) this.#greetings.greet(link)
  }

  /** The link to a node is gone: no answer will come. */
  peerDown(link: Pick<Link, 'node'>): void {
    this.#calls.failAll(link.node, 'noconnect')
    this.#chooser.hints.forget(link.node)
    this.#handovers.forget(link.node)
    this.#greetings.forget(link.node)
  }

  /** Fails what is pending, and everything later. */
  stop(): void {
    this.#isStopped = true
    this.#greetings.stop()
    this.#calling.stop()
  }
}
