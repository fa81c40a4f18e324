/**
 * What happens in a world, told to whoever wants to know: the checkers, and the count of rare events.
 *
 * Invariant: observers look and never touch; a run with other checkers has the same hash.
 */
import type { GroupEvent, Pid } from '../../routing/index.ts'
import type { Peer, Sent } from '../../transport/index.ts'
import type { SimNode } from './world/node.ts'
import type { World } from './world/world.ts'

/** One cast of a process, or one addressee of a `castAll`. */
export interface SimCast {
  readonly id: number
  readonly node: SimNode
  /** Sender, target and lane: casts of one stream keep their order. `undefined` for `castAll`. */
  readonly stream: string | undefined
  /** Which of its stream. */
  readonly number: number
  /** `undefined`: whoever owns the key of a service. */
  readonly target: Pid | undefined
  sent: Sent
}

export interface SimCall {
  readonly id: number
  readonly node: SimNode
  /** In the world's time. */
  readonly deadlineMs: number
  /** What the answer must be. */
  readonly value: number
}

/** How a call ended: with a value, or with a code of `RoutingError`. */
export type CallEnd = { readonly value: unknown } | { readonly code: string }

export interface Observer {
  readonly name: string
  started?(node: SimNode): void
  /** Crashed, or stopped in order. */
  ended?(node: SimNode): void
  /** Its loop stands still until then. */
  paused?(node: SimNode, untilMs: number): void
  up?(node: SimNode, peer: Peer): void
  /** `isOrderly`: with a goodbye, or because it was asked for. */
  down?(node: SimNode, peer: Peer, isOrderly: boolean): void
  /** A frame came up from the transport. */
  received?(node: SimNode, from: Peer, channel: number, body: Uint8Array): void
  membership?(node: SimNode, event: GroupEvent): void
  cast?(cast: SimCast): void
  handled?(node: SimNode, process: Pid, id: number, stream: string | undefined, number: number): void
  called?(call: SimCall): void
  asked?(node: SimNode, process: Pid, id: number): void
  callEnded?(call: SimCall, end: CallEnd): void
  /** After each event of a node. Throws a {@link Violation}. */
  step?(node: SimNode): void
  /** Now and then. Throws a {@link Violation}. */
  look?(world: World): void
  /** What the healthy core still lacks; `undefined` when it has come to rest as it should. */
  lacking?(world: World): string | undefined
}

/** A promise that was broken. */
export class Violation extends Error {
  readonly checker: string

  constructor(checker: string, detail: string) {
    super(`${checker}: ${detail}`)
    this.checker = checker
  }
}
