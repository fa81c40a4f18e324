/**
 * Two halves of an island, `a` and `b`, with one mailbox partition, and a chat node `c` with phones.
 *
 * Phones behave as connections do: they number what they send, repeat what was not answered, show each message once,
 * and acknowledge what they were given.
 */
import { pino } from 'pino'
import { Supervisor } from '../../../node/runtime/supervisor.ts'
import type {
  AckMessage,
  AttachReply,
  MailboxCall,
  SendReply,
  SessionCast,
  StoredMessage,
} from '../../../node/services/mailbox/messages.ts'
import { type MailboxOptions, testMailboxOptions } from '../../../node/services/mailbox/options.ts'
import { type MailboxService, startMailboxService } from '../../../node/services/mailbox/service.ts'
import { MemoryDisk, openMemoryStore } from '../../../node/storage/memory-store.ts'
import { type StoreOptions, testStoreOptions } from '../../../node/storage/options.ts'
import type { Store } from '../../../node/storage/store.ts'
import type { Pid } from '../../../routing/index.ts'
import { World, WorldNode } from './world.ts'

export type Half = 'a' | 'b'
const partnerOf = { a: 'b', b: 'a' } as const
export const mailboxes = { service: 'mailbox', key: 'any' } as const

/** What {@link startIsland} takes; the rest is as in `testMailboxOptions`. */
export interface IslandOptions {
  readonly seed?: number
  readonly options?: Partial<MailboxOptions>
  /** What differs from `testStoreOptions`. */
  readonly storeOptions?: Partial<StoreOptions>
  /** False for nodes without a disk; true unless given. */
  readonly durable?: boolean
  /** Halves to start; both unless given. */
  readonly halves?: readonly Half[]
}

/** One running half. */
interface Running {
  readonly node: WorldNode
  readonly service: MailboxService
  readonly store: Store
}

export class Island {
  readonly world: World
  readonly chat: WorldNode
  readonly disks: Record<Half, MemoryDisk> = { a: new MemoryDisk(), b: new MemoryDisk() }
  readonly #options: Partial<MailboxOptions>
  readonly #storeOptions: Partial<StoreOptions>
  readonly #durable: boolean
  readonly #running: Partial<Record<Half, Running>> = {}
  #creations = 10

  constructor({ seed, options, storeOptions, durable = true }: IslandOptions) {
    this.#durable = durable
    this.world = new World(seed)
    this.#options = { ...testMailboxOptions, ...options }
    this.#storeOptions = { ...testStoreOptions, ...storeOptions }
    this.chat = new WorldNode(this.world, 'c', 1)
  }

  /** @param creation less than an earlier one after a clock that went back */
  start(half: Half, creation = ++this.#creations): void {
    const node = new WorldNode(this.world, half, creation)
    const store = openMemoryStore({
      disk: this.disks[half],
      ports: { timers: node.timers },
      options: this.#storeOptions,
      durable: this.#durable,
    })
    const supervisor = new Supervisor(node.runtime, {
      restartsMax: 1,
      periodMs: 1_000,
      onFailing: (_name, reason) => {
        throw new Error(`partition of ${half} failed: ${reason}`)
      },
    })
    const service = startMailboxService(
      {
        node: half,
        partner: partnerOf[half],
        partitions: [0],
        primaryOf: () => 'a',
        store,
        clock: this.world.clock,
        log: pino({ level: 'silent' }),
        partnerWaitMs: 100,
        onGroupChange: (group, listener) => node.onGroupChange(group, listener),
      },
      supervisor,
      this.#options,
    )
    this.#running[half] = { node, service, store }
    this.world.heal(half, 'c')
    this.world.heal('a', 'b')
  }

  /** Ends a half; what its store had not committed is gone. */
  kill(half: Half): void {
    this.#running[half]?.node.kill()
    delete this.#running[half]
  }

  /** Ends a half's partition process as an error would. */
  crash(half: Half): void {
    void this.#half(half).node.runtime.whereis('mailbox/0')!.end('crash', true)
  }

  isRunning(half: Half): boolean {
    return this.#running[half] !== undefined
  }

  stats(half: Half) {
    return this.#half(half).service.stats
  }

  store(half: Half): Store {
    return this.#half(half).store
  }

  service(half: Half): MailboxService {
    return this.#half(half).service
  }

  /** Group members as the chat node sees them: which halves serve. */
  get serving(): string {
    return this.chat
      .members('mailbox/0')
      .map(pid => pid.node)
      .sort()
      .join('')
  }

  /** The pid of a half's partition process. */
  pid(half: Half): Pid {
    return this.chat.members('mailbox/0/replica').find(pid => pid.node === half)!
  }

