/** Why a server refuses a phone. Only appended to; PROTOCOL.md says what a phone does about each. */

export const phoneErrorCodes = [
  'frame-too-big',
  'bad-frame',
  'unsupported',
  'unexpected',
  'not-logged-in',
  'login-timeout',
  'bad-user',
  'unknown-user',
  'wrong-pin',
  'wrong-key',
  'too-many-tries',
  'unavailable',
  'rate',
  'too-many-unacknowledged',
  'body-too-big',
  'mailbox-full',
  'draining',
  'slow-reader',
] as const
export type PhoneErrorCode = (typeof phoneErrorCodes)[number]

/** Those after which a phone has nothing more to do here, when they are about the connection and not about one send. */
export const closingCodes: ReadonlySet<PhoneErrorCode> = new Set([
  'frame-too-big',
  'bad-frame',
  'unexpected',
  'not-logged-in',
  'login-timeout',
  'bad-user',
  'unknown-user',
  'wrong-key',
  'too-many-tries',
  'unavailable',
  'rate',
  'slow-reader',
])
