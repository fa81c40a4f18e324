/**
 * Puts a header before a payload and hands both to a link.
 *
 * Hot: one scratch buffer serves every message, because links copy the header.
 */
import type { Lane, Sent } from '../transport/index.ts'
import type { Pid } from './address.ts'
import { ByteString, headBytesMax } from './byte-string.ts'
import { Channel, type Link } from './link.ts'
import { headerBytes, type Kind, newHeader, writeHeader } from './message.ts'

export class Sender {
  /** A header, and behind it the head of a byte string. */
  readonly #bytes = new Uint8Array(headerBytes + headBytesMax)
  /** The front of it, with a head of so many bytes. */
  readonly #fronts = Array.from({ length: headBytesMax + 1 }, (_, head) =>
    this.#bytes.subarray(0, headerBytes + head),
  )
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
    payload: Uint8Array | ByteString,
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
    const isByteString = payload instanceof ByteString
    const front = this.#fronts[isByteString ? payload.writeHead(this.#bytes, headerBytes) : 0]!
    return link.send(Channel.message, lane, front, isByteString ? payload.bytes : payload, deadlineMs)
  }
}
