/**
 * The options that every command takes, and how a command gets at them.
 */
import { type Command, Option } from 'commander'
import { parseTimeout } from './duration.ts'

/** What stands before or after any command. */
export interface GlobalOptions {
  /** Path of an admin socket, or `http://host:port` of a forwarded one. */
  readonly connect?: string
  readonly runDir?: string
  readonly json?: boolean
  /** `--timeout` in milliseconds. */
  readonly timeout: number
}

const TIMEOUT_MS = 2_000

/** Adds the options to the program. */
export function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option('--connect <place>', 'ask this admin socket, or http://host:port of a forwarded one').env(
        'WAND_CONNECT',
      ),
    )
    .addOption(new Option('--run-dir <dir>', 'where admin sockets of nodes are').env('WAND_RUN_DIR'))
    .addOption(new Option('--json', 'print one JSON document: data, complete, missing'))
    .addOption(
      new Option('--timeout <duration>', 'answer by then, with what has come')
        .default(TIMEOUT_MS, '2s')
        .argParser(parseTimeout),
    )
}

/** The options of a command as typed, the program's and its own together. */
export function optionsOf<Own extends object = object>(command: Command): GlobalOptions & Own {
  return command.optsWithGlobals<GlobalOptions & Own>()
}
