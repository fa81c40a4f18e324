/**
 * What connections ask the accounts service: register a user, confirm with a PIN, verify a key.
 *
 * Refusals are values, not exceptions: the caller acts on each of them. Source: C36.
 */

/** Call: make a PIN for this user and hand it to the PIN hook. */
export interface RegisterRequest {
  readonly op: 'register'
  readonly user: string
}

/** Call: the PIN came back; make a key, which ends the previous device's key. */
export interface ConfirmRequest {
  readonly op: 'confirm'
  readonly user: string
  readonly pin: string
}

/** Call: is this the user's key? */
export interface VerifyRequest {
  readonly op: 'verify'
  readonly user: string
  readonly key: string
}

export type AccountsRequest = RegisterRequest | ConfirmRequest | VerifyRequest

export type AccountsError =
  | 'bad-user'
  | 'unknown-user'
  | 'wrong-pin'
  | 'wrong-key'
  | 'too-many-tries'
  | 'unavailable'

/** `pin` only where the configuration says so, for demos. */
export type RegisterReply = { readonly pin?: string } | { readonly error: AccountsError }
/** `device` grows with each confirmation, stays below 2**21, and is never given twice: tens of minutes since 2024, or more. */
export type ConfirmReply =
  | { readonly key: string; readonly device: number }
  | { readonly error: AccountsError }
/** `session` grows with each verification of the user. */
export type VerifyReply =
  | { readonly device: number; readonly session: number }
  | { readonly error: AccountsError }

/** What a user name may be. */
export const userPattern = /^[a-zA-Z0-9_+.-]{1,64}$/
