/**
 * Puts a header before a payload and hands both to a link.
 *
 * Hot: one scratch buffer serves every message, because links copy the header.
 */
import type { Lane, Sent } from '../transport/index.ts'
import type { Pid } from './address.ts'
import { LargeBytes } from './codec.ts'
import { Channel, type Link } from './link.ts'
import { headerBytes, type Kind, newHeader, writeHeader } from './message.ts'

export class Sender {
  readonly #bytes = new Uint8Array(headerBytes)
  readonly #view = new DataView(this.#bytes.buffer)
  readonly #header = newHeader()

  /**
   * `target` is `undefined` for answers, which find their caller by `reference`. A call's `deadlineMs` goes with it into the peer's queue,
   * so that what nobody waits for any more never leaves.
   */
  send(
    link: Link,
    lane: Lane,
    kind: Kind,
    target: Pid | undefined,
    from: Pid | undefined,
    reference: number,
    deadlineLeftMs: number,
    payload: Uint8Array | LargeBytes,
    deadlineMs?: number,
  ): Sent {
    const header = this.#header
    header.kind = kind
    header.targetWorker = target ? target.worker : 0
    header.targetIndex = target ? target.index : 0
    header.targetCreation = link.creation
    header.sourceWorker = from ? from.worker : 0
    header.sourceIndex = from ? from.index : 0
    header.reference = reference
    header.deadlineLeftMs = deadlineLeftMs
    writeHeader(this.#view, header)
    if (!(payload instanceof LargeBytes))
      return link.send(Channel.message, lane, this.#bytes, payload, deadlineMs)
    const bytes = Buffer.concat([this.#bytes, payload.head])
    return link.send(Channel.message, lane, bytes, payload.bytes, deadlineMs)
  }
}
