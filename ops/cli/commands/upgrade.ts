/** `wand upgrade`: replaces the nodes one at a time, while the rest serve. */
import type { Command } from 'commander'
import { parseDuration } from '../duration.ts'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { type GlobalOptions, optionsOf } from '../options.ts'

interface TypedOptions extends GlobalOptions {
  readonly exec?: string
  readonly ready: number
  readonly order?: readonly string[]
  readonly dryRun?: boolean
}

const READY_MS = 60_000

export function registerUpgrade(program: Command, io: Io): void {
  const command = program
    .command('upgrade')
    .option('--exec <command>', 'shell command that replaces a drained node, {node} is its name')
    .option('--ready <duration>', 'halt when a node is not ready by then', parseDuration, READY_MS)
    .option('--order <names>', 'these nodes, in this order; comma between names', text => text.split(','))
    .option('--dry-run', 'print the plan, and do nothing')
    .helpGroup(wants.change)
    .description('replace the nodes one at a time, while the rest serve')
    .action(async (_own, command: Command) => {
      const { ready, dryRun, ...options } = optionsOf<TypedOptions>(command)
      const { upgrade } = await import('../../upgrade/upgrade.ts')
      io.setExitCode(await upgrade(io, { ...options, readyMs: ready, dryRun: dryRun === true }))
    })
  command.options.find(option => option.long === '--ready')!.defaultValueDescription = '60s'
  examples(command, [
    ['wand upgrade --dry-run', 'in which order, and who serves meanwhile'],
    ['wand upgrade', 'beside wand dev up: it starts its children again'],
    ["wand upgrade --exec 'ssh {node} sudo systemctl restart wandist'", 'exit code 1 when it halts'],
  ])
}
