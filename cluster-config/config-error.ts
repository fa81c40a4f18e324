/**
 * What is wrong with a configuration: one class, one line for each problem.
 *
 * Invariant: a printed problem is exactly one line, whatever the input holds, and begins with the place to look at
 * (`cluster.yaml:12:5: nodes.dc1-chat1.mesh: not host:port: "foo"`).
 */

/**
 * One thing that is wrong. `line` and `column` count from 1 and are `undefined` where there is no text to point
 * at.
 */
export interface Problem {
  readonly file: string
  readonly line: number | undefined
  readonly column: number | undefined
  /** The path of keys, `nodes.dc1-chat1.mesh`; empty for the document as a whole. */
  readonly key: string
  readonly message: string
}

/**
 * Why there is no configuration:
 * - `missing`: there is no such file;
 * - `unreadable`: there is, but it cannot be read as text;
 * - `invalid`: it was read, and its content is wrong (not YAML, wrong value, cross check);
 * - `unavailable`: a remote source gave none in time, and no kept copy stands in;
 * - `conflict`: somebody else published in the meantime; read again, then try again.
 */
export type ConfigErrorCode = 'missing' | 'unreadable' | 'invalid' | 'unavailable' | 'conflict'

/** The only error that this folder throws on purpose. Its message is the problems, a line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code: ConfigErrorCode
  readonly problems: readonly Problem[]

  constructor(code: ConfigErrorCode, problems: readonly Problem[]) {
    super(problems.map(printProblem).join('\n'))
    this.code = code
    this.problems = problems
  }
}

/** A {@link ConfigError} about a source as a whole. */
export function sourceError(code: ConfigErrorCode, file: string, message: string): ConfigError {
  return new ConfigError(code, [{ file, line: undefined, column: undefined, key: '', message }])
}

/** The one printed form of a problem: `file:line:column: key: message`, without the parts that it lacks. */
export function printProblem(problem: Problem): string {
  const place =
    problem.line === undefined ? problem.file : `${problem.file}:${problem.line}:${problem.column}`
  return oneLine([place, problem.key, problem.message].filter(part => part !== '').join(': '))
}

/** What any thrown value has to say, on one line. */
export function messageOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message || error.name : String(error))
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n\u2028\u2029]\s*/g, ' ')
}
