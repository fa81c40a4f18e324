/**
 * Why a node does not run, as one line and an exit code: by the class and the code of what was thrown, never by its text.
 */
import { CliError, type ExitCode, exitCode } from '../exit-code.ts'

/** Codes of the folders' errors that mean something else than a wrong configuration. */
const codes: Readonly<Record<string, Readonly<Record<string, ExitCode>>>> = {
  ConfigError: { unavailable: exitCode.unreachable },
  NodeError: { 'unknown-node': exitCode.missing, 'duplicate-name': exitCode.unreachable },
  TransportError: { 'address-in-use': exitCode.unreachable, 'address-unavailable': exitCode.unreachable },
  StoreError: {
    'disk-full': exitCode.unreachable,
    'io-error': exitCode.unreachable,
    'in-use': exitCode.unreachable,
  },
  AdminError: { 'in-use': exitCode.unreachable },
}

/** `error` as what ends a command; an error that nobody expects stays what it is. */
export function asCliError(attempt: string, error: unknown): unknown {
  if (error instanceof CliError || !(error instanceof Error)) return error
  const known = codes[error.name]
  if (known === undefined || !('code' in error)) return error
  const [first, ...more] = error.message.split('\n')
  const others = more.length > 0 ? ` (and ${more.length} more: wand config validate)` : ''
  return new CliError(known[String(error.code)] ?? exitCode.badConfiguration, `${attempt}: ${first}${others}`)
}
