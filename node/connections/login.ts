/**
 * The dialogue before welcome: register, confirm and login, one at a time, each a question to the accounts service.
 *
 * Its deadline is the listener's business, and the total: however often a phone asks, it gains no time.
 * Invariant: at most one question is under way.
 */
import type { Target } from '../../routing/index.ts'
import type {
  AccountsRequest,
  ConfirmReply,
  RegisterReply,
  VerifyReply,
} from '../services/accounts/messages.ts'
import type { PhoneErrorCode } from './error-codes.ts'
import type { PhoneMessage, ServerMessage } from './protocol.ts'

export type LoginMessage = PhoneMessage & { readonly t: 'register' | 'confirm' | 'login' }

/** Who is to be logged in. */
export interface LoginHost {
  readonly isClosed: boolean
  /** A call with the usual timeout. */
  ask(target: Target, message: unknown): Promise<unknown>
  say(message: ServerMessage): void
  refuse(code: PhoneErrorCode, detail: string): void
  /** Accounts cannot be reached: the phone may come back. */
  unavailable(): void
  loggedIn(user: string, device: number, session: number): void
}

type Reply = RegisterReply | ConfirmReply | VerifyReply

export class Login {
  readonly #host: LoginHost
  #isAsking = false

  constructor(host: LoginHost) {
    this.#host = host
  }

  take(message: LoginMessage): void {
    if (this.#isAsking) {
      this.#host.refuse('unexpected', `${message.t}: one at a time`)
      return
    }
    this.#isAsking = true
    const { user } = message
    this.#host.ask({ service: 'accounts', key: user }, requestOf(message)).then(
      reply => this.#answered(message, reply as Reply | undefined),
      () => this.#answered(message, undefined),
    )
  }

  /** @param reply `undefined` when there is none */
  #answered({ t, user }: LoginMessage, reply: Reply | undefined): void {
    this.#isAsking = false
    if (this.#host.isClosed) return
    if (reply === undefined) {
      this.#host.unavailable()
    } else if ('error' in reply) {
      if (reply.error === 'unavailable') this.#host.unavailable()
      else this.#host.refuse(reply.error, t)
    } else if ('session' in reply) {
      this.#host.loggedIn(user, reply.device, reply.session)
    } else if ('key' in reply) {
      this.#host.say({ t: 'confirmed', key: reply.key, device: reply.device })
    } else {
      this.#host.say(reply.pin === undefined ? { t: 'registered' } : { t: 'registered', pin: reply.pin })
    }
  }
}

function requestOf(message: LoginMessage): AccountsRequest {
  const { user } = message
  if (message.t === 'register') return { op: 'register', user }
  if (message.t === 'confirm') return { op: 'confirm', user, pin: message.pin }
  return { op: 'verify', user, key: message.key }
}
