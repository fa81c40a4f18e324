/**
 * The two kinds of envelope: of a message that stays on its node, and of one that came over a link.
 *
 * A local message goes by reference, never encoded; a remote one was decoded as it came. Invariant: an envelope is
 * answered at most once, and only if it is a call.
 */
import { Pid } from './address.ts'
import type { Envelope, Refusal } from './envelope.ts'
import type { Link } from './link.ts'
import type { Header } from './message.ts'

/** Takes a local call's answer to its caller. */
export interface LocalCaller {
  succeed(reference: number, value: unknown): void
  fail(reference: number, refusal: Refusal, detail: string | undefined): void
}

export class LocalEnvelope implements Envelope {
  readonly message: unknown
  readonly from: Pid | undefined
  readonly fromNode: string
  readonly deadlineMs: number
  /** What the receiver said instead of taking it; also of casts, for the sender's result. */
  refusal: Refusal | undefined
  readonly #caller: LocalCaller
  /** 0 for casts. */
  readonly #reference: number
  #isAnswered = false

  constructor(
    message: unknown,
    from: Pid | undefined,
    fromNode: string,
    deadlineMs: number,
    caller: LocalCaller,
    reference: number,
  ) {
    this.message = message
    this.from = from
    this.fromNode = fromNode
    this.deadlineMs = deadlineMs
    this.refusal = undefined
    this.#caller = caller
    this.#reference = reference
  }

  get isCall(): boolean {
    return this.#reference !== 0
  }

  reply(value: unknown): void {
    if (this.#answer()) this.#caller.succeed(this.#reference, value)
  }

  refuse(refusal: Refusal, detail?: string): void {
    if (!this.#isAnswered) this.refusal = refusal
    if (this.#answer()) this.#caller.fail(this.#reference, refusal, detail)
  }

  /** True the first time, for a call. */
  #answer(): boolean {
    if (this.#isAnswered) return false
    this.#isAnswered = true
    return this.isCall
  }
}

/** Where the answer to a remote call goes. */
export interface ReturnAddress {
  readonly node: string
  readonly creation: number
  readonly reference: number
}

/** Takes a remote call's answer to its caller's node. */
export interface RemoteCaller {
  reply(to: ReturnAddress, value: unknown): void
  /** `owner` is the process that should have been asked, where it is known. */
  refuse(to: ReturnAddress, refusal: Refusal, detail: string | undefined, owner?: Pid): void
}

export class RemoteEnvelope implements Envelope, ReturnAddress {
  readonly node: string
  readonly creation: number
  readonly reference: number
  readonly deadlineMs: number
  readonly message: unknown
  readonly #sourceWorker: number
  readonly #sourceIndex: number
  readonly #caller: RemoteCaller
  #isAnswered = false

  /** `header` is read, not kept. */
  constructor(
    { node, creation }: Pick<Link, 'node' | 'creation'>,
    header: Readonly<Header>,
    deadlineMs: number,
    message: unknown,
    caller: RemoteCaller,
  ) {
    this.node = node
    this.creation = creation
    this.reference = header.reference
    this.deadlineMs = deadlineMs
    this.message = message
    this.#sourceWorker = header.sourceWorker
    this.#sourceIndex = header.sourceIndex
    this.#caller = caller
  }

  get isCall(): boolean {
    return this.reference !== 0
  }

  get fromNode(): string {
    return this.node
  }

  get from(): Pid | undefined {
    if (this.#sourceIndex === 0) return undefined
    return new Pid(this.node, this.creation, this.#sourceWorker, this.#sourceIndex)
  }

  reply(value: unknown): void {
    if (this.#answer()) this.#caller.reply(this, value)
  }

  refuse(refusal: Refusal, detail?: string): void {
    if (this.#answer()) this.#caller.refuse(this, refusal, detail)
  }

  /** Refuses a call of a process that is gone, and says who has its partition now. */
  turnAway(owner: Pid): void {
    if (this.#answer()) this.#caller.refuse(this, 'noprocess', 'its partition has moved', owner)
  }

  /** True once it was answered or, as a cast, refused: whoever did not take it has said why. */
  get isAnswered(): boolean {
    return this.#isAnswered
  }

  #answer(): boolean {
    if (this.#isAnswered) return false
    this.#isAnswered = true
    return this.isCall
  }
}
