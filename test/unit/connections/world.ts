/**
 * A chat node without a mesh: a real runtime and listener on a virtual clock and a carrier in memory, with scripted
 * accounts and mailboxes behind the router.
 *
 * Nothing moves by itself: `settle` runs what is due now, `advance` lets time pass.
 */
import { pino } from 'pino'
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from '../../../node/connections/frames.ts'
import type { MembershipEvent } from '../../../node/connections/listener.ts'
import { type ConnectionsOptions, testConnectionsOptions } from '../../../node/connections/options.ts'
import { readServerMessage, type ServerMessage } from '../../../node/connections/protocol.ts'
import { type Connections, startConnections } from '../../../node/connections/service.ts'
import { Runtime } from '../../../node/runtime/runtime.ts'
import type { VerifyReply } from '../../../node/services/accounts/messages.ts'
import type {
  AttachReply,
  AttachRequest,
  SendReply,
  SendRequest,
  SessionCast,
} from '../../../node/services/mailbox/messages.ts'
import { Pid, RoutingError, type RoutingErrorCode, type Target } from '../../../routing/index.ts'
import {
  MemoryNetwork,
  type Ports,
  Sent,
  type Stream,
  type StreamHandler,
  type Timers,
} from '../../../transport/index.ts'

/** A clock that stands still, and timers that fire when it is moved. */
export class VirtualTime implements Timers {
  now = 1_000
  #soon: (() => void)[] = []
  #timers = new Map<object, { atMs: number; run: () => void }>()

  readonly clock = { nowMs: () => this.now, wallMs: () => 1_700_000_000_000 + this.now }

  after(delayMs: number, run: () => void): object {
    const handle = {}
    this.#timers.set(handle, { atMs: this.now + delayMs, run })
    return handle
  }
  cancel(handle: unknown): void {
    this.#timers.delete(handle as object)
  }
  soon(run: () => void): void {
    this.#soon.push(run)
  }

  /** Runs what is due now, until all is quiet. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; quiet++) {
      await new Promise(resolve => setImmediate(resolve))
      if (this.#soon.length === 0) continue
      quiet = -1
      for (const run of this.#soon.splice(0)) run()
    }
  }

  /** Lets time pass, timer by timer. */
  async advance(ms: number): Promise<void> {
    const endMs = this.now + ms
    for (;;) {
      await this.settle()
      const due = [...this.#timers].filter(([, timer]) => timer.atMs <= endMs)
      if (due.length === 0) break
      const [handle, timer] = due.reduce((first, other) => (other[1].atMs < first[1].atMs ? other : first))
      this.now = Math.max(this.now, timer.atMs)
      this.#timers.delete(handle)
      timer.run()
    }
    this.now = endMs
    await this.settle()
  }
}

type Script<Request, Reply> = (request: Request, owner: Pid) => Reply | RoutingErrorCode | Promise<Reply>

/** One message that was cast. */
export interface CastRecord {
  readonly target: Target
  readonly message: unknown
}

export class World {
  readonly time: VirtualTime
  readonly network: MemoryNetwork
  readonly runtime: Runtime
  /** Where its phones connect, `HOST:1`. */
  readonly host: string
  /** Calls of `send`, in order. */
  readonly sends: SendRequest[] = []
  readonly attaches: { readonly request: AttachRequest; readonly owner: Pid }[] = []
  readonly casts: CastRecord[] = []
  /** Group to members; the first is preferred. Every user's mailbox is in partition 0. */
  readonly groups = new Map<string, Pid[]>([['mailbox/0', [mailboxPid('dc1-mailbox1')]]])
  alternatives: string[] = ['other:1', 'other:2']
  connections!: Connections
  sessions = 0

  /** What the services answer; replaced by tests. A routing error's code rejects the call. */
  onSend: Script<SendRequest, SendReply> = () => ({ level: 'replicated' })
  onAttach: Script<AttachRequest, AttachReply> = () => ({ attached: true })
  onAccounts: Script<{ op: string; user: string; key?: string; pin?: string }, unknown> = request =>
    this.accounts(request)

  #watchers = new Set<(event: MembershipEvent) => void>()

  constructor(beside: World | undefined) {
    const time = beside?.time ?? new VirtualTime()
    this.time = time
    this.network = beside?.network ?? new MemoryNetwork({ timers: time })
    this.host = beside === undefined ? 'chat1' : 'chat2'
    this.runtime = new Runtime({
      node: `dc1-${this.host}`,
      creation: 7,
      clock: time.clock,
      timers: time,
      log: pino({ level: 'silent' }),
      routing: {
        cast: (target, message) => {
          this.casts.push({ target, message })
          return Sent.ok
        },
        call: (target, message, options) => this.#call(target, message, options?.timeoutMs ?? 5_000),
        castAll: () => 0,
        update: () => {},
        join: (group, pid) => this.join(group, pid),
        leave: (group, pid) => this.leave(group, pid),
        leaveAll: pid => {
          for (const group of this.groups.keys()) this.leave(group, pid)
        },
        members: group => this.groups.get(group) ?? [],
      },
    })
  }

