/**
 * From a process's address to a frame on its node's link, or to an envelope that is handed over right here.
 *
 * Hot: a message for this node is neither encoded nor copied; any other allocates its payload at most. Invariant: a frame
 * leaves only on a link to the very start of the node that the address is of.
 */
import { Lane, Sent } from '../transport/index.ts'
import type { Pid } from './address.ts'
import type { Payload } from './codec.ts'
import { type LocalCaller, LocalEnvelope } from './delivery.ts'
import type { Deliver } from './envelope.ts'
import type { Link } from './link.ts'
import { Kind } from './message.ts'
import type { Sender } from './sender.ts'

export interface DispatchOptions {
  readonly node: string
  readonly creation: number
  readonly linkTo: (node: string) => Link | undefined
  readonly deliver: Deliver
}

const u32Max = 0xffff_ffff

export class Dispatch {
  readonly #options: DispatchOptions
  readonly #sender: Sender
  readonly #localCaller: LocalCaller

  constructor(options: DispatchOptions, sender: Sender, localCaller: LocalCaller) {
    this.#options = options
    this.#sender = sender
    this.#localCaller = localCaller
  }

  /** The link to a process's node, if it leads to the start that the process is of. */
  linkTo(pid: Pid): Link | undefined {
    const link = this.#options.linkTo(pid.node)
    return link?.creation === pid.creation ? link : undefined
  }

  castHere(pid: Pid, message: unknown, from: Pid | undefined): Sent {
    const { node } = this.#options
    return this.#deliver(
      pid,
      new LocalEnvelope(message, from, node, Number.POSITIVE_INFINITY, this.#localCaller, 0),
    )
  }

  callHere(pid: Pid, message: unknown, from: Pid | undefined, reference: number, deadlineMs: number): Sent {
    const { node } = this.#options
    return this.#deliver(
      pid,
      new LocalEnvelope(message, from, node, deadlineMs, this.#localCaller, reference),
    )
  }

  cast(link: Link, pid: Pid, payload: Payload, from: Pid | undefined, lane: Lane, flags: number): Sent {
    return this.#sender.send(link, lane, Kind.cast, flags, pid, from, 0, 0, payload)
  }

  /** What waits in the peer's queue at `deadlineMs` never leaves; `leftMs` is the time until then. */
  call(
    pid: Pid,
    payload: Payload,
    from: Pid | undefined,
    flags: number,
    reference: number,
    leftMs: number,
    deadlineMs: number,
  ): Sent {
    const link = this.linkTo(pid)
    if (!link) return Sent.noconnect
    const left = Math.min(Math.ceil(leftMs), u32Max)
    return this.#sender.send(
      link,
      Lane.ordinary,
      Kind.call,
      flags,
      pid,
      from,
      reference,
      left,
      payload,
      deadlineMs,
    )
  }

  /** Hands an envelope to a process of this node. */
  #deliver(pid: Pid, envelope: LocalEnvelope): Sent {
    if (pid.creation !== this.#options.creation) return Sent.noconnect
    if (this.#options.deliver(pid.index, pid.worker, envelope)) return Sent.ok
    envelope.refuse('noprocess')
    return envelope.refusal === 'overload' ? Sent.nosuspend : Sent.noconnect
  }
}
