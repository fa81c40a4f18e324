/**
 * The phone protocol: what phones and servers say to each other, and how each end checks what it is told.
 *
 * Both ends use this file. A decoded map is checked field by field into a fresh object, so that nothing unchecked goes
 * further; fields that are not known here are ignored, which is how later versions add some. `PROTOCOL.md` is the same
 * for people.
 * Invariant: `readPhoneMessage` and `readServerMessage` never throw, whatever the bytes.
 */
import { userPattern } from '../services/accounts/messages.ts'
import type { Level } from '../services/mailbox/messages.ts'
import { decodeCbor } from './cbor.ts'
import type { PhoneErrorCode } from './error-codes.ts'

/** Longest text of one message, bytes of UTF-8. */
export const BODY_BYTES_MAX = 32 * 1024
/** Sends that a phone may have unanswered. */
export const WINDOW = 32
/** Messages that one `got` may name. */
export const GOT_ITEMS_MAX = 1024
/** A message number is `device * DEVICE_FACTOR + seq`. */
export const DEVICE_FACTOR = 2 ** 32

const PIN_CHARACTERS_MAX = 32
const KEY_CHARACTERS_MAX = 256
const CODE_CHARACTERS_MAX = 64

/** All that a phone says. */
export type PhoneMessage =
  | { readonly t: 'register'; readonly user: string }
  | { readonly t: 'confirm'; readonly user: string; readonly pin: string }
  | { readonly t: 'login'; readonly user: string; readonly key: string }
  | { readonly t: 'send'; readonly seq: number; readonly to: string; readonly body: string }
  | { readonly t: 'got'; readonly items: readonly GotItem[] }
  | { readonly t: 'ping' }
  | { readonly t: 'bye' }

/** One message that the phone has. */
export type GotItem = readonly [from: string, number: number]

/** One message as it reaches the phone. */
export interface DeliveredMessage {
  readonly from: string
  /** Names the message together with `from`; grows per sender. */
  readonly number: number
  readonly body: string
  /** When the sender's node took it, milliseconds since 1970. */
  readonly sentAtMs: number
  /** Came in behind a later one of the same sender, as a netsplit healed. */
  readonly late: boolean
}

export const goAwayReasons = ['drain', 'replaced', 'overload'] as const
export type GoAwayReason = (typeof goAwayReasons)[number]

/** All that a server says. */
export type ServerMessage =
  | { readonly t: 'registered'; readonly pin?: string }
  | { readonly t: 'confirmed'; readonly key: string; readonly device: number }
  | { readonly t: 'welcome'; readonly device: number; readonly node: string; readonly window: number }
  | { readonly t: 'sent'; readonly seq: number; readonly level: Level }
  | { readonly t: 'deliver'; readonly messages: readonly DeliveredMessage[] }
  | { readonly t: 'receipt'; readonly by: string; readonly seq: number }
  | { readonly t: 'pong' }
  | {
      readonly t: 'go-away'
      readonly reason: GoAwayReason
      readonly retryAfterMs: number
      readonly alternatives: readonly string[]
    }
  | ErrorMessage

/** A refusal. With `seq` it is about that send, otherwise about the connection. */
export interface ErrorMessage {
  readonly t: 'error'
  readonly code: PhoneErrorCode
  readonly seq?: number
  /** For people. */
  readonly detail: string
  /** Present when the same may be tried again, and when. */
  readonly retryAfterMs?: number
}

/** What is wrong with a phone's message. */
export interface Complaint {
  readonly code: 'bad-frame' | 'unsupported' | 'bad-user' | 'body-too-big'
  readonly detail: string
  /** The send that it is about, where one is known. */
  readonly seq?: number
}

/** Reads a frame that a phone sent: a checked message, or what is wrong with it. */
export function readPhoneMessage(frame: Uint8Array): PhoneMessage | Complaint {
  const map = decodeCbor(frame)
  if (map === undefined) return bad('not one CBOR map of the allowed subset')
  switch (map.t) {
    case 'send':
      return readSend(map)
    case 'got':
      return readGot(map)
    case 'ping':
      return { t: 'ping' }
    case 'bye':
      return { t: 'bye' }
    case 'register':
      return isUser(map.user) ? { t: 'register', user: map.user } : badUser('user')
    case 'confirm':
      if (!isUser(map.user)) return badUser('user')
      if (!isText(map.pin, PIN_CHARACTERS_MAX)) return bad('confirm: pin')
      return { t: 'confirm', user: map.user, pin: map.pin }
    case 'login':
      if (!isUser(map.user)) return badUser('user')
      if (!isText(map.key, KEY_CHARACTERS_MAX)) return bad('login: key')
      return { t: 'login', user: map.user, key: map.key }
    default:
      return typeof map.t === 'string'
        ? { code: 'unsupported', detail: 'no such message in this version' }
        : bad('t is not a text')
  }
}

