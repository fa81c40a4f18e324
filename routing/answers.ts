/**
 * Answers to calls, on their way back to the caller's node: replies with a value, refusals with a reason.
 *
 * An answer that cannot be sent is counted and lost; the caller's deadline ends its wait. Only a reply that can never be
 * sent (too big, or not encodable) becomes a refusal, so that the caller learns why.
 */
import { Lane, Sent } from '../transport/index.ts'
import { Pid } from './address.ts'
import { decode, encode, encodePayload, type Payload } from './codec.ts'
import type { MessageCounts } from './counts.ts'
import type { RemoteCaller, ReturnAddress } from './delivery.ts'
import type { Refusal } from './envelope.ts'
import type { Link } from './link.ts'
import { Kind } from './message.ts'
import type { Sender } from './sender.ts'

/** Characters of a refusal's text that travel. */
const detailLengthMax = 500

export class Answers implements RemoteCaller {
  readonly #linkTo: (node: string) => Link | undefined
  readonly #sender: Sender
  readonly #counts: MessageCounts

  constructor(linkTo: (node: string) => Link | undefined, sender: Sender, counts: MessageCounts) {
    this.#linkTo = linkTo
    this.#sender = sender
    this.#counts = counts
  }

  reply(to: ReturnAddress, value: unknown): void {
    let payload: Payload
    try {
      payload = encodePayload(value)
    } catch (error) {
      this.refuse(to, 'failed', `the reply cannot be encoded: ${String(error)}`)
      return
    }
    const sent = this.#send(to, Kind.reply, payload)
    if (sent === Sent.tooBig) this.refuse(to, 'failed', `the reply is too big: ${payload.length} bytes`)
    else if (sent !== Sent.ok) this.#counts.answersLost += 1
  }

  refuse(to: ReturnAddress, refusal: Refusal, detail: string | undefined, owner?: Pid): void {
    const fields = detail === undefined ? [refusal] : [refusal, detail.slice(0, detailLengthMax)]
    if (owner) fields.push(String(owner))
    if (this.#send(to, Kind.refusal, encode(fields)) !== Sent.ok) this.#counts.answersLost += 1
  }

  #send(to: ReturnAddress, kind: Kind, payload: Payload): Sent {
    const link = this.#linkTo(to.node)
    if (!link || link.creation !== to.creation) return Sent.noconnect
    return this.#sender.send(link, Lane.ordinary, kind, 0, undefined, undefined, to.reference, 0, payload)
  }
}

/** What a refusal says. */
export interface ReadRefusal {
  readonly refusal: Refusal
  readonly detail: string | undefined
  /** Who should have been asked instead. */
  readonly owner: Pid | undefined
}

/** Reads a refusal's payload. A reason that this version does not know counts as `failed`, and is told as the detail. */
export function readRefusal(payload: Uint8Array): ReadRefusal {
  const fields = decode(payload)
  const [reason, detail, owner]: unknown[] = Array.isArray(fields) ? fields : []
  const text = typeof detail === 'string' ? detail.slice(0, detailLengthMax) : undefined
  const pid = typeof owner === 'string' ? Pid.parse(owner) : undefined
  if (reason === 'noprocess' || reason === 'overload' || reason === 'failed') {
    return { refusal: reason, detail: text, owner: reason === 'noprocess' ? pid : undefined }
  }
  const other = typeof reason === 'string' ? reason.slice(0, detailLengthMax) : undefined
  return { refusal: 'failed', detail: text ?? other, owner: undefined }
}
