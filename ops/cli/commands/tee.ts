/**
 * `wand tee` and `wand divert`: send a share of the messages to a group, or to a peer, to another node too, or instead.
 *
 * Both take the same options; what differs is what becomes of the message itself.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { diversionMsDefault } from '../../../node/index.ts'
import type { DiversionRow } from '../../admin/diversion-routes.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { parseDuration, printDuration } from '../duration.ts'
import { CliError, exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { optionsOf } from '../options.ts'
import { printable } from '../table.ts'

interface Options {
  readonly group?: string
  readonly peer?: string
  readonly fraction: number
  readonly to: string
  readonly for: number
  readonly on: string
}

export function registerTee(program: Command, io: Io): void {
  const command = register(program, io, 'tee', 'copy a share of ordinary messages to another node')
  examples(command, [
    ['wand tee --group chat --fraction 0.1 --to dc1-chat2', 'every tenth message goes there, too'],
    ['wand diversion list', 'what became of it'],
  ])
}

export function registerDivert(program: Command, io: Io): void {
  const command = register(program, io, 'divert', 'turn a share of ordinary messages to another node')
  examples(command, [
    ['wand divert --group chat --fraction 0.5 --to dc1-chat2 --for 1h', 'half goes there instead'],
    ['wand divert --peer dc1-chat1 --fraction 1 --to dc1-chat2', 'relieve dc1-chat1 of what it shares'],
  ])
}

function register(program: Command, io: Io, kind: 'tee' | 'divert', description: string): Command {
  return program
    .command(kind)
    .helpGroup(wants.change)
    .description(description)
    .addOption(new Option('--group <group>', 'of what is sent to this group').conflicts('peer'))
    .option('--peer <node>', 'of what is sent to any group, where the member is on this node')
    .requiredOption('--fraction <number>', 'which share, above 0 and at most 1', parseFraction)
    .requiredOption('--to <node>', 'the node whose members of the group get it')
    .addOption(
      new Option('--for <duration>', 'it ends by itself then; a day at most')
        .default(diversionMsDefault, '10m')
        .argParser(parseDuration),
    )
    .addOption(new Option('--on <node>', 'the node whose messages they are, or all').default('all', 'all'))
    .action(async (_own, command: Command) => {
      const options = optionsOf<Options>(command)
      const [of, source] =
        options.group === undefined ? (['peer', options.peer] as const) : (['group', options.group] as const)
      if (source === undefined) throw new CliError(exitCode.usage, `${kind}: of what? --group or --peer says`)
      const client = await AdminClient.connect(io, options)
      const parameters = {
        ...{ kind, of, source, target: options.to, on: options.on },
        ...{ fraction: String(options.fraction), forMs: String(options.for) },
      }
      const document = await client.post<readonly DiversionRow[]>(kind, 'diversions', parameters, [])
      printAnswer(io, options, document, printRows)
    })
}

/** One line, for all nodes have the same rule; nothing when none has it. */
function printRows(rows: readonly DiversionRow[]): string {
  const [row] = rows
  if (row === undefined) return ''
  const { id, kind, fraction, of, source, target, forMs } = row
  const what = `${kind} ${fraction} of ${of} ${printable(source)} to ${printable(target)}`
  const on = rows.length === 1 ? printable(row.node) : `${rows.length} nodes`
  return `${printable(id)}: ${what}, on ${on}, for ${printDuration(forMs)}\n`
}

function parseFraction(text: string): number {
  const fraction = Number(text)
  if (!(fraction > 0 && fraction <= 1)) throw new InvalidArgumentError('A fraction is above 0 and at most 1.')
  return fraction
}
