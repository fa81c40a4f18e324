/**
 * The router: from a target to one process, in one hop, with a counted fate.
 *
 * A target becomes a pid by the registry's ready-made views and the services' partition tables; a pid becomes a frame on
 * the link of its node, or an envelope handed over right here. Nobody forwards: a message for a node without a link goes
 * nowhere. Hot: choosing allocates nothing; a cast allocates its payload at most. Invariant: every message is in
 * `counts` once where it is sent and once where it arrives. Source: R14 s28, routing just above pg2, all messages
 * single-hop; WhatsApp's `wa_raft_distribution`, `ok | noconnect | nosuspend`.
 */
import { Lane, type Ports, Sent, sentName } from '../transport/index.ts'
import { describe, Pid, type Target } from './address.ts'
import { Answers } from './answers.ts'
import { Arrivals } from './arrivals.ts'
import type { ByteString } from './byte-string.ts'
import { Calls, callError } from './calls.ts'
import { encodePayload } from './codec.ts'
import { newMessageCounts } from './counts.ts'
import { type LocalCaller, LocalEnvelope } from './delivery.ts'
import type { Deliver } from './envelope.ts'
import { RoutingError, type RoutingErrorCode } from './error.ts'
import type { Link } from './link.ts'
import { Kind } from './message.ts'
import { type RoutingOptions, routingDefaults } from './options.ts'
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
  /** The partitioned services by name, as configured now. */
  readonly services: () => ReadonlyMap<string, PartitionTable>
  readonly limits?: RoutingOptions
}

export interface CastOptions {
  /** The sending process, one of this node's. */
  readonly from?: Pid | undefined
  /** `Lane.ordinary` unless told. */
  readonly lane?: Lane | undefined
}

export interface CallOptions {
  /** How long to wait for the answer; 5,000 unless told. */
  readonly timeoutMs?: number | undefined
  /** The calling process, one of this node's. */
  readonly from?: Pid | undefined
  /** Ends the wait with `aborted`. */
  readonly signal?: AbortSignal | undefined
}

const timeoutMsDefault = 5_000
const u32Max = 0xffff_ffff

export class Router {
  /** Fates of messages, since the start. */
  readonly counts = newMessageCounts()
  readonly #options: RouterOptions
  readonly #limits: RoutingOptions
  readonly #calls: Calls
  readonly #localCaller: LocalCaller
  readonly #sender = new Sender()
  readonly #arrivals: Arrivals
  #isStopped = false

  constructor(options: RouterOptions) {
    this.#options = options
    this.#limits = options.limits ?? routingDefaults
    this.#calls = new Calls(options.ports.clock, options.ports.timers, this.#limits.sweepMs)
    const answers = new Answers(options.linkTo, this.#sender, this.counts)
    this.#arrivals = new Arrivals(options, this.#calls, answers, this.counts)
    const count = (isAwaited: boolean) => {
      this.counts[isAwaited ? 'answers' : 'lateReplies'] += 1
    }
    this.#localCaller = {
      succeed: (reference, value) => count(this.#calls.succeed(reference, options.node, value)),
      fail: (reference, refusal, detail) => count(this.#calls.fail(reference, options.node, refusal, detail)),
    }
  }

  /** Calls that wait for an answer. */
  get pendingCalls(): number {
    return this.#calls.pending
  }

  /**
   * Sends a message to one process and forgets it. Never waits; the answer says what is known at once: `ok` is "queued
   * for the peer" or "in the process's message queue", `nosuspend` "no room", `noconnect` "no link, no member, or no such
   * process any more". Throws a RoutingError `failed` only for a message that cannot be encoded: a bug.
   */
  cast(target: Target, message: unknown, options?: CastOptions): Sent {
    const pid = this.choose(target)
    if (!pid) this.counts.noMember += 1
    const sent = pid && !this.#isStopped ? this.#cast(pid, message, undefined, options) : Sent.noconnect
    this.counts[sentName(sent)] += 1
    return sent
  }

  /** Casts to every member, as often as it joined; returns how many casts were `ok`. The message is encoded once. */
  castAll(group: string, message: unknown): number {
    const members = this.#isStopped ? [] : this.#options.registry.members(group)
    const local = this.#options.registry.localMembers(group).length
    const payload = local < members.length ? encodeFor({ group }, message) : undefined
    let count = 0
    // The far ones first: what a local process does with the message must not touch the encoded one.
    for (let index = members.length - 1; index >= 0; index--) {
      const sent = this.#cast(members[index]!, message, payload, undefined)
      this.counts[sentName(sent)] += 1
      if (sent === Sent.ok) count += 1
    }
    return count
  }

  /**
   * Sends a message to one process and waits for its answer. Rejects with a RoutingError: `timeout`, `noconnect`,
   * `nosuspend`, `tooBig`, `no-member`, `noprocess`, `overload`, `failed`, `aborted` or `stopped`. After `timeout`, and
   * after a `noconnect` that came late, the message may have been handled.
   */
  call(target: Target, message: unknown, options: CallOptions = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const code = this.#call(target, message, options, resolve, reject)
      if (code) reject(callError(target, code))
    })
  }

