/**
 * How a node's accounts partitions are run, beside what their environment gives them.
 */
import type { Random } from '../../../transport/index.ts'

/** Brings a PIN to its user: a text message, in life. Must not block. */
export type PinHook = (user: string, pin: string) => void

export interface AccountsOptions {
  /** `reply`: the answer to `register` carries the PIN too, for demos. */
  readonly pin: 'reply' | 'log'
  readonly onPin: PinHook
  /** Makes PINs and keys; must be unpredictable. */
  readonly random: Random
}

/**
 * How long the partner may take to confirm a push before whoever waits for it is sent to the disk, in ms. More waits
 * longer for a slow partner; costs callers that long when it hangs. Must be less than callers wait for an answer.
 */
export const pushTimeoutMs = 2_000

/** Wait before a push that failed is tried again, in ms. */
export const pushAgainMs = 250
