/**
 * Calls: messages whose sender waits for the answer, from one process or from many.
 *
 * What waits is kept by `calls.ts`; here a call is sent, and sent once more when the process that was asked has handed its
 * partition over. Invariants: a call ends once; it was taken by one process at most; it is in the counts once for each time
 * that it was sent. Source: R14 s14, calls with timeouts only.
 */
import { type Clock, Sent, sentName } from '../transport/index.ts'
import type { Pid, Target } from './address.ts'
import { type Calls, callError } from './calls.ts'
import type { Chooser } from './chooser.ts'
import { encodeFor, type Payload } from './codec.ts'
import type { MessageCounts } from './counts.ts'
import type { Dispatch } from './dispatch.ts'
import type { RoutingError, RoutingErrorCode } from './error.ts'
import { type Asked, type Gathered, gather } from './gather.ts'
import { Flag, flagsOf } from './message.ts'

export interface CallOptions {
  /** How long to wait for the answer; 5,000 unless told. */
  readonly timeoutMs?: number | undefined
  /** The calling process, one of this node's. */
  readonly from?: Pid | undefined
  /** Ends the wait with `aborted`. */
  readonly signal?: AbortSignal | undefined
}

export interface CallingOptions {
  readonly node: string
  readonly clock: Clock
  readonly pendingCallsMax: number
}

const timeoutMsDefault = 5_000

export class Calling {
  readonly #options: CallingOptions
  readonly #calls: Calls
  readonly #chooser: Chooser
  readonly #dispatch: Dispatch
  readonly #counts: MessageCounts
  #isStopped = false

  constructor(
    options: CallingOptions,
    calls: Calls,
    chooser: Chooser,
    dispatch: Dispatch,
    counts: MessageCounts,
  ) {
    this.#options = options
    this.#calls = calls
    this.#chooser = chooser
    this.#dispatch = dispatch
    this.#counts = counts
  }

  call(target: Target, message: unknown, options: CallOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#call(target, this.#chooser.choose(target), message, undefined, options, resolve, reject)
    })
  }

  /** Asks all of `targets`, which are told apart by their place in the list. */
  async gather(targets: readonly Target[], message: unknown, options: CallOptions): Promise<Gathered> {
    const all = targets.map((target): Asked => ({ target, pid: this.#chooser.choose(target) }))
    const isFar = ({ pid }: Asked) => pid !== undefined && pid.node !== this.#options.node
    const far = all.find(isFar)
    const payload = far && encodeFor(far.target, message)
    this.#counts.gathers += 1
    // The far ones first: what a local process does with the message must not touch the encoded one.
    const gathered = await gather(all, isFar, ({ target, pid }, succeed, fail) =>
      this.#call(target, pid, message, payload, options, succeed, fail),
    )
    this.#counts.gathered += gathered.answers.length
    this.#counts.missing += gathered.missing.length
    return gathered
  }

  /**
   * Sends a refused call once more, to the process that its partition's former owner on `node` names; false when the refusal
   * stands.
   */
  redirect(reference: number, node: string, owner: Pid): boolean {
    const call = this.#calls.movable(reference, node)
    if (!call || !('service' in call.target)) return false
    const group = this.#chooser.groupOf(call.target)
    if (group === undefined || !this.#chooser.hints.learn(group, call.pid, owner)) return false
    const leftMs = call.deadlineMs - this.#options.clock.nowMs()
    if (leftMs <= 0 || !this.#chooser.isReachable(owner)) return false
    let payload: Payload | undefined
    try {
      payload = owner.node === this.#options.node ? undefined : encodeFor(call.target, call.again.message)
    } catch {
      // It could be encoded when it was sent first; somebody has changed it since.
      return false
    }
    const { message, from } = call.again
    this.#calls.move(reference, owner)
    this.#counts.redirected += 1
    this.#send(reference, owner, message, payload, from, Flag.toOwner, leftMs, call.deadlineMs)
    return true
  }

  stop(): void {
    this.#isStopped = true
    this.#calls.stop()
  }

  /** Sends a call, or fails it at once. `given` is the encoded message, where that is done already. */
  #call(
    target: Target,
    pid: Pid | undefined,
    message: unknown,
    given: Payload | undefined,
    options: CallOptions,
    resolve: (value: unknown) => void,
    reject: (error: RoutingError) => void,
  ): void {
    const { timeoutMs = timeoutMsDefault, from, signal } = options
    const code = this.#obstacle(pid, timeoutMs, signal)
    if (code || !pid) {
      reject(callError(target, code ?? 'no-member'))
      return
    }
    const isHere = pid.node === this.#options.node
    // Before the call is pending, because it may throw.
    const payload = isHere ? undefined : (given ?? encodeFor(target, message))
    const deadlineMs = this.#options.clock.nowMs() + timeoutMs
    const flags = flagsOf(target)
    const again = flags !== 0 && !isHere ? { message, from } : undefined
    const reference = this.#calls.open({ pid, target, deadlineMs, signal, again }, resolve, reject)
    this.#send(reference, pid, message, payload, from, flags, timeoutMs, deadlineMs)
  }

  /** Why a call cannot be sent, counted. */
  #obstacle(
    pid: Pid | undefined,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): RoutingErrorCode | undefined {
    if (this.#isStopped) return 'stopped'
    if (signal?.aborted) return 'aborted'
    if (!pid) {
      this.#counts.noMember += 1
      this.#counts.noconnect += 1
      return 'no-member'
    }
    if (!(timeoutMs > 0)) {
      this.#counts.expired += 1
      return 'timeout'
    }
    if (this.#calls.pending >= this.#options.pendingCallsMax) {
      this.#counts.overload += 1
      return 'overload'
    }
    if (this.#chooser.isReachable(pid)) return undefined
    this.#counts.noconnect += 1
    return this.#chooser.isFromOldStart(pid) ? 'noprocess' : 'noconnect'
  }

  #send(
    reference: number,
    pid: Pid,
    message: unknown,
    payload: Payload | undefined,
    from: Pid | undefined,
    flags: number,
    leftMs: number,
    deadlineMs: number,
  ): void {
    const sent = payload
      ? this.#dispatch.call(pid, payload, from, flags, reference, leftMs, deadlineMs)
      : this.#dispatch.callHere(pid, message, from, reference, deadlineMs)
    this.#counts[sentName(sent)] += 1
    if (sent !== Sent.ok) this.#calls.fail(reference, pid.node, codeOf(sent))
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
