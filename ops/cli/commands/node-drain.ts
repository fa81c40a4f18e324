/** `wand node drain NAME`: takes a node out of service without loss, and waits until it is. */
import type { Command } from 'commander'
import type { DrainLine } from '../../admin/drain-watch.ts'
import { AdminClient } from '../client.ts'
import { parseDuration, printDuration } from '../duration.ts'
import { CliError, exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { type GlobalOptions, optionsOf } from '../options.ts'
import { printable } from '../table.ts'

const DEADLINE_MS = 30_000
/** A drain that makes no progress still says every so often that it lives. */
const REPEAT_MS = 2_000

export function registerNodeDrain(node: Command, io: Io): void {
  const command = node
    .command('drain')
    .argument('<name>', 'name of the node')
    .option('--deadline <duration>', 'cut off by then what is not done', parseDuration, DEADLINE_MS)
    .helpGroup(wants.change)
    .description('take a node out of service without loss')
    .action(async (name: string, _own, command: Command) => {
      const options = optionsOf<{ deadline: number }>(command)
      const client = await AdminClient.connect(io, options)
      io.stderr.write(`wand: draining ${printable(name)}; Ctrl-C ends the watching, not the drain\n`)
      const last = await follow(io, options, client.drain(name, options.deadline))
      finish(io, options, name, last)
    })
  command.options.find(option => option.long === '--deadline')!.defaultValueDescription = '30s'
  examples(command, [
    ['wand node drain dc1-chat1', 'blocks, and prints what is left'],
    ['wand node drain dc1-chat1 --deadline 5m', 'exit code 1 if it was cut off'],
  ])
}

/** `15 (sessions 12, calls 2, queue 1)`. */
export function printLeft(left: DrainLine['left']): string {
  const parts = Object.entries(left ?? {}).filter(([, count]) => count > 0)
  const total = parts.reduce((sum, [, count]) => sum + count, 0)
  const detail = parts.map(([what, count]) => `${what} ${count}`).join(', ')
  return detail === '' ? '0' : `${total} (${detail})`
}

/** Prints each change; returns the last line. */
async function follow(
  io: Io,
  options: GlobalOptions,
  lines: AsyncIterable<DrainLine>,
): Promise<DrainLine | undefined> {
  let last: DrainLine | undefined
  let printed = ''
  let printedAtMs = 0
  for await (const line of lines) {
    last = line
    if (options.json) {
      io.stdout.write(`${JSON.stringify(line)}\n`)
      continue
    }
    if (line.state === 'stopped' || line.state === 'failed') continue
    const text = printLeft(line.left)
    if (text === printed && performance.now() - printedAtMs < REPEAT_MS) continue
    printed = text
    printedAtMs = performance.now()
    io.stdout.write(`${new Date().toTimeString().slice(0, 8)} drain remaining: ${text}\n`)
  }
  return last
}

/** @throws CliError `no` when the node is not drained, or not cleanly; `unreachable` when nobody knows */
function finish(
  io: Io,
  options: GlobalOptions & { deadline: number },
  name: string,
  last: DrainLine | undefined,
): void {
  if (last?.state === 'stopped' && !last.cutOff) {
    if (!options.json) io.stdout.write(`${new Date().toTimeString().slice(0, 8)} ${name} is drained\n`)
    io.setExitCode(exitCode.done)
    return
  }
  const attempt = `drain ${name}`
  if (last?.state === 'stopped') {
    const after = printDuration(options.deadline)
    throw new CliError(exitCode.no, `${attempt}: cut off after ${after}: remaining ${printLeft(last.left)}`)
  }
  if (last?.state === 'failed') {
    throw new CliError(exitCode.no, `${attempt}: ${printable(last.reason ?? 'failed')}`)
  }
  throw new CliError(exitCode.unreachable, `${attempt}: the node that was asked went away`)
}
