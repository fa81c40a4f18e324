/**
 * What comes in from other nodes on the message channel: casts and calls for processes here, and answers for callers.
 *
 * Hot: a payload is looked over and decoded where it lies, not copied. Invariant: every frame ends in exactly one count, and whatever
 * its bytes are, nothing throws and nothing unreadable reaches a process. Source: OTP's bad_dist_structure.
 */
import type { Clock } from '../transport/index.ts'
import { type Answers, readRefusal } from './answers.ts'
import type { Calls } from './calls.ts'
import { decode } from './codec.ts'
import type { MessageCounts } from './counts.ts'
import { RemoteEnvelope, type ReturnAddress } from './delivery.ts'
import type { Deliver } from './envelope.ts'
import type { Link } from './link.ts'
import { type Header, headerBytes, Kind, newHeader, readHeader } from './message.ts'
import { wellFormed } from './wellformed.ts'

export interface ArrivalsOptions {
  /** Which start of this node; messages for another one are not taken. */
  readonly creation: number
  readonly ports: { readonly clock: Clock }
  readonly deliver: Deliver
}

export class Arrivals {
  readonly #options: ArrivalsOptions
  readonly #calls: Calls
  readonly #answers: Answers
  readonly #counts: MessageCounts
  /** Filled again for every frame. */
  readonly #header = newHeader()

  constructor(options: ArrivalsOptions, calls: Calls, answers: Answers, counts: MessageCounts) {
    this.#options = options
    this.#calls = calls
    this.#answers = answers
    this.#counts = counts
  }

  /** Takes one frame; `body` is not kept, unless it `isOwn`: in memory that is nobody else's. */
  receive(link: Link, body: Uint8Array, isOwn: boolean): void {
    const header = this.#header
    if (!readHeader(body, header) || (header.kind !== Kind.cast) !== (header.reference !== 0)) {
      this.#counts.bad += 1
      return
    }
    const payload = body.subarray(headerBytes)
    if (header.kind === Kind.reply || header.kind === Kind.refusal)
      this.#receiveAnswer(link, header, payload, isOwn)
    else this.#receiveMessage(link, header, payload, isOwn)
  }

  #receiveMessage(link: Link, header: Header, payload: Uint8Array, isOwn: boolean): void {
    const isCall = header.kind === Kind.call
    if (header.targetCreation !== this.#options.creation) {
      this.#counts.stale += 1
      if (isCall)
        this.#answers.refuse(callerOf(link, header), 'noprocess', 'it was of another start of its node')
      return
    }
    if (isCall && header.deadlineLeftMs === 0) {
      this.#counts.expiredOnArrival += 1
      return
    }
    if (!wellFormed(payload)) {
      this.#counts.malformed += 1
      if (isCall) this.#answers.refuse(callerOf(link, header), 'failed', 'the message cannot be read')
      return
    }
    const deadlineMs = isCall
      ? this.#options.ports.clock.nowMs() + header.deadlineLeftMs
      : Number.POSITIVE_INFINITY
    const envelope = new RemoteEnvelope(link, header, deadlineMs, decode(payload, isOwn), this.#answers)
    if (this.#options.deliver(header.targetIndex, header.targetWorker, envelope)) {
      this.#counts.delivered += 1
    } else {
      this.#counts.undelivered += 1
      envelope.refuse('noprocess')
    }
  }

  #receiveAnswer(
    link: Link,
    { kind, reference, targetCreation }: Header,
    payload: Uint8Array,
    isOwn: boolean,
  ): void {
    if (targetCreation !== this.#options.creation) {
      this.#counts.stale += 1
      return
    }
    if (!wellFormed(payload)) {
      this.#counts.malformed += 1
      this.#calls.fail(reference, link.node, 'failed', 'the answer cannot be read')
      return
    }
    const isAwaited =
      kind === Kind.reply
        ? this.#calls.succeed(reference, link.node, decode(payload, isOwn))
        : this.#calls.fail(reference, link.node, ...readRefusal(payload))
    if (isAwaited) this.#counts.answers += 1
    else this.#counts.lateReplies += 1
  }
}

function callerOf({ node, creation }: Link, { reference }: Header): ReturnAddress {
  return { node, creation, reference }
}
