/**
 * A connection: the process of one phone. Frames come in from its stream, casts come in from its user's mailbox.
 *
 * Life: unproven -> asking (accounts) -> attaching (mailbox) -> open -> leaving (told to go away) -> closed. Its parts
 * are made when they are first needed: a phone that has only logged in has no outbox.
 * Stream events run at once and not through the process's queue: no handler here waits for anything, so one runs at a
 * time either way, and a frame's bytes need no copy.
 * Invariants: nothing but register, confirm, login and bye is done for a phone that is not welcome; a closed connection
 * writes nothing; whatever a phone sends, at worst its own connection ends.
 */
import type { Pid, Target } from '../../routing/index.ts'
import type { Stream, StreamHandler } from '../../transport/index.ts'
import type { Log } from '../log.ts'
import { Server } from '../runtime/server.ts'
import type { ConfirmReply, RegisterReply, VerifyReply } from '../services/accounts/messages.ts'
import type { Deliver, DeliverReceipt, Level, SessionCast } from '../services/mailbox/messages.ts'
import { Attachment, type AttachmentEnvironment } from './attachment.ts'
import { deliverFrames } from './deliver.ts'
import { encodeFrame, FRAME_BYTES_MAX, FrameReader, type FrameSink } from './frames.ts'
import { Outbox, type OutboxEnvironment } from './outbox.ts'
import { type Flusher, Output } from './output.ts'
import {
  DEVICE_FACTOR,
  type GoAwayReason,
  type GotItem,
  isComplaint,
  type PhoneErrorCode,
  type PhoneMessage,
  readPhoneMessage,
  type ServerMessage,
  WINDOW,
} from './protocol.ts'
import { TokenBucket } from './token-bucket.ts'

/** What all connections of a node share. */
export interface ConnectionEnvironment extends OutboxEnvironment, AttachmentEnvironment {
  readonly node: string
  readonly log: Log
  readonly flusher: Flusher
  /** The phone is logged in. */
  proven(connection: Connection): void
  /** We closed our side; the stream is to be gone soon. */
  lingering(stream: Stream): void
  /** The connection has ended; `isStreamGone` when its stream has, too. */
  ended(connection: Connection, stream: Stream, isStreamGone: boolean): void
}

/** Frames other than sends are cheap; ten of them count as one. */
const SMALL_FRAME_COST = 0.1
/** Refusals after which a phone has nothing more to do here. */
const closing = new Set<PhoneErrorCode>([
  'frame-too-big',
  'bad-frame',
  'unexpected',
  'not-logged-in',
  'login-timeout',
  'bad-user',
  'unknown-user',
  'wrong-key',
  'too-many-tries',
  'unavailable',
  'rate',
])

type AccountsReply = RegisterReply | ConfirmReply | VerifyReply
type State = 'unproven' | 'asking' | 'attaching' | 'open' | 'leaving' | 'closed'

export class Connection extends Server<never, SessionCast> implements StreamHandler, FrameSink {
  /** Empty until the login. */
  user = ''
  device = 0
  sessionNumber = 0
  readonly #environment: ConnectionEnvironment
  readonly #stream: Stream
  readonly #output: Output
  readonly #reader: FrameReader
  readonly #bucket: TokenBucket
  #state: State = 'unproven'
  #attachment: Attachment | undefined
  #outbox: Outbox | undefined
  /** The lowest send that was refused for now: nothing behind it is taken before it comes again, or order would break. */
  #refused: { readonly seq: number; readonly code: PhoneErrorCode } | undefined

  constructor(environment: ConnectionEnvironment, stream: Stream) {
    super()
    const { options, clock } = environment
    this.#environment = environment
    this.#stream = stream
    this.#output = new Output(stream, environment.flusher, options.pendingBytesMax)
    this.#reader = new FrameReader(options.unprovenFrameBytesMax)
    this.#bucket = new TokenBucket(options.sendsBurst, clock.nowMs())
  }

  /** Texts of this phone without an answer. */
  get unanswered(): number {
    return this.#outbox?.length ?? 0
  }
  /** The mailbox process that it is attached to. */
  get owner(): Pid | undefined {
    return this.#attachment?.owner
  }

  // What the listener says.

  /** The login took too long. */
  loginTimedOut(): void {
    this.#refuse('login-timeout', 'no login in time')
  }

