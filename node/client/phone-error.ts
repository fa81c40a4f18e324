/** The client's only error; act on `code`, show `message`. */
import type { PhoneErrorCode } from '../connections/error-codes.ts'

/**
 * A server's refusal, or one of our own:
 * - `no-key`: log in needs a key; register and confirm first;
 * - `unreachable`: no address answered;
 * - `too-many-waiting`: more texts wait for an acknowledgement than the phone keeps;
 * - `texts-waiting`: a new device cannot be made while the old one's texts wait;
 * - `replaced`: another login of this user is served now;
 * - `closed`: the phone was closed.
 */
export type PhoneFailure =
  | PhoneErrorCode
  | 'no-key'
  | 'unreachable'
  | 'too-many-waiting'
  | 'texts-waiting'
  | 'replaced'
  | 'closed'

export class PhoneError extends Error {
  override readonly name = 'PhoneError'
  readonly code: PhoneFailure

  /** @param attempt what was tried, in a few words */
  constructor(code: PhoneFailure, attempt: string, detail?: string) {
    super(detail ? `${attempt}: ${code}: ${detail}` : `${attempt}: ${code}`)
    this.code = code
  }
}
