/**
 * OTP's `pg` on two Erlang nodes (`pg_bench.erl`), all settings as they come but for those by which nodes connect by themselves. An epmd of its own.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Figure, RunOptions, System } from '../../bench.ts'
import { freePorts, missing } from '../../machine.ts'
import { type CaseName, caseNames, figuresOf, type Measured } from '../cases.ts'
import { members, membersBefore } from '../parameters.ts'

const source = join(import.meta.dirname, '../pg_bench.erl')
const plain = [
  ...['-connect_all', 'false', '-kernel', 'dist_auto_connect', 'never'],
  ...['-kernel', 'prevent_overlapping_partitions', 'false'],
]
const loopback = ['-kernel', 'inet_dist_use_interface', '{127,0,0,1}']

export const erlang: System = {
  name: 'erlang',
  unavailable: () => missing('erl', '-version', 'Debian: erlang-base'),
  async run(options) {
    if (!caseNames.some(options.wants)) return []
    const directory = await mkdtemp(join(tmpdir(), 'wandist-bench-'))
    const [port] = await freePorts(1)
    const epmd = spawn('epmd', ['-port', String(port), '-address', '127.0.0.1'], { stdio: 'ignore' })
    const env = { ...process.env, HOME: directory, ERL_EPMD_PORT: String(port), ERL_CRASH_DUMP_BYTES: '0' }
    try {
      await promisify(execFile)('erlc', ['-o', directory, source])
      return await runCases(options, directory, env)
    } finally {
      await end(epmd)
      await rm(directory, { recursive: true, force: true })
    }
  },
}

async function runCases(
  { seconds, wants }: RunOptions,
  directory: string,
  env: NodeJS.ProcessEnv,
): Promise<readonly Figure[]> {
  const commandOf = (name: string, ...what: readonly (string | number)[]) => [
    ...['-noinput', '-name', `${name}@127.0.0.1`, '-setcookie', 'bench', ...plain, ...loopback],
    ...['-pa', directory, '-run', 'pg_bench', 'run', ...what.map(String)],
  ]
  /** Two new nodes for each case: none inherits what another left in memory. */
  const ask = async (name: CaseName, first: number) => {
    const other = spawn('erl', commandOf('other', 'serve'), { stdio: 'ignore', env })
    try {
      const { stdout } = await promisify(execFile)('erl', commandOf('owner', name, first, members), { env })
      return stdout.trim().split('\n').map(Number) as [number, number, number]
    } finally {
      await end(other)
    }
  }
  const figures: Figure[] = []
  for (const name of caseNames.filter(wants)) {
    const numbers = await ask(name, name === 'memory' ? membersBefore : seconds)
    figures.push(...figuresOf({ [name]: measuredOf(name, numbers) }))
  }
  return figures
}

function measuredOf(name: CaseName, [one, two, three]: [number, number, number]): Measured[CaseName] {
  if (name === 'join') return { rate: one, lookedRate: two }
  if (name === 'heal') return { wholeMs: one, lookedMs: two }
  if (name === 'memory') return { process: one, membership: two, other: three }
  return { rate: one }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
