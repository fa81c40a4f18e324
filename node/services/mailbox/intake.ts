/**
 * What comes into mailboxes and what leaves them: sends from senders, acknowledgements from phones.
 *
 * Invariants: a send is answered only by `acknowledgements.ts`, unless it is refused or the phone has the message; a
 * message leaves only when a phone has it, or when its sender was told that it is not kept. Source: C35.
 */
import { Buffer } from 'node:buffer'
import { type Caller, later } from '../../runtime/server.ts'
import { userPattern } from '../accounts/messages.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import type { Contents } from './contents.ts'
import type { Deliveries } from './deliveries.ts'
import { markOf } from './erased.ts'
import type { Entry } from './mailbox.ts'
import type { AckMessage, ReceiptMessage, SendReply, SendRequest } from './messages.ts'
import type { MailboxOptions } from './options.ts'
import type { Replica } from './replica.ts'
import type { MessageKey } from './replication.ts'
import type { MailboxStats } from './stats.ts'

/** What an intake works on: the parts of its partition. */
export interface IntakeParts {
  readonly options: MailboxOptions
  readonly stats: MailboxStats
  readonly contents: Contents
  readonly acknowledgements: Acknowledgements
  readonly deliveries: Deliveries
  readonly replica: Replica
  /** Sends a receipt to the mailbox of who wrote the message. */
  castReceipt(receipt: ReceiptMessage): void
}

export class Intake {
  readonly #parts: IntakeParts

  constructor(parts: IntakeParts) {
    this.#parts = parts
  }

  /** Takes a message in, or knows it already. */
  send({ to, from, number, body, sentAtMs }: SendRequest, caller: Caller): SendReply | typeof later {
    const { options, stats, contents, deliveries } = this.#parts
    const bytes = Buffer.byteLength(body)
    if (!userPattern.test(to) || !userPattern.test(from) || !Number.isSafeInteger(number) || number < 0) {
      caller.fail('send: not a message')
      return later
    }
    if (bytes > options.bodyBytesMax) {
      caller.fail(`send: body has ${bytes} bytes, of ${options.bodyBytesMax}`)
      return later
    }
    const key: MessageKey = [to, from, number]
    const known = contents.get(key)
    if (known?.message.body === body) {
      stats.duplicates += 1
      this.#keep(known, caller)
      return later
    }
    const erased = contents.erased.knows(key, markOf(body))
    if (erased === 'same') {
      stats.duplicates += 1
      stats.acknowledgedReplicated += 1
      return { level: 'replicated' }
    }
    // A number given twice: the second text waits with its sender until nobody holds the first, and comes late.
    const isTaken = known !== undefined || contents.erased.owes(key)
    const refusal: SendReply | undefined = isTaken ? { error: 'unavailable' } : this.#refusal(to, bytes)
    if (refusal) {
      stats.refused += 1
      return refusal
    }
    stats.appended += 1
    const entry = contents.insert(to, { from, number, body, sentAtMs, late: erased === 'other' })
    this.#keep(entry, caller)
    deliveries.mark(entry.mailbox)
    return later
  }

  /** The phone has these. */
  acknowledge({ user, items }: AckMessage): void {
    const { stats, contents, replica } = this.#parts
    for (const [from, number] of items) {
      const key: MessageKey = [user, from, number]
      const known = contents.get(key)
      if (!known && contents.erased.knows(key, undefined) === 'same') continue
      this.erase(key)
      // Without a stream, only what the partner may hold is worth a tombstone that lasts.
      if (replica.isOpen || known?.shared) {
        contents.bury(key, !replica.isOpen)
        replica.tell({ kind: 'erase', key })
      }
      if (!known) continue
      stats.erased += 1
      this.#parts.castReceipt({ op: 'receipt', user: from, by: user, number })
    }
  }

  /** The phone has this message, and whoever must know knows. */
  erase(key: MessageKey): void {
    const entry = this.#parts.contents.erase(key)
    if (!entry) return
    this.#parts.acknowledgements.delivered(entry)
    this.#parts.deliveries.acknowledged(entry)
  }

  /** The sender was told that the message is not kept. Where the phone or the partner may have it, it stays. */
  takeBack(entry: Entry): void {
    if (!entry.shared && !entry.mailbox.handed.has(entry)) this.#parts.contents.takeBack(entry)
  }

  #refusal(to: string, bytes: number): SendReply | undefined {
    const { options, contents } = this.#parts
    const length = contents.mailbox(to)?.length ?? 0
    if (length >= options.mailboxMessagesMax) return { error: 'mailbox-full' }
    return contents.isFull(bytes) ? { error: 'overload' } : undefined
  }

  #keep(entry: Entry, caller: Caller): void {
    const { replica, acknowledgements } = this.#parts
    if (replica.isOpen && !replica.isHeld(entry) && !replica.isSent(entry)) replica.append(entry)
    acknowledgements.wait(entry, caller)
  }
}