  /** A world with a listening chat node; `beside` another one, it shares that one's time and network. */
  static async start(options: Partial<ConnectionsOptions> = {}, beside?: World): Promise<World> {
    const world = new World(beside)
    world.connections = await startConnections({
      node: world.runtime.node,
      address: `${world.host}:1`,
      ports: world.ports(world.host),
      router: { choose: target => world.#choose(target) },
      registry: {
        members: group => world.groups.get(group) ?? [],
        monitor: (_group, listener) => {
          world.#watchers.add(listener)
          return () => world.#watchers.delete(listener)
        },
      },
      runtime: world.runtime,
      log: world.runtime.log,
      alternatives: () => world.alternatives,
      options: { ...testConnectionsOptions, ...options },
    })
    await world.time.settle()
    return world
  }

  /** A host's ports: the shared clock, and chance that is always one half. */
  ports(host: string): Ports {
    return {
      clock: this.time.clock,
      timers: this.time,
      random: { next: () => 0.5, bytes: count => new Uint8Array(count) },
      carrier: this.network.carrier(host),
    }
  }

  get stats() {
    return this.connections.stats
  }

  /** The accounts service as it works: key `key-USER`, PIN 1234, a growing session. */
  accounts(request: { op: string; user: string; key?: string; pin?: string }): unknown {
    if (request.op === 'register') return { pin: '1234' }
    if (request.op === 'confirm') {
      return request.pin === '1234' ? { key: `key-${request.user}`, device: 3 } : { error: 'wrong-pin' }
    }
    if (request.key !== `key-${request.user}`) return { error: 'wrong-key' } satisfies VerifyReply
    this.sessions += 1
    return { device: 3, session: this.sessions } satisfies VerifyReply
  }

  join(group: string, pid: Pid): void {
    this.groups.set(group, [...(this.groups.get(group) ?? []), pid])
    this.#tell({ kind: 'join', group, pids: [pid] })
  }

  leave(group: string, pid: Pid): void {
    const members = this.groups.get(group) ?? []
    if (!members.some(other => other.equals(pid))) return
    this.groups.set(
      group,
      members.filter(other => !other.equals(pid)),
    )
    this.#tell({ kind: 'leave', group, pids: [pid] })
  }

  /** Casts to the connection that attached last, as its mailbox does. */
  toSession(message: SessionCast, session = this.attaches.at(-1)!.request.session): void {
    this.runtime.deliver(Pid.parse(session)!.index, {
      isCall: false,
      message,
      from: undefined,
      fromNode: 'dc1-mailbox1',
      deadlineMs: Number.POSITIVE_INFINITY,
      reply: () => {},
      refuse: () => {},
    })
  }

  /** Casts of one kind, in order. */
  castsOf(op: string): { op: string; [field: string]: unknown }[] {
    return this.casts.map(({ message }) => message as { op: string }).filter(message => message.op === op)
  }

  /** A raw phone: dials, and keeps what it hears. */
  async dial(host = 'alice-phone'): Promise<RawPhone> {
    const phone = new RawPhone(this, this.network.carrier(host).dial('chat1:1'))
    await this.time.settle()
    return phone
  }

  /** A raw phone that is logged in. */
  async loggedIn(user: string, host = `${user}-phone`): Promise<RawPhone> {
    const phone = await this.dial(host)
    await phone.say({ t: 'login', user, key: `key-${user}` })
    return phone
  }

  #choose(target: Target): Pid | undefined {
    if (target instanceof Pid) return target
    return 'service' in target ? this.groups.get('mailbox/0')?.[0] : this.groups.get(target.group)?.[0]
  }

  async #call(target: Target, message: unknown, timeoutMs: number): Promise<unknown> {
    const owner =
      'service' in target && target.service === 'accounts' ? mailboxPid('accounts') : this.#choose(target)
    if (owner === undefined) throw new RoutingError('no-member', 'call')
    const answer = this.#answer(message as { op: string }, owner)
    const late = new Promise(resolve => this.time.after(timeoutMs, () => resolve('timeout')))
    const reply = await (answer instanceof Promise ? Promise.race([answer, late]) : answer)
    if (typeof reply === 'string') throw new RoutingError(reply as RoutingErrorCode, 'call')
    return reply
  }

  #answer(message: { op: string }, owner: Pid): unknown {
    if (message.op === 'send') {
      this.sends.push(message as SendRequest)
      return this.onSend(message as SendRequest, owner)
    }
    if (message.op === 'attach') {
      this.attaches.push({ request: message as AttachRequest, owner })
      return this.onAttach(message as AttachRequest, owner)
    }
    return this.onAccounts(message as unknown as { op: string; user: string }, owner)
  }

  #tell(event: MembershipEvent): void {
    for (const watcher of this.#watchers) watcher(event)
  }
}

/** The address of a mailbox process. */
export function mailboxPid(node: string, creation = 1): Pid {
  return new Pid(node, creation, 0, 64)
}

/** An answer that never comes. */
export const never = new Promise<never>(() => {})

/** A phone that says whatever it is told, and has no manners of its own. */
export class RawPhone implements StreamHandler {
  readonly heard: ServerMessage[] = []
  isClosed = false
  readonly stream: Stream
  readonly #world: World
  readonly #reader = new FrameReader(FRAME_BYTES_MAX)

  constructor(world: World, stream: Stream) {
    this.#world = world
    this.stream = stream
    stream.attach(this)
  }

  /** Sends messages in one write, and lets the world answer. */
  async say(...messages: object[]): Promise<void> {
    await this.bytes(...messages.map(message => encodeFrame(message)))
  }

  async bytes(...chunks: Uint8Array[]): Promise<void> {
    this.stream.write(chunks)
    await this.#world.time.settle()
  }

  /** What was heard of one kind, in order. */
  of<T extends ServerMessage['t']>(t: T): (ServerMessage & { t: T })[] {
    return this.heard.filter(message => message.t === t) as (ServerMessage & { t: T })[]
  }

  onOpen(): void {}
  onData(bytes: Uint8Array): void {
    const error = this.#reader.feed(bytes, this)
    if (error !== undefined) throw new Error(`the server sent ${error}`)
  }
  takeFrame(frame: Uint8Array): boolean {
    const message = readServerMessage(frame)
    if (message === undefined) throw new Error('the server sent what its own protocol does not know')
    this.heard.push(message)
    return true
  }
  onDrain(): void {}
  onClose(): void {
    this.isClosed = true
  }
}
