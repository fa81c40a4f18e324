/**
 * Who a link reports to: the reception while its other end is a stranger, then that peer's rendezvous.
 */
import type { CloseReason } from './close-reason.ts'
import type { Greeting } from './greeting.ts'
import type { Refusal } from './handshake.ts'
import type { Link } from './link.ts'
import type { Lane } from './sent.ts'

/** Hears what becomes of a link. */
export interface LinkOwner {
  /** The other's greeting came; a reason to refuse it before its proof, if there is one. */
  screen(link: Link, remote: Greeting): Refusal | undefined
  /** An accepted link's dialler is proven: answer, now or soon, with {@link Link.admit} or {@link Link.refuse}. */
  proven(link: Link): void
  /** A dialled link is up. */
  opened(link: Link): void
  /** One message; `body` is only valid during the call, unless `isOwn`: then it lies in memory of its own. */
  message(link: Link, channel: number, lane: Lane, body: Uint8Array, isOwn: boolean): void
  /** A long message came, and there was no memory to keep it. */
  overflowed(link: Link, lane: Lane): void
  /** The other end's totals rose: `count` more messages of `lane` are known to have arrived. */
  confirmed(link: Link, lane: Lane, count: number): void
  /** The books of the two ends cannot both be right: a bug or a hostile node, never an accident on an ordered stream. */
  alarm(link: Link, detail: string): void
  /** The stream takes bytes again. */
  writable(link: Link): void
  /** Something was heard on a link that had been probed. */
  answered(link: Link): void
  /** `told`: the other end gave the reason. */
  closed(link: Link, reason: CloseReason, detail: string, told: boolean): void
  gone(link: Link): void
}
