/** Scripted servers for phones: they say what a test tells them, and keep what they hear. */

import { Phone, type PhoneOptions } from '../../../node/client/index.ts'
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from '../../../node/connections/frames.ts'
import {
  isComplaint,
  type PhoneMessage,
  readPhoneMessage,
  type ServerMessage,
} from '../../../node/connections/protocol.ts'
import { MemoryNetwork, type Stream, type StreamHandler } from '../../../transport/index.ts'
import { VirtualTime } from '../connections/world.ts'

/** One phone's connection, as the server sees it. */
export class Visit implements StreamHandler {
  readonly heard: PhoneMessage[] = []
  isClosed = false
  readonly #server: FakeServer
  readonly #stream: Stream
  readonly #reader = new FrameReader(FRAME_BYTES_MAX)

  constructor(server: FakeServer, stream: Stream) {
    this.#server = server
    this.#stream = stream
    stream.attach(this)
  }

  say(...messages: ServerMessage[]): void {
    this.#stream.write(messages.map(message => encodeFrame(message)))
  }
  bytes(...bytes: number[]): void {
    this.#stream.write([Uint8Array.from(bytes)])
  }
  close(): void {
    this.#stream.destroy()
  }
  of<T extends PhoneMessage['t']>(t: T): (PhoneMessage & { t: T })[] {
    return this.heard.filter(message => message.t === t) as (PhoneMessage & { t: T })[]
  }

  onOpen(): void {}
  onData(bytes: Uint8Array): void {
    if (this.#reader.feed(bytes, this) !== undefined) throw new Error('the phone sent an unreadable frame')
  }
  takeFrame(frame: Uint8Array): boolean {
    const message = readPhoneMessage(frame)
    if (isComplaint(message)) throw new Error(`the phone sent ${message.code}`)
    this.heard.push(message)
    this.#server.answer(message, this)
    return true
  }
  onDrain(): void {}
  onClose(): void {
    this.isClosed = true
  }
}

export class FakeServer {
  readonly visits: Visit[] = []
  window = 32
  /** Answers in place of the usual; true when it has. */
  script: (message: PhoneMessage, visit: Visit) => boolean = () => false

  answer(message: PhoneMessage, visit: Visit): void {
    if (this.script(message, visit)) return
    if (message.t === 'register') visit.say({ t: 'registered', pin: '1234' })
    else if (message.t === 'confirm') visit.say({ t: 'confirmed', key: 'k', device: 2 })
    else if (message.t === 'login') visit.say({ t: 'welcome', device: 2, node: 'n', window: this.window })
    else if (message.t === 'send') visit.say({ t: 'sent', seq: message.seq, level: 'replicated' })
    else if (message.t === 'ping') visit.say({ t: 'pong' })
  }

  /** The present connection. */
  get visit(): Visit {
    return this.visits.at(-1)!
  }
}

/** Servers `a:1` and `b:1`, and phones that know both. */
export class Town {
  readonly time = new VirtualTime()
  readonly network = new MemoryNetwork({ timers: this.time })
  readonly a = new FakeServer()
  readonly b = new FakeServer()
  /** What chance says next; one half unless told. */
  chance = 0.5

  static async open(): Promise<Town> {
    const town = new Town()
    for (const [host, server] of [
      ['a', town.a],
      ['b', town.b],
    ] as const) {
      await town.network.carrier(host).listen(`${host}:1`, stream => {
        server.visits.push(new Visit(server, stream))
      })
    }
    return town
  }

  phone(options: Partial<PhoneOptions> = {}): Phone {
    return new Phone({
      user: 'alice',
      key: 'k',
      addresses: ['a:1', 'b:1'],
      ports: {
        clock: this.time.clock,
        timers: this.time,
        random: { next: () => this.chance, bytes: count => new Uint8Array(count) },
        carrier: this.network.carrier('phone'),
      },
      ...options,
    })
  }

  /** A phone that is online at `a`. */
  async online(options: Partial<PhoneOptions> = {}): Promise<Phone> {
    const phone = this.phone(options)
    const connected = phone.connect()
    await this.time.settle()
    await connected
    return phone
  }
}
