/** `wand group …`: process groups and their members, as the nodes that own the members tell. */
import type { Command } from 'commander'
import type { GroupRow, MemberRow } from '../../admin/routes.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { optionsOf } from '../options.ts'
import { printCount, printTable, right } from '../table.ts'
import { registerGroupDiff } from './group-diff.ts'
import { registerGroupHistory } from './group-history.ts'

export function registerGroup(program: Command, io: Io): void {
  const group = program.command('group').description('process groups, their members, and who sees them')
  registerGroupList(group, io)
  registerGroupShow(group, io)
  registerGroupDiff(group, io)
  registerGroupHistory(group, io)
}

function registerGroupList(group: Command, io: Io): void {
  const command = group
    .command('list')
    .helpGroup(wants.look)
    .description('every process group, members by datacenter')
    .action(async (_own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      printAnswer(io, options, await client.get<readonly GroupRow[]>('list groups', 'groups', []), rows =>
        printTable(
          ['scope', 'group', right('members'), 'by datacenter'],
          rows.map(row => [
            row.scope,
            row.group,
            printCount(row.members),
            Object.entries(row.byDatacenter)
              .sort(([one], [other]) => (one < other ? -1 : 1))
              .map(([datacenter, count]) => `${datacenter} ${printCount(count)}`)
              .join(', '),
          ]),
          painter(io),
        ),
      )
    })
  examples(command, [
    ['wand group list', 'a table'],
    ["wand group list --json | jq '.data[] | select(.members < 2)'", 'groups without a second member'],
  ])
}

function registerGroupShow(group: Command, io: Io): void {
  const command = group
    .command('show')
    .argument('<group>', 'name of the group')
    .helpGroup(wants.look)
    .description('the members of one group')
    .action(async (name: string, _own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      const path = `groups/${encodeURIComponent(name)}`
      printAnswer(io, options, await client.get<readonly MemberRow[]>('show group', path, []), rows =>
        printTable(
          ['group', 'node', 'datacenter', 'pid', 'published'],
          rows.map(row => [row.group, row.node, row.datacenter, row.pid, row.published ? 'yes' : 'no']),
          painter(io),
        ),
      )
    })
  examples(command, [['wand group show mailbox/3', 'which processes serve partition 3 of the mailboxes']])
}
