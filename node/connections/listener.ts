/**
 * The listener: the process that takes phones in, watches over those that have not logged in, tells connections when
 * mailboxes change hands, and sends phones away in a drain.
 *
 * One sweep for all deadlines, one subscription for all mailbox groups, one flush per turn for all output: nothing of
 * these is held per phone. It stands in group `chat` while it takes phones, so everybody sees which nodes do.
 * Invariant: every stream taken is in exactly one of: unproven, connections, lingering; or gone.
 */
import type { Pid, Target } from '../../routing/index.ts'
import type { Listener, Ports, Stream, TimerHandle } from '../../transport/index.ts'
import type { Log } from '../log.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Server } from '../runtime/server.ts'
import { Connection } from './connection.ts'
import { Deadlines } from './deadlines.ts'
import type { ConnectionEnvironment } from './environment.ts'
import { encodeFrame } from './frames.ts'
import type { ConnectionsOptions } from './options.ts'
import { Flusher } from './output.ts'
import type { GoAwayReason, ServerMessage } from './protocol.ts'
import { ConnectionsStats } from './stats.ts'
import { Unproven } from './unproven.ts'

/** What the listener takes from the node. */
export interface ListenerEnvironment {
  /** Name of this node. */
  readonly node: string
  readonly ports: Ports
  readonly router: { choose(target: Target): Pid | undefined }
  readonly registry: {
    members(group: string): readonly Pid[]
    monitor(group: string | undefined, listener: (event: MembershipEvent) => void): () => void
  }
  readonly runtime: Runtime
  readonly log: Log
  /** Where phones can go instead, `host:port`, best first. */
  readonly alternatives: () => readonly string[]
}

/** A change of a group, as the registry tells it. */
export interface MembershipEvent {
  readonly kind: 'join' | 'leave' | 'update'
  readonly group: string
  readonly pids: readonly Pid[]
}

/** How a drain goes. */
export interface ConnectionsDrain {
  /** Phones that are still here after it are cut off, ms. */
  readonly deadlineMs: number
  /** Where phones go; default: what the environment says. */
  readonly alternatives?: readonly string[]
  /** Go-aways per second; default: so many that half of the deadline suffices. */
  readonly ratePerSecond?: number
}

const GROUP = 'chat'
const MAILBOX_GROUPS = 'mailbox/'
/** How often a drain tells some more phones, and looks who is left, ms. */
const PACE_MS = 20

export class PhoneListener extends Server implements Omit<ConnectionEnvironment, 'node'> {
  readonly stats = new ConnectionsStats()
  readonly options: ConnectionsOptions
  readonly flusher: Flusher
  readonly #environment: ListenerEnvironment
  readonly #unproven: Unproven<Connection>
  readonly #connections = new Set<Connection>()
  readonly #lingering: Deadlines<Stream>
  /** Mailbox processes that left, or whose group changed, in this turn. */
  readonly #changed = new Map<string, { isGone: boolean }>()
  #listener: Listener | undefined
  #unwatch: (() => void) | undefined
  #sweep: TimerHandle
  #draining: Promise<void> | undefined
  #isStopped = false

  constructor(environment: ListenerEnvironment, options: ConnectionsOptions) {
    super()
    this.#environment = environment
    this.options = options
    this.flusher = new Flusher(environment.ports.timers)
    this.#unproven = new Unproven(options)
    this.#lingering = new Deadlines(options.lingerMs)
  }

  get node(): string {
    return this.#environment.node
  }
  get clock() {
    return this.#environment.ports.clock
  }
  get timers() {
    return this.#environment.ports.timers
  }
  get random() {
    return this.#environment.ports.random
  }
  get log(): Log {
    return this.#environment.log
  }

  /**
   * Starts to listen; before the process is spawned, so that a failure reaches who starts it.
   * @returns the address with the real port
   * @throws TransportError when the address cannot be had
   */
  async open(address: string): Promise<string> {
    const { ports, registry } = this.#environment
    this.#listener = await ports.carrier.listen(address, stream => this.#accept(stream))
    this.#unwatch = registry.monitor(undefined, event => this.#membersChanged(event))
    this.#planSweep()
    return this.#listener.address
  }

  override init(): void {
    this.context.join(GROUP)
  }

