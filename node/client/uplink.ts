/**
 * A phone's way to a server: dials, logs in, notices silence, and comes back elsewhere when a server goes.
 *
 *     offline -> connecting -> online -> (leaving) -> connecting ...      on a go-away
 *                    ^            |
 *                    +- waiting <-+                                       on a failure, after a back-off
 *
 * `refused` and `replaced` are ends: only a new `start` leads on. The texts are not its business.
 * Invariant: at most one socket, and at most one dial planned.
 */
import type { Ports, TimerHandle } from '../../transport/index.ts'
import { backOffMs } from '../connections/back-off.ts'
import type { PhoneMessage, ServerMessage } from '../connections/protocol.ts'
import { Addresses } from './addresses.ts'
import type { PhoneLimits } from './options.ts'
import type { PhoneFailure } from './phone-error.ts'
import { Socket } from './socket.ts'

export type PhoneState =
  /** Not started, or closed. */
  | 'offline'
  | 'connecting'
  | 'online'
  /** The server goes; what it has of ours is being finished. */
  | 'leaving'
  /** Will dial again after a while. */
  | 'waiting'
  /** Another login of the user is served. */
  | 'replaced'
  /** The server will not have us: wrong key, unknown user. */
  | 'refused'

/** Whose uplink it is. */
export interface UplinkHost {
  /** What to log in with. */
  credentials(): { readonly user: string; readonly key: string }
  /** Logged in; everything unanswered may be sent again. */
  up(device: number, window: number): void
  /** What came on this connection's behalf will not be answered any more. */
  down(): void
  message(message: ServerMessage): void
  state(state: PhoneState, why: PhoneFailure | undefined): void
  /** True when the present server owes us nothing. */
  isSettled(): boolean
}

/** Login refusals that another try does not change. */
const finalCodes = new Set<PhoneFailure>(['bad-user', 'unknown-user', 'wrong-key', 'too-many-tries'])

export class Uplink {
  readonly #host: UplinkHost
  readonly #ports: Ports
  readonly #limits: PhoneLimits
  readonly #addresses: Addresses
  #state: PhoneState = 'offline'
  #socket: Socket | undefined
  /** The next dial, the end of a login's time, or the time to leave: never two of them. */
  #timer: TimerHandle
  #watch: TimerHandle
  #hasHeard = false
  #onlineSinceMs = 0
  #failures = 0
  #retryAfterMs = 0
  #why: PhoneFailure | undefined
  #isTimeToLeave = false

  constructor(host: UplinkHost, addresses: readonly string[], ports: Ports, limits: PhoneLimits) {
    this.#host = host
    this.#addresses = new Addresses(addresses)
    this.#ports = ports
    this.#limits = limits
  }

  get state(): PhoneState {
    return this.#state
  }

  /** Dials, and keeps the phone online from now on. */
  start(): void {
    if (this.#socket === undefined && this.#state !== 'waiting') this.#dial()
  }

  /** Closes; what was sent leaves first. */
  stop(): void {
    this.#become('offline')
    this.#ports.timers.cancel(this.#timer)
    this.#socket?.end()
  }

  send(message: PhoneMessage): void {
    this.#socket?.send(message)
  }

  /** Some answer has come: a server that goes may owe us nothing more. */
  settled(): void {
    if (this.#state !== 'leaving' || !this.#isTimeToLeave || !this.#host.isSettled()) return
    this.#socket?.end()
  }

  #dial(): void {
    const { timers, carrier } = this.#ports
    this.#why = undefined
    this.#retryAfterMs = 0
    this.#become('connecting')
    // The state may have been changed by who was told.
    if (this.#state !== 'connecting') return
    const socket = new Socket(carrier, this.#addresses.next(), {
      onOpen: () => socket.send({ t: 'login', ...this.#host.credentials() }),
      onMessage: message => this.#take(message),
      onClose: () => this.#closed(),
    })
    this.#socket = socket
    this.#timer = timers.after(this.#limits.loginTimeoutMs, () => socket.destroy())
  }

  #take(message: ServerMessage): void {
    this.#hasHeard = true
    if (message.t === 'welcome') this.#welcome(message.device, message.window)
    else if (message.t === 'go-away') this.#goAway(message)
    else if (message.t === 'error' && message.seq === undefined) this.#refused(message)
    else this.#host.message(message)
  }

  #welcome(device: number, window: number): void {
    if (this.#state !== 'connecting') return
    this.#ports.timers.cancel(this.#timer)
    this.#onlineSinceMs = this.#ports.clock.nowMs()
    this.#watchSilence()
    this.#become('online')
    this.#host.up(device, window)
  }

  #goAway(message: ServerMessage & { t: 'go-away' }): void {
    const { timers, random } = this.#ports
    if (message.reason === 'replaced') {
      this.#become('replaced', 'replaced')
      this.#socket?.end()
      return
    }
    this.#addresses.recommend(message.alternatives, random)
    const waitMs = random.next() * message.retryAfterMs
    if (this.#state !== 'online') {
      this.#retryAfterMs = waitMs
      this.#socket?.end()
      return
    }
    this.#isTimeToLeave = false
    this.#become('leaving')
    this.#timer = timers.after(waitMs, () => {
      this.#isTimeToLeave = true
      this.settled()
    })
  }

  /** An error of the connection; the server closes it, unless it says only that it does not know something. */
  #refused(message: ServerMessage & { t: 'error' }): void {
    if (message.code === 'unsupported') return
    this.#why = message.code
    this.#retryAfterMs = message.retryAfterMs ?? 0
    if (this.#state === 'connecting' && finalCodes.has(message.code)) this.#become('refused', message.code)
    this.#socket?.end()
  }

  #closed(): void {
    const { timers, clock, random } = this.#ports
    const { backoffMsMin, backoffMsMax, stableMs } = this.#limits
    const was = this.#state
    this.#socket = undefined
    timers.cancel(this.#timer)
    timers.cancel(this.#watch)
    if (was !== 'connecting') this.#host.down()
    if (was === 'leaving') {
      this.#dial()
      return
    }
    if (was !== 'connecting' && was !== 'online') return
    if (was === 'online' && clock.nowMs() - this.#onlineSinceMs >= stableMs) this.#failures = 0
    const waitMs = this.#retryAfterMs + backOffMs(random, this.#failures, backoffMsMin, backoffMsMax)
    this.#failures += 1
    this.#timer = timers.after(waitMs, () => this.#dial())
    this.#become('waiting', this.#why)
  }

  #watchSilence(): void {
    const { pingMs } = this.#limits
    if (pingMs === 0) return
    this.#watch = this.#ports.timers.after(pingMs, () => {
      if (!this.#hasHeard) {
        this.#socket?.destroy()
        return
      }
      this.#hasHeard = false
      this.send({ t: 'ping' })
      this.#watchSilence()
    })
  }

  #become(state: PhoneState, why?: PhoneFailure): void {
    if (this.#state === state) return
    this.#state = state
    this.#host.state(state, why)
  }
}
