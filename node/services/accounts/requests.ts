/**
 * Checks of what callers send, by hand: what is wrong comes back as the refusal to answer with.
 */
import { type AccountsError, type AccountsRequest, userPattern } from './messages.ts'

/** The request that `message` is, or why it is none. */
export function asRequest(message: unknown): AccountsRequest | { readonly error: AccountsError } {
  const { op, user, pin, key } = (message ?? {}) as Record<string, unknown>
  if (typeof user !== 'string' || !userPattern.test(user)) return { error: 'bad-user' }
  if (op === 'register') return { op, user }
  if (op === 'confirm') return typeof pin === 'string' ? { op, user, pin } : { error: 'wrong-pin' }
  if (op === 'verify') return typeof key === 'string' ? { op, user, key } : { error: 'wrong-key' }
  // An operation of a later version, from a caller that has been upgraded before us.
  return { error: 'unavailable' }
}
