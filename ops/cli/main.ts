/**
 * The `wand` program: its commands, its help, and what becomes of an error.
 *
 * Each command is a file in commands/ that exports `register…(program, io)`; it finds its options with `optionsOf`,
 * writes through `io`, and ends badly by throwing a `CliError`.
 * Invariant: whatever happens, standard error gets one line that begins with `wand:`, and the exit code says which kind
 * it was. Only a bug in wand prints a stack.
 */
import { Command, CommanderError } from 'commander'
import { wandistVersion } from '../version.ts'
import { registerCert } from './commands/cert.ts'
import { registerChat } from './commands/chat.ts'
import { registerConfig } from './commands/config.ts'
import { registerDev } from './commands/dev.ts'
import { registerDiversion } from './commands/diversion.ts'
import { registerGroup } from './commands/group.ts'
import { registerNode } from './commands/node.ts'
import { registerPeer } from './commands/peer.ts'
import { registerProcess } from './commands/process.ts'
import { registerRoute } from './commands/route.ts'
import { registerStatus } from './commands/status.ts'
import { registerDivert, registerTee } from './commands/tee.ts'
import { registerUpgrade } from './commands/upgrade.ts'
import { registerWsar } from './commands/wsar.ts'
import { CliError, type ExitCode, exitCode } from './exit-code.ts'
import { configureHelp, examples } from './help.ts'
import { hasColour, type Io, processIo } from './io.ts'
import { addGlobalOptions } from './options.ts'

/** In the order in which help lists them. */
const commands = [
  registerStatus,
  registerNode,
  registerPeer,
  registerGroup,
  registerProcess,
  registerRoute,
  registerTee,
  registerDivert,
  registerDiversion,
  registerWsar,
  registerConfig,
  registerCert,
  registerUpgrade,
  registerDev,
  registerChat,
]

/** Builds the program on this io. */
export function makeProgram(io: Io): Command {
  const program = new Command('wand')
  program
    .description('Looks at, drains and upgrades a running wandist meta-cluster.')
    .version(
      `wandist ${wandistVersion()}, node ${process.versions.node}`,
      '--version',
      'print the versions of wandist and of Node',
    )
    .exitOverride()
    .configureOutput({
      writeOut: text => void io.stdout.write(text),
      writeErr: text => void io.stderr.write(text),
      getOutHelpWidth: () => Math.min(io.columns, 120),
      getErrHelpWidth: () => Math.min(io.columns, 120),
      getOutHasColors: () => hasColour(io),
      getErrHasColors: () => hasColour(io),
      outputError: (text, write) =>
        write(
          `wand: ${text
            .replace(/^error: /, '')
            .trim()
            .replaceAll('\n', ' ')}\n`,
        ),
    })
    .showSuggestionAfterError()
  configureHelp(program)
  addGlobalOptions(program)
  examples(program, [
    ['wand status', 'is everything there?'],
    ['wand node list --json', 'for a script; exit code 75 means partial'],
    ['wand wsar dc1-chat1 5', 'a row every five seconds, like sar'],
  ])
  for (const register of commands) register(program, io)
  return program
}

/**
 * Runs one command line.
 *
 * @param argv the arguments, without the program's own name
 * @returns once the command is done; never rejects
 */
export async function run(argv: readonly string[], io: Io): Promise<void> {
  try {
    await makeProgram(io).parseAsync([...argv], { from: 'user' })
  } catch (error) {
    io.setExitCode(report(error, io))
  }
}

/** The command line of this process. */
export function main(): Promise<void> {
  return run(process.argv.slice(2), processIo())
}

/** Prints what has not been printed yet, and chooses the exit code. */
function report(error: unknown, io: Io): ExitCode {
  if (error instanceof CommanderError) {
    const asked = error.code === 'commander.helpDisplayed' || error.code === 'commander.version'
    return asked || error.exitCode === 0 ? exitCode.done : exitCode.usage
  }
  if (error instanceof CliError) {
    io.stderr.write(`wand: ${error.message}\n`)
    return error.exitCode
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  io.stderr.write(`wand: bug, please report it: ${stack}\n`)
  return exitCode.bug
}