  /** Asks the phone to go elsewhere; what it has sent is finished, what it sends from now on is refused. */
  goAway(reason: GoAwayReason, retryAfterMs: number, alternatives: readonly string[]): void {
    if (this.#state === 'closed' || this.#state === 'leaving') return
    const isOpen = this.#state === 'open'
    this.#write({ t: 'go-away', reason, retryAfterMs: Math.floor(retryAfterMs), alternatives })
    if (isOpen && reason === 'drain') this.#state = 'leaving'
    else this.#close()
  }

  /** The owners of some mailbox partitions have changed; see {@link Attachment.recheck}. */
  recheckOwner(isOwnerGone: boolean): void {
    this.#attachment?.recheck(isOwnerGone)
  }

  /** Ends the connection; what is written leaves first. */
  close(): void {
    this.#close()
  }

  // What the stream says.

  onOpen(): void {}

  onData(bytes: Uint8Array): void {
    if (this.#state === 'closed') return
    try {
      const error = this.#reader.feed(bytes, this)
      if (error !== undefined) this.#refuse(error, 'a frame that cannot be read')
    } catch (error) {
      this.#failed(error)
    }
  }

  /** One frame, from the reader; false ends the reading. */
  takeFrame(frame: Uint8Array): boolean {
    this.#environment.stats.framesIn += 1
    const message = readPhoneMessage(frame)
    if (isComplaint(message)) this.#complain(message.code, message.detail, message.seq)
    else this.#handle(message)
    return this.#state !== 'closed'
  }

  onDrain(): void {
    this.#output.drained()
  }

  onClose(): void {
    this.#output.discard()
    this.#end(true)
  }

  // What the mailbox says.

  override handleCast(message: SessionCast): void {
    if (this.#state === 'closed' || this.#attachment === undefined) return
    if (message.op === 'deliver') this.#deliver(message)
    else if (message.op === 'receipt') this.#receipt(message)
    else if (message.op === 'replaced') this.replaced()
  }

  override terminate(): void {
    this.#close()
  }

  // What attachment and outbox say.

  ask(target: Target, message: unknown): Promise<unknown> {
    return this.context.call(target, message, { timeoutMs: this.#environment.options.callTimeoutMs })
  }

  attached(): void {
    this.#welcome()
  }

  /** A mailbox that cannot be reached is no reason to send the phone away: it can write to others meanwhile. */
  attachFailed(): void {
    this.#welcome()
  }

  replaced(): void {
    this.goAway('replaced', 0, [])
    this.#close()
  }

  sent(seq: number, level: Level): void {
    this.#environment.stats.acks += 1
    this.#write({ t: 'sent', seq, level })
  }

  refused(seq: number, code: PhoneErrorCode): void {
    this.#refuseSend(seq, code, 'the recipient has no room')
  }

  // Frames of the phone.

  #handle(message: PhoneMessage): void {
    if (message.t === 'bye') {
      this.#close()
    } else if (message.t === 'register' || message.t === 'confirm' || message.t === 'login') {
      if (this.#state !== 'unproven') this.#refuse('unexpected', `${message.t}: not now`)
      else this.#askAccounts(message)
    } else if (this.#state !== 'open' && this.#state !== 'leaving') {
      this.#refuse('not-logged-in', `${message.t}: log in first`)
    } else if (message.t === 'send') {
      this.#send(message.seq, message.to, message.body)
    } else if (this.#pay(SMALL_FRAME_COST) || !this.#isFlooded()) {
      if (message.t === 'got') this.#got(message.items)
      else this.#write({ t: 'pong' })
    }
  }

  #complain(code: PhoneErrorCode, detail: string, seq: number | undefined): void {
    if (this.#state !== 'open' && this.#state !== 'leaving') {
      this.#refuse(seq === undefined && closing.has(code) ? code : 'not-logged-in', detail)
    } else if (this.#pay(1) || !this.#isFlooded()) {
      if (seq === undefined) this.#refuse(code, detail)
      else this.#refuseSend(seq, code, detail)
    }
  }

  #askAccounts(message: PhoneMessage & { t: 'register' | 'confirm' | 'login' }): void {
    const { user } = message
    this.#state = 'asking'
    const request =
      message.t === 'register'
        ? { op: 'register', user }
        : message.t === 'confirm'
          ? { op: 'confirm', user, pin: message.pin }
          : { op: 'verify', user, key: message.key }
    this.ask({ service: 'accounts', key: user }, request).then(
      reply => this.#accountsAnswered(message.t, user, reply as AccountsReply | undefined),
      () => this.#unavailable(),
    )
  }

  #accountsAnswered(t: string, user: string, reply: AccountsReply | undefined): void {
    if (this.#state !== 'asking') return
    this.#state = 'unproven'
    if (reply === undefined) {
      this.#unavailable()
    } else if ('error' in reply) {
      if (reply.error === 'unavailable') this.#unavailable()
      else this.#refuse(reply.error, t)
    } else if ('session' in reply) {
      this.#loggedIn(user, reply)
    } else if ('key' in reply) {
      this.#write({ t: 'confirmed', key: reply.key, device: reply.device })
    } else {
      this.#write(reply.pin === undefined ? { t: 'registered' } : { t: 'registered', pin: reply.pin })
    }
  }

  #unavailable(): void {
    if (this.#state === 'closed') return
    const { retryAfterMs } = this.#environment.options
    this.#refuse('unavailable', 'accounts cannot be reached', retryAfterMs)
  }

  #loggedIn(user: string, reply: { device: number; session: number }): void {
    this.user = user
    this.device = reply.device
    this.sessionNumber = reply.session
    this.#state = 'attaching'
    this.#attachment = new Attachment(this, this.#environment)
    this.#attachment.attach()
  }

  #welcome(): void {
    if (this.#state !== 'attaching') return
    this.#state = 'open'
    this.#reader.frameBytesMax = FRAME_BYTES_MAX
    this.#environment.proven(this)
    this.#write({ t: 'welcome', device: this.device, node: this.#environment.node, window: WINDOW })
  }

  #send(seq: number, to: string, body: string): void {
    if (this.#state === 'leaving') {
      this.#refuseSend(seq, 'draining', 'repeat it on the next connection')
      return
    }
    const hasTokens = this.#pay(1)
    if (!hasTokens && this.#isFlooded()) return
    if (this.#refused !== undefined && seq > this.#refused.seq) {
      this.#refuseForNow(seq, this.#refused.code)
      return
    }
    if (!hasTokens) {
      this.#refuseForNow(seq, 'rate')
      return
    }
    this.#outbox ??= new Outbox(this, this.#environment)
    const taken = this.#outbox.offer(seq, to, body)
    if (taken === 'full') {
      this.#refuseForNow(seq, 'too-many-unacknowledged')
      return
    }
    if (seq === this.#refused?.seq) this.#refused = undefined
    if (taken === 'taken') this.#environment.stats.sends += 1
  }

  #refuseForNow(seq: number, code: PhoneErrorCode): void {
    if (this.#refused === undefined || seq < this.#refused.seq) this.#refused = { seq, code }
    const { options } = this.#environment
    const waitMs = Math.max(this.#bucket.waitMs(options.sendsPerSecond), options.backoffMsMin)
    this.#refuseSend(seq, code, 'repeat it later', waitMs)
  }

  #got(items: readonly GotItem[]): void {
    // Refused or lost, it does no harm: the mailbox delivers again, and the phone says it again.
    this.cast({ service: 'mailbox', key: this.user }, { op: 'ack', user: this.user, items })
  }

  #pay(cost: number): boolean {
    const { options, clock } = this.#environment
    return this.#bucket.take(cost, clock.nowMs(), options.sendsPerSecond, options.sendsBurst)
  }

  /** Closes a phone that goes on and on beyond its rate. */
  #isFlooded(): boolean {
    if (!this.#bucket.isFlooded(this.#environment.options.sendsBurst)) return false
    this.#refuse('rate', 'far beyond the rate, and going on')
    return true
  }

  // Casts of the mailbox.

  #deliver(message: Deliver): void {
    const { stats } = this.#environment
    if (message.attachment !== this.#attachment!.number) {
      stats.stale += 1
      return
    }
    // It proves that we are attached, even if the answer is still on its way.
    this.#welcome()
    stats.delivered += message.messages.length
    for (const frame of deliverFrames(message.messages)) this.#writeFrame(frame)
  }

  #receipt(message: DeliverReceipt): void {
    const seq = message.number - this.device * DEVICE_FACTOR
    // What an earlier device of the user sent has a lower number, and means nothing to this one.
    if (this.#isWelcome() && seq > 0 && seq < DEVICE_FACTOR)
      this.#write({ t: 'receipt', by: message.by, seq })
  }

  // The way out.

  #isWelcome(): boolean {
    return this.#state === 'open' || this.#state === 'leaving'
  }

