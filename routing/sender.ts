/**
 * Puts a header before a payload and hands both to a link.
 *
 * Hot: one scratch buffer serves every message, because links copy the header.
 */
import { Lane, type Sent } from '../transport/index.ts'
import type { Pid } from './address.ts'
import { ByteString, headBytesMax } from './byte-string.ts'
import type { Payload } from './codec.ts'
import { targetBytes, writeTargets } from './fanout.ts'
import { Channel, type Link } from './link.ts'
import { headerBytes, Kind, newHeader, writeHeader } from './message.ts'

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
    flags: number,
    target: Pid | undefined,
    from: Pid | undefined,
    reference: number,
    deadlineLeftMs: number,
    payload: Payload,
    deadlineMs?: number,
  ): Sent {
    const header = this.#header
    header.kind = kind
    header.flags = flags
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

  /** Tells a peer which kinds of messages this version takes. */
  sendKinds(link: Link, kindMax: number): Sent {
    const header = { ...newHeader(), kind: Kind.kinds, targetCreation: link.creation, targetIndex: kindMax }
    writeHeader(this.#view, header)
    return link.send(Channel.message, Lane.control, this.#fronts[0]!, undefined)
  }

  /** One cast for the `targets` from `start` to before `end`, all of them the link's node's. */
  fanOut(
    link: Link,
    lane: Lane,
    targets: readonly Pid[],
    start: number,
    end: number,
    from: Pid | undefined,
    payload: Payload,
  ): Sent {
    const header = this.#header
    header.kind = Kind.fanout
    header.flags = 0
    header.targetWorker = 0
    header.targetIndex = end - start
    header.targetCreation = link.creation
    header.sourceWorker = from ? from.worker : 0
    header.sourceIndex = from ? from.index : 0
    header.reference = 0
    header.deadlineLeftMs = 0
    writeHeader(this.#view, header)
    const headAt = headerBytes + (end - start) * targetBytes
    const front = new Uint8Array(headAt + headBytesMax)
    front.set(this.#fronts[0]!)
    writeTargets(front, headerBytes, targets, start, end)
    const isByteString = payload instanceof ByteString
    const length = headAt + (isByteString ? payload.writeHead(front, headAt) : 0)
    return link.send(Channel.message, lane, front.subarray(0, length), isByteString ? payload.bytes : payload)
  }
}
