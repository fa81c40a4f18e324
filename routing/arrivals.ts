/**
 * What comes in from other nodes on the message channel: casts and calls for processes here, and answers for callers.
 *
 * Hot: a payload is looked over and decoded where it lies, not copied. Invariant: every frame ends in exactly one count (one that is
 * fanned out in one for each process that it lists), and whatever its bytes are, nothing throws and nothing unreadable reaches a process. Source: OTP's bad_dist_structure.
 */
import type { Clock } from '../transport/index.ts'
import { Pid } from './address.ts'
import { type Answers, readRefusal } from './answers.ts'
import type { Calls } from './calls.ts'
import { decode } from './codec.ts'
import type { MessageCounts } from './counts.ts'
import { RemoteEnvelope, type ReturnAddress } from './delivery.ts'
import type { Deliver } from './envelope.ts'
import { indexAt, targetBytes, workerAt } from './fanout.ts'
import type { Forwarding } from './forwarding.ts'
import type { Hints } from './hints.ts'
import type { PeerKinds } from './kinds.ts'
import type { Link } from './link.ts'
import { type Header, hasReference, headerBytes, Kind, newHeader, readHeader } from './message.ts'
import { wellFormed } from './wellformed.ts'

export interface ArrivalsOptions {
  /** Which start of this node; messages for another one are not taken. */
  readonly creation: number
  readonly clock: Clock
  readonly deliver: Deliver
  readonly fanoutMembersMax: number
}

/** Whom what comes in concerns. */
export interface ArrivalsParts {
  readonly calls: Calls
  readonly answers: Answers
  readonly forwarding: Forwarding
  readonly hints: Hints
  readonly peerKinds: PeerKinds
  /** Sends a refused call to the process that its refusal names; false when the refusal stands. */
  readonly redirect: (reference: number, from: string, owner: Pid) => boolean
}

export class Arrivals {
  readonly #options: ArrivalsOptions
  readonly #parts: ArrivalsParts
  readonly #counts: MessageCounts
  /** Filled again for every frame. */
  readonly #header = newHeader()

  constructor(options: ArrivalsOptions, parts: ArrivalsParts, counts: MessageCounts) {
    this.#options = options
    this.#parts = parts
    this.#counts = counts
  }

  /** Takes one frame; `body` is not kept, unless it `isOwn`: in memory that is nobody else's. */
  receive(link: Link, body: Uint8Array, isOwn: boolean): void {
    const header = this.#header
    if (!readHeader(body, header) || hasReference(header.kind) !== (header.reference !== 0)) {
      this.#counts.bad += 1
      return
    }
    const payload = body.subarray(headerBytes)
    switch (header.kind) {
      case Kind.cast:
      case Kind.call:
        this.#receiveMessage(link, header, payload, isOwn)
        return
      case Kind.reply:
      case Kind.refusal:
        this.#receiveAnswer(link, header, payload, isOwn)
        return
      case Kind.fanout:
        this.#receiveFanout(link, header, payload, isOwn)
        return
      case Kind.moved:
        this.#receiveMoved(link, header, payload)
        return
      case Kind.kinds:
        this.#receiveKinds(link, header)
    }
  }

