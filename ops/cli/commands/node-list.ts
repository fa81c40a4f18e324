/** `wand node list`: every node, a line each. */
import type { Command } from 'commander'
import type { NodeRow } from '../../report.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { printDuration } from '../duration.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { optionsOf } from '../options.ts'
import { printable, printCount, printTable, right } from '../table.ts'
import { stateCell } from './status.ts'

export function registerNodeList(node: Command, io: Io): void {
  const command = node
    .command('list')
    .helpGroup(wants.look)
    .description('every node, a line each')
    .action(async (_own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      printAnswer(io, options, await client.get<readonly NodeRow[]>('list nodes', 'nodes', []), rows =>
        printTable(
          [
            'node',
            'datacenter',
            'cluster',
            'roles',
            'state',
            'version',
            right('creation'),
            right('connections'),
            right('uptime'),
          ],
          rows.map(row => [
            row.node,
            row.datacenter,
            row.cluster,
            row.roles.join(','),
            stateCell(row.state),
            printable(row.version),
            String(row.creation),
            printCount(row.connections),
            printDuration(row.uptimeS * 1_000),
          ]),
          painter(io),
        ),
      )
    })
  examples(command, [
    ['wand node list', 'a table'],
    [`wand node list --json | jq -r '.data[] | select(.state != "ready") | .node'`, 'who is not ready'],
  ])
}
