/**
 * A person's side of a conversation: takes what is typed, prints what comes in. Knows neither sockets nor terminals.
 *
 *   12:03:04 bob: Good morning!
 *   12:03:05 ✓ bob has "Did you sleep well?"
 */
import { printable } from '../view.ts'
import { inputHelp, readInput } from './input.ts'

/** The phone, as far as a conversation needs it. */
export interface Line {
  /** Sends, and resolves with the text's number when it is kept. */
  send(to: string, body: string): Promise<{ readonly seq: number }>
  /** The number that the next text will have. */
  readonly nextSeq: number
}

/** What a conversation needs beside the phone. */
export interface ConversationPorts {
  /** The phone that is online now. */
  line(): Line
  print(text: string): void
  /** The time for people, `12:03:04`. */
  time(): string
  /** Called before each text leaves, with the number that the one after it will have. */
  keep(nextSeq: number): void
  /** Some people to talk to. */
  readonly people: readonly string[]
}

const PEOPLE_SHOWN = 12
const QUOTE_CHARACTERS = 30
/** Texts that wait for their tick; more are not quoted. */
const QUOTES_MAX = 200

export class Conversation {
  readonly #ports: ConversationPorts
  readonly #quotes = new Map<number, string>()
  readonly #sending = new Set<Promise<void>>()
  #partner: string | undefined
  #failures = 0

  constructor(ports: ConversationPorts, partner: string | undefined) {
    this.#ports = ports
    this.#partner = partner
  }

  /** To whom a text goes. */
  get partner(): string | undefined {
    return this.#partner
  }
  /** Texts that were refused. */
  get failures(): number {
    return this.#failures
  }

  /** Takes a typed line; false when the person wants to leave. */
  typed(line: string): boolean {
    const input = readInput(line)
    if (input.kind === 'quit') return false
    if (input.kind === 'text') this.#send(input.body)
    else if (input.kind === 'to') this.#partner = input.user
    else if (input.kind === 'who') this.#ports.print(`some people: ${this.#somePeople()}`)
    else if (input.kind === 'help') this.#ports.print(inputHelp)
    return true
  }

  /** A text came in. Whoever writes first becomes the partner. */
  received({
    from,
    body,
    late,
  }: {
    readonly from: string
    readonly body: string
    readonly late: boolean
  }): void {
    this.#partner ??= from
    this.#ports.print(`${this.#ports.time()} ${from}${late ? ' (late)' : ''}: ${printable(body)}`)
  }

  /** The recipient's phone has it. */
  ticked({ by, seq }: { readonly by: string; readonly seq: number }): void {
    const quote = this.#quotes.get(seq)
    this.#quotes.delete(seq)
    this.#ports.print(`${this.#ports.time()} ✓ ${by} has ${quote === undefined ? 'it' : `"${quote}"`}`)
  }

  /** Resolves when everything typed so far has been acknowledged or refused. */
  async settled(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending)
  }

  #send(body: string): void {
    if (this.#partner === undefined) {
      this.#ports.print(`to whom? /to NAME, for example ${this.#somePeople()}`)
      this.#failures++
      return
    }
    const line = this.#ports.line()
    const seq = line.nextSeq
    this.#ports.keep(seq + 1)
    this.#quote(seq, body)
    const sending = line.send(this.#partner, body).then(
      () => {},
      (error: Error) => {
        this.#failures++
        this.#quotes.delete(seq)
        this.#ports.print(`not sent: ${error.message}`)
      },
    )
    this.#sending.add(sending)
    void sending.then(() => this.#sending.delete(sending))
  }

  #quote(seq: number, body: string): void {
    if (this.#quotes.size >= QUOTES_MAX) return
    const text = printable(body)
    this.#quotes.set(seq, text.length > QUOTE_CHARACTERS ? `${text.slice(0, QUOTE_CHARACTERS - 1)}…` : text)
  }

  #somePeople(): string {
    const { people } = this.#ports
    return people.length === 0 ? 'whoever is there' : people.slice(0, PEOPLE_SHOWN).join(', ')
  }
}
