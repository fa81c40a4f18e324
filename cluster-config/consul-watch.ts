/**
 * One blocking question, asked again and again: the watch on the key that holds the configuration.
 *
 * The npm client's own watch is not used, for it ends for good on an HTTP 400 and takes the process down when nobody
 * listens for its errors. Here every failure is the same: told, waited out with jitter, tried again, until the signal.
 *
 * Two rules about the index, which says how new an answer is. After a failure the question is asked without it: the
 * answer comes at once, and with it the certainty that what is in force is current. An answer whose index went back is
 * believed only when it is given a second time: a server that lags says so once, a Consul restored from a backup always.
 *
 * Source: Consul's documentation of blocking queries (index must be reset when it goes backwards; rate limit).
 */
import { backoffMs, pause } from './backoff.ts'
import { messageOf } from './config-error.ts'
import type { KeyAnswer } from './consul-client.ts'
import type { ConsulTimings } from './options.ts'

/** Asks once; answers at once when `index` is 0, else when there is news or the wait is over. */
export type AskKey = (index: bigint, signal: AbortSignal) => Promise<KeyAnswer>

/** What the watch tells; neither may throw. */
export interface WatchEvents {
  /** Consul answered: with news, or with the same as before. */
  answer(answer: KeyAnswer): void
  /** It did not; the watch goes on. */
  problem(message: string): void
}

/**
 * Watches until `signal` is aborted; resolves then, and never rejects.
 *
 * @param random for the jitter
 */
export async function watchKey(
  ask: AskKey,
  events: WatchEvents,
  timings: Pick<ConsulTimings, 'gapMsMin' | 'retryMsMin' | 'retryMsMax'>,
  signal: AbortSignal,
  random = Math.random,
): Promise<void> {
  let newest = 0n
  let question = 0n
  let wentBack = false
  let failures = 0
  while (!signal.aborted) {
    const askedAtMs = performance.now()
    try {
      const answer = await ask(question, signal)
      failures = 0
      if (answer.index < newest && !wentBack) {
        wentBack = true
        question = 0n
      } else {
        wentBack = false
        newest = answer.index
        // A question with index 0 never blocks; Consul has answered 0 by mistake before.
        question = newest > 0n ? newest : 1n
        events.answer(answer)
      }
      await pause(timings.gapMsMin - (performance.now() - askedAtMs), signal)
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      question = 0n
      events.problem(messageOf(error))
      await pause(backoffMs(failures, timings.retryMsMin, timings.retryMsMax, random), signal)
    }
  }
}
