/**
 * When a sender hears that its message is kept: after the partner's word, after an fsync, or after both.
 *
 *     partner there, `replicated`    the partner's word                      -> replicated
 *     partner there, `durable`       the partner's word and our own fsync    -> durable
 *     partner away                   our own fsync, counted as a single copy -> durable
 *
 * A stream that breaks turns all who wait for the partner into waiters for the disk. One fsync is under way at a
 * time, and all that gathers meanwhile shares the next.
 * Invariant: nobody is told a level that does not hold at that moment.
 */
import type { Caller } from '../../runtime/server.ts'
import type { Entry } from './mailbox.ts'
import type { Level, SendReply } from './messages.ts'
import type { MailboxStats } from './stats.ts'

/** The partition, as its acknowledgements see it. */
export interface AcknowledgementsHost {
  /** True when the partner holds it now. */
  isHeld(entry: Entry): boolean
  /** True when it is on its way to the partner. */
  isSent(entry: Entry): boolean
  /** Begins an fsync of all that was put so far, and says later how it ended: {@link Acknowledgements.synced}. */
  sync(): void
  /** Nobody holds it durably and the sender was told so. */
  failed(entry: Entry): void
}

export class Acknowledgements {
  readonly #level: Level
  readonly #stats: MailboxStats
  readonly #host: AcknowledgementsHost
  /** All with somebody waiting. */
  readonly #waiting = new Set<Entry>()
  /** Those that the next fsync is for. */
  #unsynced = new Set<Entry>()
  /** Those that the fsync under way is for; `undefined` while there is none. */
  #syncing: Set<Entry> | undefined
  #syncWanted = false

  constructor(level: Level, stats: MailboxStats, host: AcknowledgementsHost) {
    this.#level = level
    this.#stats = stats
    this.#host = host
  }

  /** Answers as soon as the message, which is in the contents, is kept as it should be. */
  wait(entry: Entry, caller: Caller): void {
    if (entry.waiting) {
      entry.waiting.callers.push(caller)
      return
    }
    const held = this.#host.isHeld(entry)
    const partner = !held && this.#host.isSent(entry)
    const disk = this.#level === 'durable' || !(held || partner)
    entry.waiting = { callers: [caller], partner, disk: disk ? 'pending' : 'not-asked' }
    this.#waiting.add(entry)
    if (disk) this.#unsynced.add(entry)
    this.#settle(entry)
  }

  /** The partner holds it. */
  held(entry: Entry): void {
    const { waiting } = entry
    if (!waiting || !this.#host.isHeld(entry)) return
    waiting.partner = false
    if (this.#level === 'replicated') waiting.disk = 'not-asked'
    this.#settle(entry)
  }

  /** The stream to the partner is gone: whoever waits for the partner waits for the disk. */
  fallBack(): void {
    for (const entry of this.#waiting) {
      const waiting = entry.waiting!
      if (!waiting.partner) continue
      waiting.partner = false
      if (waiting.disk === 'not-asked') {
        waiting.disk = 'pending'
        this.#unsynced.add(entry)
      }
      this.#settle(entry)
    }
  }

  /** Has the next {@link flush} begin an fsync even if nobody waits for it. */
  syncSoon(): void {
    this.#syncWanted = true
  }

  /** The phone has it: better than any level. */
  delivered(entry: Entry): void {
    if (entry.waiting) this.#answer(entry, { level: 'replicated' })
  }

  /** Begins an fsync where one is wanted. */
  flush(): void {
    if (this.#syncing || (this.#unsynced.size === 0 && !this.#syncWanted)) return
    this.#syncWanted = false
    this.#syncing = this.#unsynced
    this.#unsynced = new Set()
    this.#host.sync()
  }

  /** The fsync has ended. */
  synced(succeeded: boolean): void {
    const entries = this.#syncing ?? []
    this.#syncing = undefined
    for (const entry of entries) {
      const { waiting } = entry
      if (waiting?.disk !== 'pending' || this.#unsynced.has(entry)) continue
      waiting.disk = succeeded ? 'done' : 'failed'
      this.#settle(entry)
    }
  }

  /** Ends every wait without an answer; the last call. */
  close(reason: string): void {
    for (const entry of this.#waiting) {
      for (const caller of entry.waiting!.callers) caller.fail(reason)
      entry.waiting = undefined
    }
    this.#waiting.clear()
  }

  #settle(entry: Entry): void {
    const waiting = entry.waiting!
    if (waiting.partner || waiting.disk === 'pending') return
    const held = this.#host.isHeld(entry)
    if (waiting.disk === 'done') {
      if (!held) this.#stats.acknowledgedSingleCopy += waiting.callers.length
      this.#answer(entry, { level: held ? this.#level : 'durable' })
    } else if (held) {
      this.#answer(entry, { level: 'replicated' })
    } else {
      this.#answer(entry, { error: 'unavailable' })
      this.#host.failed(entry)
    }
  }

  #answer(entry: Entry, reply: SendReply): void {
    const { callers } = entry.waiting!
    entry.waiting = undefined
    this.#waiting.delete(entry)
    this.#unsynced.delete(entry)
    if ('error' in reply) this.#stats.refused += callers.length
    else if (reply.level === 'durable') this.#stats.acknowledgedDurable += callers.length
    else this.#stats.acknowledgedReplicated += callers.length
    for (const caller of callers) caller.reply(reply)
  }
}
