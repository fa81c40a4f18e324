/**
 * A connection: the process of one phone. Frames come in from its stream, casts come in from its user's mailbox.
 *
 * Life: unproven -> attaching (to the mailbox) -> open -> leaving (told to go away) -> closed. Its parts
 * are made when they are first needed: a phone that has only logged in has no outbox.
 * Stream events run at once and not through the process's queue: no handler here waits for anything, so one runs at a
 * time either way, and a frame's bytes need no copy.
 * Invariants: nothing but register, confirm, login and bye is done for a phone that is not welcome; a closed connection
 * writes nothing; whatever a phone sends, at worst its own connection ends.
 */
import type { Pid, Target } from '../../routing/index.ts'
import type { Stream, StreamHandler } from '../../transport/index.ts'
import { Server } from '../runtime/server.ts'
import type { Deliver, DeliverReceipt, Level, SessionCast } from '../services/mailbox/messages.ts'
import { Attachment } from './attachment.ts'
import { deliverFrames } from './deliver.ts'
import type { ConnectionEnvironment } from './environment.ts'
import { closingCodes, type PhoneErrorCode } from './error-codes.ts'
import { encodeFrame, FRAME_BYTES_MAX, FrameReader, type FrameSink } from './frames.ts'
import { Gate, type Verdict } from './gate.ts'
import { Login, type LoginHost, type LoginMessage } from './login.ts'
import { Outbox } from './outbox.ts'
import { Output } from './output.ts'
import {
  DEVICE_FACTOR,
  type GoAwayReason,
  type GotItem,
  isComplaint,
  type PhoneMessage,
  readPhoneMessage,
  type ServerMessage,
  WINDOW,
} from './protocol.ts'

type State = 'unproven' | 'attaching' | 'open' | 'leaving' | 'closed'

export class Connection extends Server<never, SessionCast> implements StreamHandler, FrameSink, LoginHost {
  /** Empty until the login. */
  user = ''
  device = 0
  sessionNumber = 0
  readonly #environment: ConnectionEnvironment
  readonly #stream: Stream
  readonly #output: Output
  readonly #reader: FrameReader
  readonly #gate: Gate
  #state: State = 'unproven'
  /** Until the phone is logged in. */
  #login: Login | undefined
  #attachment: Attachment | undefined
  #outbox: Outbox | undefined

  constructor(environment: ConnectionEnvironment, stream: Stream) {
    super()
    const { options, clock } = environment
    this.#environment = environment
    this.#stream = stream
    this.#output = new Output(stream, environment.flusher, options.pendingBytesMax)
    this.#reader = new FrameReader(options.unprovenFrameBytesMax)
    this.#gate = new Gate(options, clock.nowMs())
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }
  /** The mailbox process that it is attached to. */
  get owner(): Pid | undefined {
    return this.#attachment?.owner
  }

  // What the listener says.

  /** The login took too long. */
  loginTimedOut(): void {
    this.refuse('login-timeout', 'no login in time')
  }

