/**
 * What becomes of a message for a partition's owner whose process here is gone: the one case in which anybody forwards.
 *
 *   cast, owner here          delivered to it
 *   cast, owner elsewhere     passed on once, marked as forwarded, to its node; the sender's node is told the new owner
 *   call                      refused with the new owner's name: the caller's node asks there itself
 *   already forwarded, or no owner known, or no hand-over remembered: nobody takes it
 *
 * Invariants: nothing that was forwarded is forwarded again; a call is answered by whom it was sent to; a forwarded message
 * has no sender, for this node cannot vouch for another's process. Source: R14 s17, node-to-node forwarding.
 */
import { Lane, Sent } from '../transport/index.ts'
import type { Pid } from './address.ts'
import { encode } from './codec.ts'
import type { MessageCounts } from './counts.ts'
import type { RemoteEnvelope } from './delivery.ts'
import type { Deliver } from './envelope.ts'
import type { Handover, Handovers } from './handovers.ts'
import type { Link } from './link.ts'
import { Flag, type Header, Kind } from './message.ts'
import type { PartitionTable } from './placement.ts'
import type { Sender } from './sender.ts'

export interface ForwardingOptions {
  readonly node: string
  readonly deliver: Deliver
  readonly linkTo: (node: string) => Link | undefined
  /** The process that owns a partition now. */
  readonly ownerOf: (table: PartitionTable, partition: number) => Pid | undefined
}

export class Forwarding {
  readonly #options: ForwardingOptions
  readonly #handovers: Handovers
  readonly #sender: Sender
  readonly #counts: MessageCounts

  constructor(options: ForwardingOptions, handovers: Handovers, sender: Sender, counts: MessageCounts) {
    this.#options = options
    this.#handovers = handovers
    this.#sender = sender
    this.#counts = counts
  }

  /**
   * Takes a message that no process here took, and counts its fate; false when it is not for passing on. `payload` is not kept.
   */
  take(link: Link, header: Header, payload: Uint8Array, envelope: RemoteEnvelope): boolean {
    if ((header.flags & Flag.toOwner) === 0 || (header.flags & Flag.forwarded) !== 0) return false
    const handover = this.#handovers.of(header.targetWorker, header.targetIndex)
    const owner = handover && this.#options.ownerOf(handover.table, handover.partition)
    if (!owner || owner.equals(handover.pid)) return false
    if (header.kind === Kind.call) {
      this.#counts.undelivered += 1
      this.#counts.hinted += 1
      envelope.turnAway(owner)
      return true
    }
    if (!this.#passOn(owner, payload, envelope)) return false
    this.#hint(link, handover, owner)
    return true
  }

  #passOn(owner: Pid, payload: Uint8Array, envelope: RemoteEnvelope): boolean {
    if (owner.node === this.#options.node) {
      if (!this.#options.deliver(owner.index, owner.worker, envelope)) return false
      this.#counts.delivered += 1
      return true
    }
    const link = this.#options.linkTo(owner.node)
    if (link?.creation !== owner.creation) return false
    const flags = Flag.toOwner | Flag.forwarded
    // A copy, because a link may keep a large payload.
    const sent = this.#sender.send(
      link,
      Lane.ordinary,
      Kind.cast,
      flags,
      owner,
      undefined,
      0,
      0,
      new Uint8Array(payload),
    )
    if (sent === Sent.ok) this.#counts.forwarded += 1
    return sent === Sent.ok
  }

  /** Tells the sender's node once who owns the partition now. */
  #hint(link: Link, { group, pid, told }: Handover, owner: Pid): void {
    if (told.get(link.node)?.equals(owner)) return
    const payload = encode([group, String(owner)])
    const sent = this.#sender.send(link, Lane.control, Kind.moved, 0, undefined, pid, 0, 0, payload)
    if (sent !== Sent.ok) return
    told.set(link.node, owner)
    this.#counts.hinted += 1
  }
}
