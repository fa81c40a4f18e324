/** `wand process …`: what runs on a node. */
import type { Command } from 'commander'
import type { ProcessLeaf, ProcessTree } from '../../../node/index.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { optionsOf } from '../options.ts'
import { type Cell, type Paint, printable, printCount, printTable, right } from '../table.ts'

export function registerProcess(program: Command, io: Io): void {
  const process = program
    .command('process')
    .helpGroup(wants.look)
    .description('processes: who supervises what on a node')
  const command = process
    .command('tree')
    .argument('<node>', 'name of the node')
    .helpGroup(wants.look)
    .description('the supervisors of a node and their children')
    .action(async (node: string, _own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      const path = `processes/${encodeURIComponent(node)}`
      const document = await client.get<ProcessTree | null>('show processes', path, null)
      printAnswer(io, options, document, tree => (tree === null ? '' : printTree(tree, painter(io))))
    })
  examples(command, [
    ['wand process tree dc1-chat1', 'what was restarted, and what is left alone'],
    ["wand process tree dc1-chat1 --json | jq '.data.children[]'", 'for a script'],
  ])
}

function printTree(tree: ProcessTree, paint: Paint): string {
  const columns = ['process', 'pid', right('queue'), right('handled'), right('restarts')]
  return printTable(columns, rowsOf(tree, ''), paint)
}

/** A row for the supervisor, and behind a deeper indent, for all below it. */
function rowsOf(tree: ProcessTree, indent: string): Cell[][] {
  const deeper = `${indent}  `
  return [
    [`${indent}${printable(tree.name)} (${tree.strategy})`, '', '', '', ''],
    ...tree.children.flatMap(child =>
      child.kind === 'supervisor' ? rowsOf(child, deeper) : [rowOf(child, deeper)],
    ),
    ...(tree.more > 0 ? [[`${deeper}and ${printCount(tree.more)} more`, '', '', '', '']] : []),
  ]
}

function rowOf({ name, pid, queueLength, handled, restarts }: ProcessLeaf, indent: string): Cell[] {
  return [
    `${indent}${printable(name)}`,
    pid ?? { text: 'not running', look: 'red' },
    printCount(queueLength),
    printCount(handled),
    printCount(restarts),
  ]
}