  /** Asks the phone to go elsewhere; what it has sent is finished, what it sends from now on is refused. */
  goAway(reason: GoAwayReason, retryAfterMs: number, alternatives: readonly string[]): void {
    if (this.#state === 'closed' || this.#state === 'leaving') return
    const isOpen = this.#state === 'open'
    this.say({ t: 'go-away', reason, retryAfterMs: Math.floor(retryAfterMs), alternatives })
    if (isOpen && reason === 'drain') this.#state = 'leaving'
    else this.close()
  }

  /** The owners of some mailbox partitions have changed; see {@link Attachment.recheck}. */
  recheckOwner(isOwnerGone: boolean): void {
    this.#attachment?.recheck(isOwnerGone)
  }

  /** Ends the connection; what is written leaves first. */
  close(): void {
    if (this.#state === 'closed') return
    this.#output.end()
    this.#environment.lingering(this.#stream)
    this.#end(false)
  }

  // What the stream says.

  onOpen(): void {}

  onData(bytes: Uint8Array): void {
    if (this.#state === 'closed') return
    try {
      const error = this.#reader.feed(bytes, this)
      if (error !== undefined) this.refuse(error, 'a frame that cannot be read')
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
    this.close()
  }

  // What login, attachment and outbox say.

  ask(target: Target, message: unknown): Promise<unknown> {
    return this.context.call(target, message, { timeoutMs: this.#environment.options.callTimeoutMs })
  }

  loggedIn(user: string, device: number, session: number): void {
    this.user = user
    this.device = device
    this.sessionNumber = session
    this.#login = undefined
    this.#state = 'attaching'
    this.#attachment = new Attachment(this, this.#environment)
    this.#attachment.attach()
  }

  unavailable(): void {
    const { retryAfterMs } = this.#environment.options
    this.refuse('unavailable', 'accounts cannot be reached', retryAfterMs)
  }

  refuse(code: PhoneErrorCode, detail: string, retryAfterMs?: number): void {
    this.#environment.stats.refusals[code] += 1
    this.say({ t: 'error', code, detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
    if (closingCodes.has(code)) this.close()
  }

  say(message: ServerMessage): void {
    if (this.#state !== 'closed') this.#writeFrame(encodeFrame(message))
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
    this.close()
  }

  sent(seq: number, level: Level): void {
    this.#environment.stats.acks += 1
    this.say({ t: 'sent', seq, level })
  }

  refused(seq: number, code: PhoneErrorCode): void {
    this.#refuseSend(seq, code, 'the recipient has no room')
  }

  // Frames of the phone.

  #handle(message: PhoneMessage): void {
    if (message.t === 'bye') {
      this.close()
    } else if (message.t === 'register' || message.t === 'confirm' || message.t === 'login') {
      this.#logIn(message)
    } else if (!this.#isWelcome()) {
      this.refuse('not-logged-in', `${message.t}: log in first`)
    } else if (message.t === 'send') {
      this.#send(message.seq, message.to, message.body)
    } else if (!this.#isFlood(this.#gate.small(this.#nowMs))) {
      if (message.t === 'got') this.#got(message.items)
      else this.say({ t: 'pong' })
    }
  }

  #logIn(message: LoginMessage): void {
    if (this.#state !== 'unproven') {
      this.refuse('unexpected', `${message.t}: not now`)
      return
    }
    this.#login ??= new Login(this)
    this.#login.take(message)
  }

  #complain(code: PhoneErrorCode, detail: string, seq: number | undefined): void {
    if (!this.#isWelcome()) {
      this.refuse(seq === undefined && closingCodes.has(code) ? code : 'not-logged-in', detail)
    } else if (!this.#isFlood(this.#gate.useless(this.#nowMs))) {
      if (seq === undefined) this.refuse(code, detail)
      else this.#refuseSend(seq, code, detail)
    }
  }

  #welcome(): void {
    if (this.#state !== 'attaching') return
    this.#state = 'open'
    this.#reader.frameBytesMax = FRAME_BYTES_MAX
    this.#environment.proven(this)
    this.say({ t: 'welcome', device: this.device, node: this.#environment.node, window: WINDOW })
  }

  #send(seq: number, to: string, body: string): void {
    const verdict = this.#gate.send(seq, this.#nowMs)
    if (verdict === 'flood') {
      this.#isFlood(verdict)
    } else if (this.#state === 'leaving') {
      this.#refuseSend(seq, 'draining', 'repeat it on the next connection')
    } else if (verdict !== 'pass') {
      this.#refuseForNow(seq, verdict)
    } else {
      this.#outbox ??= new Outbox(this, this.#environment)
      const taken = this.#outbox.offer(seq, to, body)
      if (taken === 'full') {
        this.#refuseForNow(seq, 'too-many-unacknowledged')
        return
      }
      this.#gate.taken(seq)
      if (taken === 'taken') this.#environment.stats.sends += 1
    }
  }

  #refuseForNow(seq: number, code: PhoneErrorCode): void {
    this.#gate.hold(seq, code)
    this.#refuseSend(seq, code, 'repeat it later', this.#gate.waitMs)
  }

  #got(items: readonly GotItem[]): void {
    // Refused or lost, it does no harm: the mailbox delivers again, and the phone says it again.
    this.cast({ service: 'mailbox', key: this.user }, { op: 'ack', user: this.user, items })
  }

  /** Closes a phone that goes on and on beyond its rate. */
  #isFlood(verdict: Verdict): boolean {
    if (verdict !== 'flood') return false
    this.refuse('rate', 'far beyond the rate, and going on')
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
    if (this.#isWelcome() && seq > 0 && seq < DEVICE_FACTOR) this.say({ t: 'receipt', by: message.by, seq })
  }

  // The way out.

  get #nowMs(): number {
    return this.#environment.clock.nowMs()
  }

  #isWelcome(): boolean {
    return this.#state === 'open' || this.#state === 'leaving'
  }

  #refuseSend(seq: number, code: PhoneErrorCode, detail: string, waitMs?: number): void {
    this.#environment.stats.refusals[code] += 1
    const retry = waitMs === undefined ? {} : { retryAfterMs: Math.ceil(waitMs) }
    this.say({ t: 'error', code, seq, detail, ...retry })
  }

  #writeFrame(frame: Uint8Array): void {
    if (this.#state === 'closed') return
    this.#environment.stats.framesOut += 1
    if (this.#output.write(frame)) return
    this.#environment.stats.refusals['slow-reader'] += 1
    this.#stream.destroy()
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
    this.close()
  }
}