/** Reads a frame that a server sent; `undefined` for what this version does not know or cannot use. */
export function readServerMessage(frame: Uint8Array): ServerMessage | undefined {
  const map = decodeCbor(frame)
  switch (map?.t) {
    case 'deliver':
      return readDeliver(map)
    case 'sent': {
      const { level } = map
      if (!isSeq(map.seq) || (level !== 'replicated' && level !== 'durable')) return undefined
      return { t: 'sent', seq: map.seq, level }
    }
    case 'receipt':
      return isUser(map.by) && isSeq(map.seq) ? { t: 'receipt', by: map.by, seq: map.seq } : undefined
    case 'pong':
      return { t: 'pong' }
    case 'welcome':
      if (!isCount(map.device) || !isCount(map.window) || typeof map.node !== 'string') return undefined
      return { t: 'welcome', device: map.device, node: map.node, window: map.window }
    case 'registered':
      return typeof map.pin === 'string' ? { t: 'registered', pin: map.pin } : { t: 'registered' }
    case 'confirmed':
      if (typeof map.key !== 'string' || !isCount(map.device)) return undefined
      return { t: 'confirmed', key: map.key, device: map.device }
    case 'go-away':
      return readGoAway(map)
    case 'error':
      return readError(map)
    default:
      return undefined
  }
}

/** True for a complaint, false for a message. */
export function isComplaint(read: PhoneMessage | Complaint): read is Complaint {
  return 'code' in read
}

function readSend(map: Record<string, unknown>): PhoneMessage | Complaint {
  const { seq, to, body } = map
  if (!isSeq(seq)) return bad('send: seq')
  if (!isUser(to)) return { code: 'bad-user', detail: 'send: to', seq }
  if (typeof body !== 'string') return bad('send: body')
  // A UTF-16 unit takes three bytes at most, so short texts need no count.
  if (body.length * 3 > BODY_BYTES_MAX && new TextEncoder().encode(body).length > BODY_BYTES_MAX) {
    return { code: 'body-too-big', detail: `send: body over ${BODY_BYTES_MAX} bytes`, seq }
  }
  return { t: 'send', seq, to, body }
}

function readGot(map: Record<string, unknown>): PhoneMessage | Complaint {
  if (!Array.isArray(map.items) || map.items.length > GOT_ITEMS_MAX) return bad('got: items')
  const items: GotItem[] = []
  for (const item of map.items) {
    if (!Array.isArray(item) || item.length !== 2 || !isUser(item[0])) return bad('got: item')
    const number = wholeNumber(item[1])
    if (number === undefined) return bad('got: number')
    items.push([item[0], number])
  }
  return { t: 'got', items }
}

function readDeliver(map: Record<string, unknown>): ServerMessage | undefined {
  if (!Array.isArray(map.messages)) return undefined
  const messages: DeliveredMessage[] = []
  for (const message of map.messages) {
    if (typeof message !== 'object' || message === null) return undefined
    const { from, body, late } = message
    const [number, sentAtMs] = [wholeNumber(message.number), wholeNumber(message.sentAtMs)]
    if (!isUser(from) || typeof body !== 'string' || number === undefined || sentAtMs === undefined)
      return undefined
    messages.push({ from, number, body, sentAtMs, late: late === true })
  }
  return { t: 'deliver', messages }
}

function readGoAway(map: Record<string, unknown>): ServerMessage | undefined {
  const { reason, retryAfterMs, alternatives } = map
  if (!isOneOf(goAwayReasons, reason) || !isCount(retryAfterMs) || !Array.isArray(alternatives))
    return undefined
  return {
    t: 'go-away',
    reason,
    retryAfterMs,
    alternatives: alternatives.filter(text => typeof text === 'string'),
  }
}

function readError(map: Record<string, unknown>): ServerMessage | undefined {
  const { code, seq, detail, retryAfterMs } = map
  if (!isText(code, CODE_CHARACTERS_MAX)) return undefined
  return {
    t: 'error',
    // A later version's code is kept: `seq` and `retryAfterMs` say what to do about it.
    code: code as PhoneErrorCode,
    detail: typeof detail === 'string' ? detail : '',
    ...(isSeq(seq) ? { seq } : {}),
    ...(isCount(retryAfterMs) ? { retryAfterMs } : {}),
  }
}

function bad(detail: string): Complaint {
  return { code: 'bad-frame', detail }
}

function badUser(detail: string): Complaint {
  return { code: 'bad-user', detail }
}

function isUser(value: unknown): value is string {
  return typeof value === 'string' && userPattern.test(value)
}

function isText(value: unknown, charactersMax: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= charactersMax
}

function isSeq(value: unknown): value is number {
  return isCount(value) && value >= 1
}

/** A u32. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < DEVICE_FACTOR
}

/** 0 to 2^53 - 1: other encoders write large ones as u64, which arrive here as bigint. */
function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

function isOneOf<const T extends readonly string[]>(list: T, value: unknown): value is T[number] {
  return typeof value === 'string' && list.includes(value)
}