  #receiveMessage(link: Link, header: Header, payload: Uint8Array, isOwn: boolean): void {
    const { answers } = this.#parts
    const isCall = header.kind === Kind.call
    if (this.#isStale(header)) {
      this.#counts.stale += 1
      if (isCall) answers.refuse(callerOf(link, header), 'noprocess', 'it was of another start of its node')
      return
    }
    if (isCall && header.deadlineLeftMs === 0) {
      this.#counts.expiredOnArrival += 1
      return
    }
    if (!wellFormed(payload)) {
      this.#counts.malformed += 1
      if (isCall) answers.refuse(callerOf(link, header), 'failed', 'the message cannot be read')
      return
    }
    const deadlineMs = isCall ? this.#options.clock.nowMs() + header.deadlineLeftMs : Number.POSITIVE_INFINITY
    const envelope = new RemoteEnvelope(link, header, deadlineMs, decode(payload, isOwn), answers)
    if (this.#options.deliver(header.targetIndex, header.targetWorker, envelope)) {
      this.#counts.delivered += 1
    } else if (envelope.isAnswered || !this.#parts.forwarding.take(link, header, payload, envelope)) {
      this.#counts.undelivered += 1
      envelope.refuse('noprocess')
    }
  }

  /** The message of a fan-out is decoded once; its processes get the same one, as if it were of this node. */
  #receiveFanout(link: Link, header: Header, payload: Uint8Array, isOwn: boolean): void {
    const { deliver, fanoutMembersMax } = this.#options
    const listBytes = header.targetIndex * targetBytes
    if (header.targetIndex === 0 || header.targetIndex > fanoutMembersMax || listBytes > payload.length) {
      this.#counts.bad += 1
      return
    }
    if (this.#isStale(header)) {
      this.#counts.stale += header.targetIndex
      return
    }
    const encoded = payload.subarray(listBytes)
    if (!wellFormed(encoded)) {
      this.#counts.malformed += header.targetIndex
      return
    }
    const message = decode(encoded, isOwn)
    for (let at = 0; at < listBytes; at += targetBytes) {
      const envelope = new RemoteEnvelope(
        link,
        header,
        Number.POSITIVE_INFINITY,
        message,
        this.#parts.answers,
      )
      if (deliver(indexAt(payload, at), workerAt(payload, at), envelope)) this.#counts.delivered += 1
      else this.#counts.undelivered += 1
    }
  }

  #receiveAnswer(link: Link, header: Header, payload: Uint8Array, isOwn: boolean): void {
    const { calls } = this.#parts
    const { reference } = header
    if (this.#isStale(header)) {
      this.#counts.stale += 1
      return
    }
    if (!wellFormed(payload)) {
      this.#counts.malformed += 1
      calls.fail(reference, link.node, 'failed', 'the answer cannot be read')
      return
    }
    if (header.kind === Kind.reply) {
      this.#countAnswer(calls.succeed(reference, link.node, decode(payload, isOwn)))
      return
    }
    const { refusal, detail, owner } = readRefusal(payload)
    // Counted where the call is sent again.
    if (owner && this.#parts.redirect(reference, link.node, owner)) return
    this.#countAnswer(calls.fail(reference, link.node, refusal, detail))
  }

  #countAnswer(isAwaited: boolean): void {
    this.#counts[isAwaited ? 'answers' : 'lateReplies'] += 1
  }

  /** A process of the sender's has handed a partition over. */
  #receiveMoved({ node, creation }: Link, header: Header, payload: Uint8Array): void {
    if (this.#isStale(header)) {
      this.#counts.stale += 1
      return
    }
    if (!wellFormed(payload)) {
      this.#counts.malformed += 1
      return
    }
    const fields = decode(payload)
    const [group, text]: unknown[] = Array.isArray(fields) ? fields : []
    const owner = typeof text === 'string' ? Pid.parse(text) : undefined
    const gone = new Pid(node, creation, header.sourceWorker, header.sourceIndex)
    const isTaken = typeof group === 'string' && owner && this.#parts.hints.learn(group, gone, owner)
    this.#counts[isTaken ? 'hintsTaken' : 'hintsIgnored'] += 1
  }

  #receiveKinds(link: Link, header: Header): void {
    if (this.#isStale(header)) {
      this.#counts.stale += 1
      return
    }
    this.#parts.peerKinds.heard(link, header.targetIndex)
    this.#counts.kindsHeard += 1
  }

  #isStale({ targetCreation }: Header): boolean {
    return targetCreation !== this.#options.creation
  }
}

function callerOf({ node, creation }: Link, { reference }: Header): ReturnAddress {
  return { node, creation, reference }
}
