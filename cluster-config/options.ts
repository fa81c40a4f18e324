/**
 * How long things may take, and how often they may happen, when the configuration comes from Consul.
 *
 * Relations that must hold: `retryMsMin` fits into `startMsMax` (or a start tries only once), and `ttlMs` is at least
 * three times `answerMsMax` (or one slow answer turns a healthy node critical in Consul's eyes).
 */

/** Limits and periods of everything that is said to Consul. */
export interface ConsulTimings {
  /**
   * How long a start waits for Consul before it takes the kept copy. More: fresher at the start; costs start
   * time without Consul.
   */
  readonly startMsMax: number
  /**
   * How long Consul may hold a question that has no news. More: fewer requests; costs time until a hang is
   * noticed (`waitMs * 17/16 + answerMsMax`).
   */
  readonly waitMs: number
  /** How long an answer may take beyond that. Raise it when `lastError` says "no answer" while Consul is well. */
  readonly answerMsMax: number
  /**
   * The least time between two questions, so that a key written in a loop cannot keep every node busy. Costs as
   * much delay for the second of two changes.
   */
  readonly gapMsMin: number
  /** The least time until the next try after a failure. */
  readonly retryMsMin: number
  /** The most; between them it doubles with each failure, and the moment is drawn at random. */
  readonly retryMsMax: number
  /** How long Consul believes that a node lives after it last said so; it says so three times as often. */
  readonly ttlMs: number
  /**
   * After how long Consul removes a node that has not said so. Nothing in wandist looks at this: it tidies what
   * people see.
   */
  readonly forgetMs: number
  /** How long a stop may spend on taking the registration back. */
  readonly stopMsMax: number
}

const lan: ConsulTimings = {
  startMsMax: 2_000,
  waitMs: 60_000,
  answerMsMax: 5_000,
  gapMsMin: 1_000,
  retryMsMin: 500,
  retryMsMax: 30_000,
  ttlMs: 15_000,
  forgetMs: 24 * 3_600_000,
  stopMsMax: 1_000,
}

/** The presets: an agent beside the node, an agent far away, and limits so low that tests meet them. */
export const consulTimings = {
  lan,
  wan: { ...lan, startMsMax: 5_000, waitMs: 300_000, answerMsMax: 10_000, ttlMs: 30_000, stopMsMax: 3_000 },
  test: {
    startMsMax: 1_500,
    waitMs: 400,
    answerMsMax: 300,
    gapMsMin: 20,
    retryMsMin: 20,
    retryMsMax: 200,
    ttlMs: 1_000,
    forgetMs: 60_000,
    stopMsMax: 500,
  },
} as const satisfies Record<string, ConsulTimings>
