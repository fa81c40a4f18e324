/** `wand config validate FILE`: is this a configuration? */
import type { Command } from 'commander'
import { exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { optionsOf } from '../options.ts'

export function registerConfig(program: Command, io: Io): void {
  const config = program.command('config').description('check configurations')
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
