/**
 * `wand dev up`: a meta-cluster of real processes on this machine, with simulated phones that talk; `npm start` runs it.
 * `wand dev start`, `stop` and `restart` act on its processes, as a service manager's commands would.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { runDirectory } from '../../run-directory.ts'
import { parseDuration } from '../duration.ts'
import { CliError, exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { type GlobalOptions, optionsOf } from '../options.ts'

interface DevUpOptions extends GlobalOptions {
  readonly config?: string
  /** False for `--no-phones`. */
  readonly phones: number | false
  readonly lines?: string
  readonly for?: number
  readonly seed: number
}

const PHONES = 40
const PHONES_MAX = 2_000
/** A stop drains, which may take a while. */
const ACT_MS_MAX = 60_000

export function registerDev(program: Command, io: Io): void {
  const dev = program.command('dev').description('try wandist on this machine')
  const up = dev
    .command('up')
    .option('--config <file>', 'the meta-cluster, a YAML file; the one that comes along when left out')
    .addOption(
      new Option('--phones <count>', 'how many simulated phones').argParser(parsePhones).default(PHONES),
    )
    .addOption(new Option('--no-phones', 'none'))
    .option('--lines <file>', 'what the phones say, a line of text each')
    .option(
      '--for <duration>',
      'end by itself after that time, and print what became of every message',
      parseDuration,
    )
    .option('--seed <number>', 'decides who writes what to whom, and when', parseSeed, 1)
    .helpGroup(wants.run)
    .description('start a whole meta-cluster here, with phones that talk')
    .action(async (_own, command: Command) => {
      const options = optionsOf<DevUpOptions>(command)
      const { devUp } = await import('../../dev/up.ts')
      io.setExitCode(
        await devUp(io, {
          ...(options.config === undefined ? {} : { config: options.config }),
          ...(options.lines === undefined ? {} : { lines: options.lines }),
          ...(options.for === undefined ? {} : { forMs: options.for }),
          ...(options.runDir === undefined ? {} : { runDir: options.runDir }),
          phones: options.phones === false ? 0 : options.phones,
          seed: options.seed,
          json: options.json === true,
        }),
      )
    })
  examples(up, [
    ['wand dev up', 'ten nodes in two datacenters, forty phones'],
    [
      'wand dev up --for 20s --phones 200 --seed 7 --json',
      'exit code 0 only if nothing was lost, twice or out of order',
    ],
  ])
  for (const act of Object.keys(acts) as (keyof typeof acts)[]) registerDevAct(dev, io, act)
}

const acts = {
  start: 'start a node of wand dev up again, drained or stopped',
  stop: 'have wand dev up drain a node, and leave it stopped',
  restart: 'have wand dev up drain a node, and start it again',
} as const

function registerDevAct(dev: Command, io: Io, act: keyof typeof acts): void {
  dev
    .command(act)
    .argument('<name>', 'name of the node')
    .helpGroup(wants.change)
    .description(acts[act])
    .action(async (name: string, _own, command: Command) => {
      const { askDev, DevControlError } = await import('../../dev/control.ts')
      try {
        const where = runDirectory(optionsOf(command).runDir, io.env)
        const { state } = await askDev(where, { path: `/${act}`, node: name }, ACT_MS_MAX)
        io.stdout.write(`${name}: ${state}\n`)
      } catch (error) {
        if (!(error instanceof DevControlError)) throw error
        const isMissing = error.message.includes('no such node')
        throw new CliError(
          isMissing ? exitCode.missing : exitCode.unreachable,
          `${act} ${name}: ${error.message}`,
        )
      }
    })
}

function parsePhones(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (count >= 0 && count <= PHONES_MAX) return count
  throw new InvalidArgumentError(`A number from 0 to ${PHONES_MAX}.`)
}

function parseSeed(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32) return Number(text)
  throw new InvalidArgumentError('A number from 0 to 4294967295.')
}