  /** The process that a message to `target` would go to now. */
  choose(target: Target): Pid | undefined {
    if (target instanceof Pid) return target
    if ('service' in target) {
      const table = this.#options.services().get(target.service)
      if (!table) return undefined
      const partition = table.partitionOf(target.key)
      const [primary, secondary] = table.owners(partition)
      return this.#options.registry.view(table.group(partition))?.pickOwner(primary, secondary)
    }
    const view = this.#options.registry.view(target.group)
    return target.key === undefined ? view?.pickNearest() : view?.pickByKey(target.key)
  }

  /** The partition of a service's key; throws a RangeError for a service that is not configured. */
  partition(service: string, key: string): number {
    const table = this.#options.services().get(service)
    if (!table) throw new RangeError(`partition of ${describe({ service, key })}: no such service`)
    return table.partitionOf(key)
  }

  /**
   * Takes a frame of channel `Channel.message`; `body` is not kept, unless it `isOwn`: in memory that is nobody else's. Whatever is wrong with
   * it is counted and ignored.
   */
  receive(link: Link, body: Uint8Array, isOwn = false): void {
    this.#arrivals.receive(link, body, isOwn)
  }

  /** The link to a node is gone: no answer will come. */
  peerDown(link: Pick<Link, 'node'>): void {
    this.#calls.failAll(link.node, 'noconnect')
  }

  /** Fails what is pending, and everything later. */
  stop(): void {
    this.#isStopped = true
    this.#calls.stop()
  }

  #cast(
    pid: Pid,
    message: unknown,
    payload: Uint8Array | ByteString | undefined,
    options: CastOptions | undefined,
  ): Sent {
    const { node } = this.#options
    const from = options?.from
    if (pid.node === node) {
      return this.#deliver(
        pid,
        new LocalEnvelope(message, from, node, Number.POSITIVE_INFINITY, this.#localCaller, 0),
      )
    }
    const link = this.#linkTo(pid)
    if (!link) return Sent.noconnect
    const lane = options?.lane ?? Lane.ordinary
    return this.#sender.send(link, lane, Kind.cast, pid, from, 0, 0, payload ?? encodeFor(pid, message))
  }

  /** The code to reject with at once, or `undefined` when the call is pending or has ended. */
  #call(
    target: Target,
    message: unknown,
    { timeoutMs = timeoutMsDefault, from, signal }: CallOptions,
    resolve: (value: unknown) => void,
    reject: (error: Error) => void,
  ): RoutingErrorCode | undefined {
    if (this.#isStopped) return 'stopped'
    if (signal?.aborted) return 'aborted'
    const pid = this.choose(target)
    if (!pid) {
      this.counts.noMember += 1
      this.counts.noconnect += 1
      return 'no-member'
    }
    if (!(timeoutMs > 0)) {
      this.counts.expired += 1
      return 'timeout'
    }
    if (this.#calls.pending >= this.#limits.pendingCallsMax) {
      this.counts.overload += 1
      return 'overload'
    }
    const { node, ports } = this.#options
    const deadlineMs = ports.clock.nowMs() + timeoutMs
    const isLocal = pid.node === node
    const link = isLocal ? undefined : this.#linkTo(pid)
    const isGone = isLocal ? pid.creation !== this.#options.creation : !link
    if (isGone) {
      this.counts.noconnect += 1
      return this.#isFromOldStart(pid) ? 'noprocess' : 'noconnect'
    }
    // Before the call is pending, because it may throw.
    const payload = link ? encodeFor(target, message) : undefined
    const reference = this.#calls.open({ node: pid.node, target, deadlineMs, signal }, resolve, reject)
    const leftMs = Math.min(Math.ceil(timeoutMs), u32Max)
    const sent =
      link && payload
        ? this.#sender.send(link, Lane.ordinary, Kind.call, pid, from, reference, leftMs, payload, deadlineMs)
        : this.#deliver(pid, new LocalEnvelope(message, from, node, deadlineMs, this.#localCaller, reference))
    this.counts[sentName(sent)] += 1
    if (sent !== Sent.ok) this.#calls.fail(reference, pid.node, codeOf(sent))
    return undefined
  }

  /** The link to a pid's node, if it leads to the start that the pid is of. */
  #linkTo(pid: Pid): Link | undefined {
    const link = this.#options.linkTo(pid.node)
    return link && link.creation === pid.creation ? link : undefined
  }

  #isFromOldStart(pid: Pid): boolean {
    const { node, creation, linkTo } = this.#options
    return pid.creation < (pid.node === node ? creation : (linkTo(pid.node)?.creation ?? 0))
  }

  /** Hands an envelope to a process of this node. */
  #deliver(pid: Pid, envelope: LocalEnvelope): Sent {
    if (pid.creation !== this.#options.creation) return Sent.noconnect
    if (this.#options.deliver(pid.index, pid.worker, envelope)) return Sent.ok
    envelope.refuse('noprocess')
    return envelope.refusal === 'overload' ? Sent.nosuspend : Sent.noconnect
  }
}

/** A message that cannot be encoded is the sender's bug, and its error says to whom it was to go. */
function encodeFor(target: Target, message: unknown): Uint8Array | ByteString {
  try {
    return encodePayload(message)
  } catch (error) {
    throw new RoutingError('failed', `send to ${describe(target)}`, `the message cannot be encoded: ${error}`)
  }
}

function codeOf(sent: Sent): RoutingErrorCode {
  switch (sent) {
    case Sent.nosuspend:
      return 'nosuspend'
    case Sent.tooBig:
      return 'tooBig'
    case Sent.expired:
      return 'timeout'
    default:
      return 'noconnect'
  }
}
