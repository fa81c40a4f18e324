/**
 * One user's record, and how two copies of it become one. Pure.
 *
 * The version of a record is its device number: each confirmation raises it, and the higher one wins, so no clock
 * decides between copies. Two phones must never get the same number, for their messages would be taken for repetitions
 * of each other: the island's two nodes give numbers of different parity (its first node odd ones), for confirmations
 * in a netsplit; and no number is below the time's, for users whose record is lost with both nodes' memory.
 * Invariant: `merge` is commutative, associative and idempotent; neither device nor session ever goes back.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

export interface AccountRecord {
  readonly user: string
  /** Number of the phone that may log in; also the record's version. */
  readonly device: number
  /**
   * SHA-256 of its key, base64url. A slow hash would buy nothing: the key is 256 random bits, not a password, and
   * cannot be guessed at any speed.
   */
  readonly keyHash: string
  /** The last session number given to this user; 0 before the first login. */
  readonly session: number
}

/** Which of the island's two nodes gives a number: 1 for the partition's primary, 0 for the other. */
export type Side = 0 | 1

/** The smallest number of a side's parity that is not below `least`. */
export function numberOf(side: Side, least: number): number {
  return least % 2 === side ? least : least + 1
}

/** Device numbers stay below 2**21, so that `device * 2**32 + seq` is exact. */
const deviceMax = 2 ** 21 - 1
/** The time's share of them, some 39 years; the rest is for confirmations behind a clock that is far ahead. */
const stampMax = deviceMax - 2 ** 16
const stampMs = 10 * 60_000
const stampsFromMs = Date.UTC(2024, 0, 1)

/** The device number that a new user gets at least: tens of minutes since 2024. */
export function deviceStamp(wallMs: number): number {
  return Math.min(Math.max(0, Math.floor((wallMs - stampsFromMs) / stampMs)), stampMax)
}

/** The record after a confirmation: a new device, whose key ends the old one's. */
export function confirmed(
  user: string,
  key: string,
  before: AccountRecord | undefined,
  wallMs: number,
  side: Side,
): AccountRecord {
  const device = numberOf(side, Math.max((before?.device ?? 0) + 1, deviceStamp(wallMs)))
  return { user, device, keyHash: hashOf(key), session: before?.session ?? 0 }
}

/**
 * The record after a login. The session number is a hybrid stamp: wall clock milliseconds, or more where the last one
 * is not below them. It grows on each node whatever the clock does, and across nodes as far as their clocks agree.
 */
export function loggedIn(before: AccountRecord, wallMs: number, side: Side): AccountRecord {
  return { ...before, session: numberOf(side, Math.max(before.session + 1, Math.floor(wallMs))) }
}

/** What becomes of a record when a copy of it arrives; `mine` itself when the copy brings nothing new. */
export function merge(mine: AccountRecord | undefined, copy: AccountRecord): AccountRecord {
  if (!mine) return copy
  const winner = copy.device > mine.device ? copy : mine
  const session = Math.max(mine.session, copy.session)
  return winner.session === session ? winner : { ...winner, session }
}

export function keyMatches(record: AccountRecord, key: string): boolean {
  return timingSafeEqual(Buffer.from(record.keyHash), Buffer.from(hashOf(key)))
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url')
}

const hashLength = 43

/** Checks what came from the disk or from the partner; `undefined` when it is no record. */
export function asRecord(value: unknown): AccountRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { user, device, keyHash, session } = value as Record<string, unknown>
  if (typeof user !== 'string' || typeof keyHash !== 'string' || keyHash.length !== hashLength)
    return undefined
  if (!isCount(device) || !isCount(session)) return undefined
  return { user, device, keyHash, session }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** A record as the store keeps it. */
export function encodeRecord(record: AccountRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record))
}

/** Reads what {@link encodeRecord} wrote; `undefined` when it is not that. */
export function decodeRecord(bytes: Uint8Array): AccountRecord | undefined {
  try {
    return asRecord(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    return undefined
  }
}
