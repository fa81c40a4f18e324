/**
 * One simulated person at work: a phone of the client library over real TCP, and the script that tells it what to do.
 *
 * The phone reports every send, acknowledgement and delivery to the tally as an application sees them. Whom the crowd
 * does not know (somebody at `wand chat`) gets an answer now and then, which is not counted.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type IncomingMessage, Phone, PhoneError } from '../../node/client/index.ts'
import { realPorts } from '../../transport/index.ts'
import { Radio } from './radio.ts'
import { SeededRandom } from './random.ts'
import type { Person, Place } from './script/people.ts'
import { type Talk, talk } from './script/talk.ts'
import type { Tally } from './tally.ts'

/** What all members share. */
export interface MemberWorld extends Talk {
  readonly places: readonly Place[]
  readonly tally: Tally
  /** Whether somebody is of the crowd. */
  readonly knows: (user: string) => boolean
  /** A text arrived at a member's phone. */
  readonly onChat: (message: { from: string; to: string; body: string }) => void
}

/** Texts without an acknowledgement beyond which a person waits before writing more. */
const UNANSWERED_MAX = 50
const ANSWER_CHANCE = 0.7
const ANSWER_MS_MIN = 700
const ANSWER_MS_MAX = 2_500
/** A simulated phone must not make people wait for it. */
const BACKOFF_MS_MAX = 1_000
/** How often a registration is tried again while the accounts service cannot be reached. */
const REGISTER_TRIES = 10
const REGISTER_AGAIN_MS = 500

export class Member {
  readonly person: Person
  readonly #index: number
  readonly #world: MemberWorld
  readonly #radio = new Radio()
  readonly #phone: Phone
  readonly #random: SeededRandom
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(person: Person, index: number, world: MemberWorld) {
    this.person = person
    this.#index = index
    this.#world = world
    this.#random = SeededRandom.of(world.seed ^ 0xa115, index)
    const { tally } = world
    this.#phone = new Phone({
      user: person.name,
      addresses: addressesOf(person, world.places),
      ports: { ...realPorts, carrier: this.#radio },
      limits: { backoffMsMax: BACKOFF_MS_MAX },
      onMessage: message => this.#received(message),
      onState: state => {
        // While a server drains, what it still delivers arrives.
        if (state === 'online') tally.connected(person.name, performance.now())
        else if (state !== 'leaving') tally.away(person.name)
      },
    })
  }

  /** Whether the phone can still come online by itself. */
  get isServed(): boolean {
    return this.#phone.state !== 'replaced' && this.#phone.state !== 'refused'
  }

  /** Registers, and logs in at home. */
  async join(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        const { pin } = await this.#phone.register()
        if (pin === undefined)
          throw new Error(`register ${this.person.name}: the servers do not answer the PIN`)
        await this.#phone.confirm(pin)
        break
      } catch (error) {
        const isForNow = error instanceof PhoneError && ['unavailable', 'unreachable'].includes(error.code)
        if (!isForNow || tries >= REGISTER_TRIES || this.#stop.signal.aborted) throw error
        await sleep(REGISTER_AGAIN_MS)
      }
    }
    await this.#phone.connect()
  }

  /** Begins to follow the script. */
  start(): void {
    this.#running = this.#follow().catch(error => {
      if (!this.#stop.signal.aborted) throw error
    })
  }

  /** Writes no more, and comes back if it is away. */
  async rest(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#radio.on()
  }

  async close(deadlineMs: number): Promise<void> {
    await this.rest()
    await this.#phone.close({ deadlineMs })
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop
    for (const step of talk(this.person, this.#index, this.#world)) {
      await sleep(step.waitMs, undefined, { signal })
      if (step.act === 'send') {
        if (this.#phone.waiting < UNANSWERED_MAX) this.#send(step.to, step.body)
      } else {
        this.#radio.off()
        await sleep(step.awayMs, undefined, { signal })
        this.#radio.on(this.#world.places[step.place]!.address)
      }
    }
  }

  #send(to: string, body: string): void {
    const { tally } = this.#world
    const sending = tally.sent(this.person.name, to, body, performance.now())
    this.#phone.send(to, body).then(
      // A number is the device's and the phone's own count: node/connections/PROTOCOL.md.
      ({ seq }) => tally.acked(sending, this.#phone.device! * 2 ** 32 + seq),
      () => tally.refused(sending),
    )
  }

  #received(message: IncomingMessage): void {
    const { tally, knows, onChat } = this.#world
    const { from, body } = message
    tally.delivered(this.person.name, message, performance.now())
    onChat({ from, to: this.person.name, body })
    if (!knows(from) && this.#random.chance(ANSWER_CHANCE)) void this.#answer(from)
  }

  async #answer(stranger: string): Promise<void> {
    const { signal } = this.#stop
    try {
      await sleep(this.#random.between(ANSWER_MS_MIN, ANSWER_MS_MAX), undefined, { signal })
      await this.#phone.send(stranger, this.#random.pick(this.#world.lines))
    } catch (error) {
      // A stranger's mailbox may be full, and the run may end: neither is our trouble.
      if (!(error instanceof PhoneError) && !signal.aborted) throw error
    }
  }
}

/** Where a person's phone dials: at home first, then elsewhere in the datacenter, then far away. */
function addressesOf(person: Person, places: readonly Place[]): readonly string[] {
  const distance = (place: Place) =>
    place === places[person.home] ? 0 : place.datacenter === person.datacenter ? 1 : 2
  return places.toSorted((one, other) => distance(one) - distance(other)).map(place => place.address)
}
