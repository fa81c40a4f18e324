/**
 * A phone: sends texts that are kept in order until acknowledged, and shows each text that comes in once.
 *
 * Whatever happens to servers and lines in between, it reconnects by itself and repeats what has no answer. Its promise
 * is the other half of the servers': they deliver at least once and in order, it hides what comes twice.
 */
import { type Ports, realPorts, type TimerHandle } from '../../transport/index.ts'
import {
  BODY_BYTES_MAX,
  type DeliveredMessage,
  type ErrorMessage,
  type ServerMessage,
} from '../connections/protocol.ts'
import { userPattern } from '../services/accounts/messages.ts'
import { askAccounts } from './account.ts'
import { SeenMessages } from './dedupe.ts'
import { GotBatch } from './got-batch.ts'
import { defaultPhoneLimits, type PhoneLimits, type PhoneListeners, type PhoneOptions } from './options.ts'
import { PhoneError, type PhoneFailure } from './phone-error.ts'
import { type Acknowledgement, Unacknowledged } from './unacknowledged.ts'
import { type PhoneState, Uplink, type UplinkHost } from './uplink.ts'

/** Before the server names a window. */
const WINDOW_FIRST = 1

/** What a phone has seen happen, since it was made. */
export interface PhoneCounts {
  /** Texts shown. */
  received: number
  /** Texts that came again, and were hidden. */
  duplicatesOnWire: number
  /** Texts marked late by the servers. */
  lateMessages: number
  /** Texts not marked late, first seen with a number below the sender's highest: a broken promise. */
  outOfOrder: number
  /** Times that it was online again after the first. */
  reconnects: number
}

export class Phone {
  readonly user: string
  readonly counts: PhoneCounts = {
    received: 0,
    duplicatesOnWire: 0,
    lateMessages: 0,
    outOfOrder: 0,
    reconnects: 0,
  }
  onMessage: PhoneListeners['onMessage']
  onReceipt: PhoneListeners['onReceipt']
  onState: PhoneListeners['onState']
  readonly #addresses: readonly string[]
  readonly #ports: Ports
  readonly #limits: PhoneLimits
  readonly #uplink: Uplink
  readonly #unacknowledged = new Unacknowledged()
  readonly #seen: SeenMessages
  readonly #got: GotBatch
  #key: string | undefined
  #device: number | undefined
  #nextSeq: number
  #window = WINDOW_FIRST
  /** Set while a refusal for now lasts: nothing is sent before it fires. */
  #pause: TimerHandle | undefined
  #connecting: { resolve: () => void; reject: (error: Error) => void }[] = []
  #hasBeenOnline = false
  #isClosing = false
  #onSettled: (() => void) | undefined