  #refuse(code: PhoneErrorCode, detail: string, retryAfterMs?: number): void {
    this.#environment.stats.refusals[code] += 1
    this.#write({ t: 'error', code, detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
    if (closing.has(code)) this.#close()
  }

  #refuseSend(seq: number, code: PhoneErrorCode, detail: string, waitMs?: number): void {
    this.#environment.stats.refusals[code] += 1
    const retry = waitMs === undefined ? {} : { retryAfterMs: Math.ceil(waitMs) }
    this.#write({ t: 'error', code, seq, detail, ...retry })
  }

  #write(message: ServerMessage): void {
    if (this.#state !== 'closed') this.#writeFrame(encodeFrame(message))
  }

  #writeFrame(frame: Uint8Array): void {
    if (this.#state === 'closed') return
    this.#environment.stats.framesOut += 1
    if (this.#output.write(frame)) return
    this.#environment.stats.refusals['slow-reader'] += 1
    this.#stream.destroy()
    this.#end(false)
  }

  #close(): void {
    if (this.#state === 'closed') return
    this.#output.end()
    this.#environment.lingering(this.#stream)
    this.#end(false)
  }

  #end(isStreamGone: boolean): void {
    const isFirst = this.#state !== 'closed'
    this.#state = 'closed'
    this.#environment.ended(this, this.#stream, isStreamGone)
    if (!isFirst) return
    this.#attachment?.stop()
    this.#outbox?.stop()
    if (this.#attachment !== undefined) {
      const session = this.self.toString()
      this.cast({ service: 'mailbox', key: this.user }, { op: 'detach', user: this.user, session })
    }
    this.context.exit('normal')
  }

  #failed(error: unknown): void {
    this.#environment.stats.failures += 1
    this.#environment.log.error({ err: error }, 'connection failed')
    this.#close()
  }
}
