/** `wand config`: is this file a configuration, and publish it in Consul. */
import type { Command } from 'commander'
import { CliError, exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { optionsOf } from '../options.ts'

export function registerConfig(program: Command, io: Io): void {
  const config = program.command('config').description('check configurations, and publish them')
  const command = config
    .command('validate')
    .argument('<file>', 'a YAML file')
    .helpGroup(wants.look)
    .description('is it a configuration? if not, why, line by line')
    .action(async (file: string, _own, command: Command) => {
      const problems = await problemsOf(file)
      const valid = problems.length === 0
      if (optionsOf(command).json) {
        io.stdout.write(
          `${JSON.stringify({ data: { file, valid, problems }, complete: true, missing: [] })}\n`,
        )
      } else if (valid) io.stdout.write(`${file}: ok\n`)
      else for (const problem of problems) io.stderr.write(`${problem}\n`)
      io.setExitCode(valid ? exitCode.done : exitCode.badConfiguration)
    })
  examples(command, [['wand config validate cluster.yaml', 'exit code 78 if it is none']])
  registerPush(config, io)
}

/** Each datacenter's Consul keeps its own keys, so each is told, in turn; it stops at the first that cannot be. */
function registerPush(config: Command, io: Io): void {
  const command = config
    .command('push')
    .argument('<file>', 'a YAML file')
    .requiredOption('--consul <addresses>', 'one agent of each datacenter, host:port, comma between')
    .helpGroup(wants.change)
    .description('publish a configuration in Consul; nodes take it on')
    .action(async (file: string, { consul }: { readonly consul: string }) => {
      const { ConfigError, loadConfigFile, pushConfig } = await import('../../../cluster-config/index.ts')
      try {
        const { text } = await loadConfigFile(file)
        for (const address of consul.split(',')) {
          const changed = await pushConfig({ address }, text, file)
          io.stdout.write(`${address}: ${changed ? 'published' : 'has it already'}\n`)
        }
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        const isThere = error.code === 'unavailable' || error.code === 'conflict'
        throw new CliError(
          isThere ? exitCode.unreachable : exitCode.badConfiguration,
          `push: ${error.message}`,
        )
      }
    })
  examples(command, [['wand config push cluster.yaml --consul dc1:8500,dc2:8500', 'both datacenters']])
}

/** What is wrong with a file, a line each. */
async function problemsOf(file: string): Promise<readonly string[]> {
  const { ConfigError, loadConfigFile, printProblem } = await import('../../../cluster-config/index.ts')
  try {
    await loadConfigFile(file)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(printProblem)
    throw error
  }
}