  constructor(options: PhoneOptions) {
    this.user = options.user
    this.onMessage = options.onMessage
    this.onReceipt = options.onReceipt
    this.onState = options.onState
    this.#addresses = options.addresses
    this.#ports = options.ports ?? realPorts
    this.#limits = { ...defaultPhoneLimits, ...options.limits }
    this.#key = options.key
    this.#nextSeq = options.nextSeq ?? 1
    this.#seen = new SeenMessages(this.#limits.numbersPerSenderMax, this.#limits.sendersMax)
    this.#got = new GotBatch(this.#ports.timers, this.#limits.gotDelayMs, items => {
      if (this.state === 'online' || this.state === 'leaving') this.#uplink.send({ t: 'got', items })
    })
    this.#uplink = new Uplink(this.#host(), options.addresses, this.#ports, this.#limits)
  }

  /** Keep it: with the key a phone logs in again. */
  get key(): string | undefined {
    return this.#key
  }
  /** Known from `confirm` or the first login on. */
  get device(): number | undefined {
    return this.#device
  }
  /** Keep it with the key; see {@link PhoneOptions.nextSeq}. */
  get nextSeq(): number {
    return this.#nextSeq
  }
  get state(): PhoneState {
    return this.#uplink.state
  }
  /** Texts without an acknowledgement. */
  get waiting(): number {
    return this.#unacknowledged.size
  }

  /**
   * Asks for a PIN.
   * @returns the PIN where the servers are configured to say it, else it arrives by other means
   * @throws PhoneError
   */
  async register(): Promise<{ readonly pin?: string }> {
    const { pin } = await askAccounts(
      { t: 'register', user: this.user },
      this.#addresses,
      this.#ports,
      this.#limits.loginTimeoutMs,
    )
    return pin === undefined ? {} : { pin }
  }

  /**
   * Makes this phone the user's device: an earlier device's key ends here, and texts are numbered from 1.
   * @throws PhoneError, `wrong-pin` and `texts-waiting` among others
   */
  async confirm(pin: string): Promise<{ readonly key: string; readonly device: number }> {
    if (this.waiting > 0) throw new PhoneError('texts-waiting', 'confirm')
    const { key, device } = await askAccounts(
      { t: 'confirm', user: this.user, pin },
      this.#addresses,
      this.#ports,
      this.#limits.loginTimeoutMs,
    )
    this.#key = key
    this.#device = device
    this.#nextSeq = 1
    return { key, device }
  }

  /**
   * Logs in, and stays logged in until {@link close}. Resolves when online for the first time, however long that takes.
   * @throws PhoneError `no-key`, `wrong-key`, `unknown-user`, `bad-user`, `too-many-tries`, `replaced` or `closed`
   */
  connect(): Promise<void> {
    if (this.#isClosing) return Promise.reject(new PhoneError('closed', 'connect'))
    if (this.#key === undefined) return Promise.reject(new PhoneError('no-key', 'connect'))
    if (this.state === 'online') return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#connecting.push({ resolve, reject })
      this.#uplink.start()
    })
  }

  /**
   * Sends a text; online or not, it leaves as soon as it can, in order.
   * @returns when it is kept, with its number and how well
   * @throws PhoneError `mailbox-full`, `body-too-big`, `bad-user`, `too-many-waiting` or `closed`
   */
  send(to: string, body: string): Promise<Acknowledgement> {
    const refusal = this.#refusalOf(to, body)
    if (refusal !== undefined) return Promise.reject(new PhoneError(refusal, 'send'))
    return new Promise((resolve, reject) => {
      const seq = this.#nextSeq
      this.#nextSeq += 1
      this.#unacknowledged.add({ seq, to, body, resolve, reject, isOnWire: false })
      this.#pump()
    })
  }

  /** Waits for what is unacknowledged, at most `deadlineMs`, and closes; what is left then is rejected with `closed`. */
  async close({ deadlineMs = 5_000 } = {}): Promise<void> {
    this.#isClosing = true
    const isHopeless = ['offline', 'refused', 'replaced'].includes(this.state)
    if (this.#unacknowledged.size > 0 && !isHopeless) await this.#settled(deadlineMs)
    this.#got.flush()
    this.#uplink.stop()
    this.#ports.timers.cancel(this.#pause)
    for (const text of this.#unacknowledged.takeAll())
      text.reject(new PhoneError('closed', `send ${text.seq}`))
  }

  #settled(deadlineMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#ports.timers.after(deadlineMs, resolve)
      this.#onSettled = () => {
        this.#ports.timers.cancel(timer)
        resolve()
      }
    })
  }

  #refusalOf(to: string, body: string): PhoneFailure | undefined {
    if (this.#isClosing) return 'closed'
    if (!userPattern.test(to)) return 'bad-user'
    if (new TextEncoder().encode(body).length > BODY_BYTES_MAX) return 'body-too-big'
    return this.#unacknowledged.size >= this.#limits.waitingMax ? 'too-many-waiting' : undefined
  }

  /** Sends what the window has room for. */
  #pump(): void {
    while (
      this.state === 'online' &&
      this.#pause === undefined &&
      this.#unacknowledged.onWire < this.#window
    ) {
      const text = this.#unacknowledged.takeNext()
      if (text === undefined) return
      this.#uplink.send({ t: 'send', seq: text.seq, to: text.to, body: text.body })
    }
  }

  #host(): UplinkHost {
    return {
      credentials: () => ({ user: this.user, key: this.#key! }),
      up: (device, window) => {
        this.#device = device
        this.#window = window
        if (this.#hasBeenOnline) this.counts.reconnects += 1
        this.#hasBeenOnline = true
        for (const { resolve } of this.#connecting.splice(0)) resolve()
        this.#pump()
      },
      down: () => {
        this.#ports.timers.cancel(this.#pause)
        this.#pause = undefined
        this.#unacknowledged.rewind(0)
      },
      message: message => this.#take(message),
      state: (state, why) => {
        if (state === 'refused' || state === 'replaced' || state === 'offline') {
          const error = new PhoneError(why ?? 'closed', 'connect')
          for (const { reject } of this.#connecting.splice(0)) reject(error)
          this.#onSettled?.()
        }
        this.onState?.(state, why)
      },
      isSettled: () => this.#unacknowledged.onWire === 0,
    }
  }

  #take(message: ServerMessage): void {
    if (message.t === 'deliver') for (const text of message.messages) this.#deliver(text)
    else if (message.t === 'sent') this.#sent(message)
    else if (message.t === 'receipt') this.onReceipt?.({ by: message.by, seq: message.seq })
    else if (message.t === 'error') this.#refused(message)
  }

  #deliver(text: DeliveredMessage): void {
    if (this.#seen.has(text.from, text.number)) {
      this.counts.duplicatesOnWire += 1
    } else {
      const isLower = text.number < this.#seen.highest(text.from)
      this.onMessage?.(text)
      this.#seen.add(text.from, text.number)
      this.counts.received += 1
      if (text.late) this.counts.lateMessages += 1
      else if (isLower) this.counts.outOfOrder += 1
    }
    this.#got.add(text.from, text.number)
  }

  #sent({ seq, level }: Acknowledgement): void {
    this.#unacknowledged.answer(seq)?.resolve({ seq, level })
    this.#answered()
  }

  #refused({ code, seq, detail, retryAfterMs }: ErrorMessage): void {
    if (seq === undefined) return
    if (retryAfterMs !== undefined || code === 'draining') {
      this.#unacknowledged.rewind(seq)
      if (retryAfterMs !== undefined) this.#pauseFor(retryAfterMs)
    } else {
      this.#unacknowledged.answer(seq)?.reject(new PhoneError(code, `send ${seq}`, detail))
    }
    this.#answered()
  }

  #pauseFor(waitMs: number): void {
    this.#pause ??= this.#ports.timers.after(waitMs, () => {
      this.#pause = undefined
      this.#pump()
    })
  }

  #answered(): void {
    this.#pump()
    this.#uplink.settled()
    if (this.#unacknowledged.size === 0) this.#onSettled?.()
  }
}
