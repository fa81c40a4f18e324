/** One question to the accounts service, on a connection of its own: register, or confirm with the PIN. */
import type { Ports, TimerHandle } from '../../transport/index.ts'
import type { PhoneMessage, ServerMessage } from '../connections/protocol.ts'
import { PhoneError } from './phone-error.ts'
import { Socket } from './socket.ts'

type Question = PhoneMessage & { readonly t: 'register' | 'confirm' }
type Answer<Q extends Question> = ServerMessage & {
  readonly t: Q['t'] extends 'register' ? 'registered' : 'confirmed'
}

/**
 * Asks at each address in turn, until one answers.
 * @throws PhoneError with the server's code; `unreachable` when none answered in time
 */
export async function askAccounts<Q extends Question>(
  question: Q,
  addresses: readonly string[],
  ports: Ports,
  timeoutMs: number,
): Promise<Answer<Q>> {
  let last: PhoneError | undefined
  for (const address of addresses) {
    const answer = await ask(question, address, ports, timeoutMs)
    if (answer?.t === (question.t === 'register' ? 'registered' : 'confirmed')) return answer as Answer<Q>
    if (answer?.t === 'error') {
      last = new PhoneError(answer.code, question.t, answer.detail)
      if (answer.retryAfterMs === undefined) throw last
    }
  }
  throw last ?? new PhoneError('unreachable', question.t, addresses.join(', '))
}

/** The first message that comes back; `undefined` when none does. */
function ask(
  question: Question,
  address: string,
  ports: Ports,
  timeoutMs: number,
): Promise<ServerMessage | undefined> {
  return new Promise(resolve => {
    let timer: TimerHandle
    const socket = new Socket(ports.carrier, address, {
      onOpen: () => socket.send(question),
      onMessage: message => {
        resolve(message)
        socket.end()
      },
      onClose: () => {
        ports.timers.cancel(timer)
        resolve(undefined)
      },
    })
    timer = ports.timers.after(timeoutMs, () => socket.destroy())
  })
}
