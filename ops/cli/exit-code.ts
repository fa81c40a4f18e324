/**
 * What the shell is told: exit codes after sysexits, and the one error by which a command ends with one of them.
 *
 * A script may rely on them, so a number never changes its meaning. 75 is the only one that asks to be tried again.
 */

/** How `wand` exits. */
export const exitCode = {
  /** Done, or nothing to do. */
  done: 0,
  /** Asked, and the answer is no: an upgrade halted, a drain that met its deadline, views that differ. */
  no: 1,
  /** Wrong arguments. */
  usage: 64,
  /** No such node, peer, group, service or diversion. */
  missing: 66,
  /** No node could be reached, or this machine cannot run one. */
  unreachable: 69,
  /** A bug in wand itself. */
  bug: 70,
  /** Timed out, or some nodes did not answer; what came was printed. */
  partial: 75,
  /** The configuration is wrong. */
  badConfiguration: 78,
} as const

/** One of {@link exitCode}. */
export type ExitCode = (typeof exitCode)[keyof typeof exitCode]

/** Ends a command: `message` is one line, "attempted action: current value", and goes to standard error. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode

  constructor(code: ExitCode, message: string) {
    super(message)
    this.exitCode = code
  }
}
