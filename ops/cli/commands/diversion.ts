/** `wand diversion …`: the tees and diverts that are in force, and their end. `wand tee` and `wand divert` make them. */
import type { Command } from 'commander'
import type { DiversionRow } from '../../admin/diversion-routes.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { printDuration } from '../duration.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { optionsOf } from '../options.ts'
import { printable, printCount, printTable, right } from '../table.ts'

export function registerDiversion(program: Command, io: Io): void {
  const diversion = program.command('diversion').description('tees and diverts in force')
  registerDiversionList(diversion, io)
  registerDiversionRemove(diversion, io)
}

function registerDiversionList(diversion: Command, io: Io): void {
  const command = diversion
    .command('list')
    .helpGroup(wants.look)
    .description('tees and diverts in force, and what they did')
    .action(async (_own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      const document = await client.get<readonly DiversionRow[]>('list diversions', 'diversions', [])
      printAnswer(io, options, document, rows =>
        printTable(
          [
            ...['id', 'on', 'of', 'to'],
            ...['share', 'left', 'seen', 'taken', 'no target', 'refused'].map(right),
          ],
          rows.map(row => [
            ...[row.id, row.node, `${row.of} ${row.source}`, row.target],
            ...[String(row.fraction), printDuration(row.leftMs), printCount(row.seen), printCount(row.taken)],
            ...[printCount(row.noTarget), printCount(row.refused)],
          ]),
          painter(io),
        ),
      )
    })
  examples(command, [
    ['wand diversion list', 'messages seen, and of the share: taken, without a target, refused'],
    ["wand diversion list --json | jq -r '.data[].id'", 'the ids alone'],
  ])
}

function registerDiversionRemove(diversion: Command, io: Io): void {
  const command = diversion
    .command('remove')
    .argument('<id>', 'as wand diversion list prints it')
    .helpGroup(wants.change)
    .description('end a tee or a divert, wherever it is in force')
    .action(async (id: string, _own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      const path = `diversions/${encodeURIComponent(id)}/remove`
      const document = await client.post<readonly { id: string; node: string }[]>(
        'remove diversion',
        path,
        {},
        [],
      )
      printAnswer(io, options, document, rows =>
        rows.length === 0
          ? ''
          : `${printable(id)} has ended on ${rows.map(row => printable(row.node)).join(', ')}\n`,
      )
    })
  examples(command, [['wand diversion remove tee-f00d42', 'on every node that has it']])
}
