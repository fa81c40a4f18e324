/**
 * `wand chat`: a person takes part in the conversation, with a phone of the client library.
 *
 *   where -> key (kept, or registered for) -> online -> lines in, lines out -> acknowledged -> gone
 */
import { createInterface, type Interface } from 'node:readline'
import { Phone, PhoneError, type PhoneState } from '../../../node/client/index.ts'
import { CliError, type ExitCode, exitCode } from '../../cli/exit-code.ts'
import type { Io } from '../../cli/io.ts'
import { openRunDirectory, runDirectory } from '../../run-directory.ts'
import { askDev, DevControlError, type Phones } from '../control.ts'
import { clockTime } from '../reporter.ts'
import { Conversation } from './conversation.ts'
import { inputHelp } from './input.ts'
import { Keeping } from './keeping.ts'

/** What `wand chat` was asked for. */
export interface ChatOptions {
  readonly as: string
  readonly to?: string
  /** `host:port` of a chat node; the running `wand dev up` knows some when there is none. */
  readonly address?: string
  readonly runDir?: string
}

const ONLINE_MS_MAX = 10_000
/** Time for what was typed last to be acknowledged. */
const CLOSE_MS_MAX = 10_000

/**
 * Chats until the person leaves, or the input ends.
 * @returns what to exit with: `no` when a text that came through a pipe was not sent
 * @throws CliError
 */
export async function chat(io: Io, options: ChatOptions): Promise<ExitCode> {
  const directory = runDirectory(options.runDir, io.env)
  openRunDirectory(directory)
  const { addresses, people } = await phonesOf(options, directory)
  if (people.includes(options.as)) {
    throw new CliError(exitCode.usage, `chat: a simulated phone has that name: "${options.as}"`)
  }
  return await new Chat(io, options, people, new Keeping(directory, options.as)).live(addresses)
}

/** Where phones connect, and who is there. */
async function phonesOf({ address }: ChatOptions, directory: string): Promise<Phones> {
  try {
    const found = await askDev(directory, { path: '/phones' })
    return address === undefined ? found : { ...found, addresses: [address] }
  } catch (error) {
    if (!(error instanceof DevControlError)) throw error
    if (address !== undefined) return { addresses: [address], people: [] }
    throw new CliError(
      exitCode.unreachable,
      'chat: no wand dev up runs here: --address HOST:PORT says where phones connect',
    )
  }
}

class Chat {
  readonly #io: Io
  readonly #user: string
  readonly #keeping: Keeping
  readonly #conversation: Conversation
  /** A person types, and reads, at a terminal. */
  readonly #isTyped: boolean
  #phone: Phone | undefined
  #reading: Interface | undefined
  /** Why it ended, when neither the person nor the input wanted it. */
  #why: string | undefined

  constructor(io: Io, { as, to }: ChatOptions, people: readonly string[], keeping: Keeping) {
    this.#io = io
    this.#user = as
    this.#keeping = keeping
    this.#isTyped = io.isTTY && 'isTTY' in io.stdin && io.stdin.isTTY === true
    const ports = {
      line: () => this.#phone!,
      print: (text: string) => this.#print(text),
      time: clockTime,
      keep: (nextSeq: number) => keeping.keep({ key: this.#phone!.key!, nextSeq }),
      people,
    }
    this.#conversation = new Conversation(ports, to)
  }

  async live(addresses: readonly string[]): Promise<ExitCode> {
    try {
      await this.#goOnline(addresses)
      await this.#read()
    } finally {
      // Waits for what was typed last; what has no answer then is refused.
      await this.#phone?.close({ deadlineMs: CLOSE_MS_MAX })
    }
    await this.#conversation.settled()
    if (this.#why !== undefined) throw new CliError(exitCode.no, `chat: ${this.#why}`)
    // At a terminal the person has seen it, and may have tried again.
    return this.#isTyped || this.#conversation.failures === 0 ? exitCode.done : exitCode.no
  }

  /**
   * Logs in with the key that was kept, or registers for one.
   * @throws CliError
   */
  async #goOnline(addresses: readonly string[]): Promise<void> {
    const kept = this.#keeping.read()
    const phone = new Phone({
      user: this.#user,
      addresses,
      ...kept,
      onMessage: message => this.#conversation.received(message),
      onReceipt: receipt => this.#conversation.ticked(receipt),
      onState: state => this.#changed(state),
    })
    this.#phone = phone
    try {
      if (kept === undefined) await this.#register(phone)
      await connect(phone)
    } catch (error) {
      if (!(error instanceof PhoneError)) throw error
      await phone.close({ deadlineMs: 0 })
      // Another meta-cluster than the last time, or a newer device of the same name: a new key.
      if (kept !== undefined && ['unknown-user', 'wrong-key'].includes(error.code)) {
        this.#keeping.forget()
        return this.#goOnline(addresses)
      }
      throw new CliError(exitCode.unreachable, `chat: ${error.message}`)
    }
  }

  async #register(phone: Phone): Promise<void> {
    const { pin } = await phone.register()
    if (pin === undefined) {
      throw new CliError(exitCode.badConfiguration, 'chat: registering needs services.accounts.pin: reply')
    }
    const { key } = await phone.confirm(pin)
    this.#keeping.keep({ key, nextSeq: 1 })
  }

  #changed(state: PhoneState): void {
    // Before there is anybody to read, a failure ends the command.
    if (this.#reading === undefined) return
    if (state === 'waiting') this.#print('(no connection, trying again)')
    if (state !== 'replaced' && state !== 'refused') return
    this.#why = state === 'replaced' ? 'somebody else logged in with that name' : 'the key holds no longer'
    this.#reading.close()
  }

  /** Takes lines until the person leaves or the input ends. */
  async #read(): Promise<void> {
    const reading = createInterface({
      input: this.#io.stdin,
      ...(this.#isTyped ? { output: process.stdout, prompt: `${this.#user}> ` } : {}),
    })
    this.#reading = reading
    const leave = () => reading.close()
    const takeBack = [this.#io.onSignal('SIGINT', leave), this.#io.onSignal('SIGTERM', leave)]
    reading.on('SIGINT', leave)
    if (this.#isTyped) this.#print(`you are ${this.#user}; ${inputHelp}`)
    for await (const line of reading) {
      if (!this.#conversation.typed(line)) break
      if (this.#isTyped) reading.prompt()
    }
    reading.close()
    this.#reading = undefined
    for (const take of takeBack) take()
  }

  /** Above what is being typed. */
  #print(text: string): void {
    this.#io.stdout.write(this.#isTyped && this.#reading ? `\r\x1b[K${text}\n` : `${text}\n`)
    if (this.#isTyped) this.#reading?.prompt(true)
  }
}

/** Resolves when the phone is online; nobody waits for ever at a terminal. */
async function connect(phone: Phone): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PhoneError('unreachable', 'connect')), ONLINE_MS_MAX)
  })
  try {
    await Promise.race([phone.connect(), late])
  } finally {
    clearTimeout(timer)
  }
}