  override async terminate(): Promise<void> {
    this.#isStopped = true
    this.#unwatch?.()
    this.timers.cancel(this.#sweep)
    for (const connection of this.#all()) connection.close()
    for (const stream of this.#lingering.entries()) stream.destroy()
    await this.#listener?.close()
  }

  /** Sends all phones elsewhere, and resolves when none is left. Again is no error. */
  drain(how: ConnectionsDrain): Promise<void> {
    this.#draining ??= this.#drain(how)
    return this.#draining
  }

  /** Looks at every phone's mailbox owner again, as after a change of the configuration. */
  recheckOwners(): void {
    for (const connection of this.#all()) connection.recheckOwner(false)
  }

  // What connections ask for.

  ownerOf(user: string): Pid | undefined {
    return this.#environment.router.choose({ service: 'mailbox', key: user })
  }

  proven(connection: Connection): void {
    this.#unproven.delete(connection)
    this.#connections.add(connection)
    this.stats.logins += 1
    this.#count()
  }

  lingering(stream: Stream): void {
    this.#lingering.add(stream, this.clock.nowMs())
  }

  ended(connection: Connection, stream: Stream, isStreamGone: boolean): void {
    this.#unproven.delete(connection)
    this.#connections.delete(connection)
    if (isStreamGone) this.#lingering.delete(stream)
    this.#count()
  }

  // Phones that come.

  #accept(stream: Stream): void {
    this.stats.accepted += 1
    if (this.#isStopped) {
      stream.attach(new TurnedAway(() => {}))
      stream.destroy()
    } else if (this.#draining !== undefined) {
      this.#turnAway(stream, 'drain')
    } else if (!this.#unproven.hasRoom(stream.remoteAddress)) {
      this.#turnAway(stream, 'overload')
    } else {
      const connection = new Connection(this, stream)
      this.#unproven.add(connection, stream.remoteAddress, this.clock.nowMs())
      this.#count()
      this.#environment.runtime.spawn(connection, { queueMessagesMax: this.options.queueMessagesMax })
      stream.attach(connection)
    }
  }

  #turnAway(stream: Stream, reason: GoAwayReason): void {
    this.stats.turnedAway += 1
    stream.attach(new TurnedAway(() => this.#lingering.delete(stream)))
    this.lingering(stream)
    const goAway: ServerMessage = {
      t: 'go-away',
      reason,
      retryAfterMs: this.options.goAwayWindowMs,
      alternatives: this.#environment.alternatives(),
    }
    stream.write([encodeFrame(goAway)])
    stream.end()
  }

  // Deadlines.

  #planSweep(): void {
    this.#sweep = this.timers.after(this.options.sweepMs, () => {
      const nowMs = this.clock.nowMs()
      for (const connection of this.#unproven.takeDue(nowMs)) connection.loginTimedOut()
      for (const stream of this.#lingering.takeDue(nowMs)) stream.destroy()
      this.#count()
      if (!this.#isStopped) this.#planSweep()
    })
  }

  // Mailboxes that change hands.

  #membersChanged(event: MembershipEvent): void {
    if (!event.group.startsWith(MAILBOX_GROUPS) || event.group.endsWith('/replica')) return
    // A node's death changes many groups in one turn; phones are looked through once.
    if (this.#changed.size === 0) this.timers.soon(() => this.#recheckChanged())
    for (const pid of this.#environment.registry.members(event.group)) this.#noteChanged(pid, false)
    for (const pid of event.pids) this.#noteChanged(pid, event.kind === 'leave')
  }

  #noteChanged(pid: Pid, isGone: boolean): void {
    const known = this.#changed.get(pid.toString())
    if (known === undefined) this.#changed.set(pid.toString(), { isGone })
    else if (isGone) known.isGone = true
  }

  #recheckChanged(): void {
    for (const connection of this.#all()) {
      const { owner } = connection
      const change = owner && this.#changed.get(owner.toString())
      if (owner === undefined || change !== undefined) connection.recheckOwner(change?.isGone === true)
    }
    this.#changed.clear()
  }

  // The drain.

  async #drain({ deadlineMs, alternatives, ratePerSecond }: ConnectionsDrain): Promise<void> {
    const { options } = this
    const where = alternatives ?? this.#environment.alternatives()
    const retryAfterMs = Math.min(options.goAwayWindowMs, deadlineMs / 4)
    const endMs = this.clock.nowMs() + deadlineMs
    const perSecond =
      ratePerSecond ?? Math.max(options.goAwaysPerSecondMin, (this.#connections.size * 2000) / deadlineMs)
    this.context.leave(GROUP)
    for (const connection of this.#unproven.entries()) connection.goAway('drain', retryAfterMs, where)
    const untold = [...this.#connections]
    let budget = 1
    while (this.#connections.size > 0 && this.clock.nowMs() < endMs && !this.#isStopped) {
      for (; budget >= 1 && untold.length > 0; budget--) untold.pop()!.goAway('drain', retryAfterMs, where)
      const beforeMs = this.clock.nowMs()
      await new Promise<void>(resolve => void this.timers.after(PACE_MS, resolve))
      budget += ((this.clock.nowMs() - beforeMs) / 1000) * perSecond
    }
    for (const connection of [...this.#connections]) connection.close()
  }

  /** Those not welcome yet, too: one of them may just be attaching. */
  #all(): readonly Connection[] {
    return [...this.#unproven.entries(), ...this.#connections]
  }

  #count(): void {
    this.stats.connections = this.#connections.size
    this.stats.unproven = this.#unproven.size
  }
}

/** The handler of a stream that was told to go away: it only waits for the end. */
class TurnedAway {
  readonly #onGone: () => void

  constructor(onGone: () => void) {
    this.#onGone = onGone
  }

  onOpen(): void {}
  onData(): void {}
  onDrain(): void {}
  onClose(): void {
    this.#onGone()
  }
}
