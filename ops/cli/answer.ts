/**
 * How a reading command ends: prints the document as JSON or as text, says what is missing, and sets the exit code.
 */
import type { Document } from '../admin/routes.ts'
import { exitCode } from './exit-code.ts'
import type { Io } from './io.ts'
import { printable } from './table.ts'

/** How many missing nodes a line names. */
const NAMES_MAX = 10

/**
 * Prints an answer.
 *
 * @param print makes text of the data
 */
export function printAnswer<T>(
  io: Io,
  options: { readonly json?: boolean },
  document: Document<T>,
  print: (data: T) => string,
): void {
  const { data, complete, missing } = document
  if (options.json) io.stdout.write(`${JSON.stringify({ data, complete, missing })}\n`)
  else io.stdout.write(print(data))
  if (!complete) io.stderr.write(`wand: ${printMissing(missing)}\n`)
  io.setExitCode(complete ? exitCode.done : exitCode.partial)
}

/** One line: `partial answer: 2 nodes missing: dc2-chat1 (timeout), dc2-chat2 (noconnect)`. */
export function printMissing(missing: Document<unknown>['missing']): string {
  const names = missing.slice(0, NAMES_MAX).map(({ node, reason }) => `${node} (${printable(reason)})`)
  if (missing.length > NAMES_MAX) names.push(`and ${missing.length - NAMES_MAX} more`)
  const nodes = missing.length === 1 ? '1 node' : `${missing.length} nodes`
  return `partial answer: ${nodes} missing: ${names.join(', ')}`
}
