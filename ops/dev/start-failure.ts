/**
 * Why a run cannot begin when a node of it ends before everything is up: what the node said last, as one line.
 */
import { readFileSync } from 'node:fs'
import { CliError, type ExitCode, exitCode } from '../cli/exit-code.ts'
import type { ChildStatus } from './children.ts'

/** The last line of its log, and its exit code where that has a meaning for us too. */
export function startFailure({ node, lastEnd, logFile }: ChildStatus): CliError {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n')
  const said = lines.findLast(line => line.startsWith('wand: '))?.slice('wand: '.length)
  const reason = said ?? [`run ${node}`, lastEnd, lines.at(-1)].filter(part => part !== '').join(': ')
  const codes: readonly number[] = [exitCode.badConfiguration, exitCode.unreachable]
  const code = Number(/^exit (\d+)$/.exec(lastEnd ?? '')?.[1])
  return new CliError(codes.includes(code) ? (code as ExitCode) : exitCode.unreachable, `dev up: ${reason}`)
}
