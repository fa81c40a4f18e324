/**
 * Accepted streams until they have said who they are. Then their peer's rendezvous takes over, or they are turned away.
 *
 * Invariant: at most `handshakesMax` accepted streams that were never up exist at once, each with at most one handshake frame of memory;
 * whatever they send, the node that listens is untouched.
 */
import type { CloseReason } from './close-reason.ts'
import type { Greeting } from './greeting.ts'
import type { Identity, Refusal } from './handshake.ts'
import type { Link } from './link.ts'
import type { LinkOwner } from './link-owner.ts'

/** What the reception asks of its mesh. */
export interface ReceptionHost {
  readonly identity: Identity
  /** Who takes over a node's links; `undefined` for a node that is not configured. */
  rendezvousOf(node: string): LinkOwner | undefined
  linkClosed(link: Link, node: string, reason: CloseReason, detail: string): void
  linkGone(link: Link): void
}

export class Reception implements LinkOwner {
  readonly #host: ReceptionHost

  constructor(host: ReceptionHost) {
    this.#host = host
  }

  screen(link: Link, remote: Greeting): Refusal | undefined {
    const { node, creation } = this.#host.identity
    // A second process under our own name hears so only after its proof, so that it can believe it. Reaching ourselves is no second process.
    if (remote.node === node && remote.creation !== creation) return undefined
    if (remote.target !== node)
      return { reason: 'wrong-name', detail: `dialled ${remote.target}, reached ${node}` }
    const rendezvous = this.#host.rendezvousOf(remote.node)
    if (rendezvous === undefined)
      return { reason: 'not-configured', detail: `${node} is not configured to talk to ${remote.node}` }
    link.owner = rendezvous
    return rendezvous.screen(link, remote)
  }

  proven(link: Link): void {
    const { node } = this.#host.identity
    link.refuse({ reason: 'duplicate-name', detail: `this node is ${node}, and alive` })
  }

  closed(link: Link, reason: CloseReason, detail: string): void {
    this.#host.linkClosed(link, link.remote?.node ?? '', reason, detail)
  }

  gone(link: Link): void {
    this.#host.linkGone(link)
  }

  // None of these can happen to a link that is not up.
  opened(): void {}
  message(): void {}
  overflowed(): void {}
  confirmed(): void {}
  alarm(): void {}
  writable(): void {}
  answered(): void {}
}
