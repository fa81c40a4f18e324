/**
 * A phone's texts on their way to mailboxes: one at a time per recipient, each until it is acknowledged.
 *
 * Stop-and-wait is where order comes from: the next text for a recipient leaves only when the one before is kept. Every
 * try carries the same number, so a try whose answer was lost does no harm. Texts for different recipients do not wait
 * for each other.
 * Invariant: per recipient at most one call is under way; per `seq` exactly one answer, unless the outbox is stopped.
 */

import type { Target } from '../../routing/index.ts'
import type { Clock, Random, TimerHandle, Timers } from '../../transport/index.ts'
import type { Level, SendReply, SendRequest } from '../services/mailbox/messages.ts'
import { backOffMs } from './back-off.ts'
import type { ConnectionsOptions } from './options.ts'
import { DEVICE_FACTOR, WINDOW } from './protocol.ts'
import type { ConnectionsStats } from './stats.ts'

/** Whose outbox it is, and who hears of the answers. */
export interface OutboxHost {
  readonly user: string
  readonly device: number
  /** A call with the usual timeout. */
  ask(target: Target, message: unknown): Promise<unknown>
  sent(seq: number, level: Level): void
  refused(seq: number, code: 'mailbox-full'): void
}

/** What it takes from its surroundings. */
export interface OutboxEnvironment {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly options: ConnectionsOptions
  readonly stats: ConnectionsStats
}

interface Entry {
  readonly seq: number
  readonly request: SendRequest
  failures: number
  retry: TimerHandle | undefined
}

export class Outbox {
  readonly #host: OutboxHost
  readonly #environment: OutboxEnvironment
  /** Recipient to its texts; the first is under way. */
  readonly #queues = new Map<string, Entry[]>()
  readonly #seqs = new Set<number>()
  #isStopped = false

  constructor(host: OutboxHost, environment: OutboxEnvironment) {
    this.#host = host
    this.#environment = environment
  }

  /** Texts without an answer. */
  get length(): number {
    return this.#seqs.size
  }

  /** Takes a text; `known` when it is here already and will be answered, `full` when the window is used up. */
  offer(seq: number, to: string, body: string): 'taken' | 'known' | 'full' {
    if (this.#seqs.has(seq)) return 'known'
    if (this.#seqs.size >= WINDOW) return 'full'
    const { user, device } = this.#host
    const entry: Entry = {
      seq,
      request: {
        op: 'send',
        to,
        from: user,
        number: device * DEVICE_FACTOR + seq,
        body,
        sentAtMs: Math.floor(this.#environment.clock.wallMs()),
      },
      failures: 0,
      retry: undefined,
    }
    this.#seqs.add(seq)
    const queue = this.#queues.get(to)
    if (queue !== undefined) {
      queue.push(entry)
    } else {
      this.#queues.set(to, [entry])
      this.#try(entry)
    }
    return 'taken'
  }

  /** Gives up what is left: the phone will repeat it elsewhere. */
  stop(): void {
    this.#isStopped = true
    for (const queue of this.#queues.values()) this.#environment.timers.cancel(queue[0]!.retry)
    this.#queues.clear()
    this.#seqs.clear()
  }

  #try(entry: Entry): void {
    this.#host.ask({ service: 'mailbox', key: entry.request.to }, entry.request).then(
      reply => this.#answered(entry, reply as SendReply | undefined),
      () => this.#tryLater(entry),
    )
  }

  #answered(entry: Entry, reply: SendReply | undefined): void {
    if (this.#isStopped) return
    if (reply === undefined) {
      this.#tryLater(entry)
    } else if ('level' in reply) {
      this.#next(entry)
      this.#host.sent(entry.seq, reply.level)
    } else if (reply.error === 'mailbox-full') {
      this.#next(entry)
      this.#host.refused(entry.seq, reply.error)
    } else {
      this.#tryLater(entry)
    }
  }

  /** Whatever the reason is, the text is still wanted: the recipient's island may just be changing hands. */
  #tryLater(entry: Entry): void {
    if (this.#isStopped) return
    const { timers, random, options, stats } = this.#environment
    stats.retries += 1
    const waitMs = backOffMs(random, entry.failures, options.backoffMsMin, options.backoffMsMax)
    entry.failures += 1
    entry.retry = timers.after(waitMs, () => this.#try(entry))
  }

  #next(entry: Entry): void {
    this.#seqs.delete(entry.seq)
    const { to } = entry.request
    const queue = this.#queues.get(to)!
    queue.shift()
    if (queue.length === 0) this.#queues.delete(to)
    else this.#try(queue[0]!)
  }
}
