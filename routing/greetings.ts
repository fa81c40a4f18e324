/**
 * Says to every peer which kinds of messages this node takes, each time that its link comes up, until the link takes it.
 *
 * What a link took may be lost with it, and the peer may never have read it: so what was said once counts for that link only.
 * Invariant: one timer at most, and only while a peer's full queue refuses the frame.
 */
import { Sent, type TimerHandle, type Timers } from '../transport/index.ts'
import type { Link } from './link.ts'
import { kindMax } from './message.ts'
import type { Sender } from './sender.ts'

export interface GreetingsOptions {
  readonly timers: Timers
  /** The link to a node, while there is one. */
  readonly linkTo: (node: string) => Link | undefined
  /** How long a peer that refused is left alone. */
  readonly retryMs: number
}

export class Greetings {
  readonly #options: GreetingsOptions
  readonly #sender: Sender
  /** Nodes whose link has refused, to be told again. */
  readonly #refused = new Set<string>()
  #retry: TimerHandle

  constructor(options: GreetingsOptions, sender: Sender) {
    this.#options = options
    this.#sender = sender
  }

  greet(link: Link): void {
    this.#refused.delete(link.node)
    if (this.#sender.sendKinds(link, kindMax) === Sent.ok) return
    this.#refused.add(link.node)
    this.#retrySoon()
  }

  /** The link to a node is gone; its next one begins anew. */
  forget(node: string): void {
    this.#refused.delete(node)
  }

  stop(): void {
    this.#options.timers.cancel(this.#retry)
    this.#retry = undefined
    this.#refused.clear()
  }

  #retrySoon(): void {
    const { timers, linkTo, retryMs } = this.#options
    this.#retry ??= timers.after(retryMs, () => {
      this.#retry = undefined
      for (const node of [...this.#refused]) {
        const link = linkTo(node)
        if (link) this.greet(link)
        else this.forget(node)
      }
    })
  }
}