  call(message: MailboxCall, target: Pid | typeof mailboxes = mailboxes, timeoutMs = 400): Promise<unknown> {
    return this.chat.call(target, message, timeoutMs)
  }

  /** Lets time pass while a promise is under way. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const done = () => {
      settled = true
    }
    promise.then(done, done)
    await this.world.until(() => settled, 'an answer')
    return promise
  }

  #half(half: Half): Running {
    const running = this.#running[half]
    if (!running) throw new Error(`${half} is not running`)
    return running
  }
}

/** Starts the halves and resolves when all of them serve. */
export async function startIsland(options: IslandOptions = {}): Promise<Island> {
  const island = new Island(options)
  const halves = options.halves ?? ['a', 'b']
  for (const half of halves) island.start(half)
  await island.world.until(() => island.serving === halves.join(''), 'all halves serve')
  return island
}

/** A phone and its connection, on the chat node. */
export class Phone {
  readonly user: string
  /** Each message once, as the phone shows them. */
  readonly shown: StoredMessage[] = []
  /** Each message as it was handed over, repetitions included. */
  readonly handed: StoredMessage[] = []
  /** What each attachment brought that it had not brought before. */
  readonly attachments: StoredMessage[][] = []
  readonly receipts: { by: string; number: number }[] = []
  replaced = false
  acknowledges = true
  online = false
  /** The connection's address; another one after each detach. */
  session: Pid
  readonly #island: Island
  readonly #known = new Set<string>()
  #login = 1
  #attachment = 0
  #numberLast = 0

  constructor(island: Island, user: string) {
    this.#island = island
    this.user = user
    this.session = this.#connect()
  }

  /** Attaches at the half that routing finds, or at the one given. */
  async attach(sessionNumber = this.#login, at?: Half): Promise<AttachReply> {
    return (await this.#island.wait(this.askAttach(sessionNumber, at))) as AttachReply
  }

  /** The same without waiting, while the test lets time pass. */
  askAttach(sessionNumber = this.#login, at?: Half): Promise<unknown> {
    this.online = true
    const { user, session } = this
    const attachment = ++this.#attachment
    this.attachments.push([])
    const request: MailboxCall = {
      op: 'attach',
      user,
      session: session.toString(),
      sessionNumber,
      attachment,
    }
    return this.#island.call(request, at ? this.#island.pid(at) : mailboxes)
  }

  detach(): void {
    this.online = false
    this.#island.chat.cast(mailboxes, { op: 'detach', user: this.user, session: this.session.toString() })
    this.#login += 1
    this.session = this.#connect()
  }

  /** Sends the next message, once. */
  async send(to: string, body = 'text', number = this.nextNumber(), at?: Half): Promise<SendReply> {
    return (await this.#island.wait(this.ask(to, body, number, at))) as SendReply
  }

  /** The same without waiting, while the test lets time pass. */
  ask(to: string, body: string, number: number, at?: Half, timeoutMs?: number): Promise<unknown> {
    const target = at ? this.#island.pid(at) : mailboxes
    return this.#island.call(
      { op: 'send', to, from: this.user, number, body, sentAtMs: 1 },
      target,
      timeoutMs,
    )
  }

  nextNumber(): number {
    return ++this.#numberLast
  }

  acknowledge(messages: readonly StoredMessage[], at?: Half): void {
    const ack: AckMessage = { op: 'ack', user: this.user, items: messages.map(m => [m.from, m.number]) }
    this.#island.chat.cast(at ? this.#island.pid(at) : mailboxes, ack)
  }

  /** Numbers shown, in order. */
  get numbers(): number[] {
    return this.shown.map(message => message.number)
  }

  /** A new connection; what still comes to an earlier one is for nobody. */
  #connect(): Pid {
    const session = this.#island.chat.door(message => {
      if (this.session.equals(session)) this.#receive(message as SessionCast)
    })
    return session
  }

  #receive(message: SessionCast): void {
    if (message.op === 'replaced') this.replaced = true
    else if (message.op === 'receipt') this.receipts.push({ by: message.by, number: message.number })
    else if (message.attachment === this.#attachment) {
      for (const one of message.messages) {
        this.handed.push(one)
        const brought = this.attachments.at(-1)!
        if (!brought.some(other => isSame(one, other))) brought.push(one)
        const key = `${one.from}/${one.number}`
        if (this.#known.has(key)) continue
        this.#known.add(key)
        this.shown.push(one)
      }
      if (this.acknowledges) this.acknowledge(message.messages)
    }
  }
}

function isSame(one: StoredMessage, other: StoredMessage): boolean {
  return one.from === other.from && one.number === other.number
}
