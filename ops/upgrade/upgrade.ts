/**
 * `wand upgrade`: replaces the nodes one at a time while the rest serve.
 *
 *   lock -> shape -> plan -> preflight -> roll -> what became of it
 *
 * Invariant: when something is not as it should be, nothing more is touched, and the last line says how to go on.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { AdminClient } from '../cli/client.ts'
import { CliError, type ExitCode, exitCode } from '../cli/exit-code.ts'
import type { Io } from '../cli/io.ts'
import type { GlobalOptions } from '../cli/options.ts'
import { DevControlError } from '../dev/control.ts'
import { openRunDirectory, runDirectory } from '../run-directory.ts'
import { UpgradeLock } from './lock.ts'
import { lookAt } from './look.ts'
import { PlanError, type PlannedNode, planUpgrade, printStep } from './plan.ts'
import { type Replacement, replaceByCommand, replaceInDev } from './replace.ts'
import { obstacles, type RollResult, roll } from './roll.ts'
import { readShape, type Shape } from './shape.ts'

/** What `wand upgrade` was asked for. */
export interface UpgradeOptions extends GlobalOptions {
  /** A shell command with `{node}`; without it, the `wand dev up` of the run directory starts its children again. */
  readonly exec?: string
  readonly readyMs: number
  readonly order?: readonly string[]
  readonly dryRun: boolean
}

/** What a drain cuts off, and how much longer a node may take to be gone. */
const DRAIN_DEADLINE_MS = 30_000
const GONE_MS_MAX = 15_000
const LOOK_EVERY_MS = 200

/**
 * Upgrades.
 * @returns what to exit with
 * @throws CliError `usage` without a way to replace a node, `missing` for an unknown one, `no` when it may not begin
 */
export async function upgrade(io: Io, options: UpgradeOptions): Promise<ExitCode> {
  const directory = runDirectory(options.runDir, io.env)
  openRunDirectory(directory)
  const lock = UpgradeLock.take(directory)
  if (typeof lock === 'number') {
    throw new CliError(exitCode.no, `upgrade: another one is under way, pid ${lock}: ${directory}`)
  }
  using _held = lock

  const replacement = options.dryRun ? undefined : await replacementOf(options, directory)
  const shape = await readShape(io, options)
  const steps = plan(shape.nodes, options.order)
  await preflight(io, options, shape)
  if (replacement === undefined) {
    printPlan(io, options, steps)
    return exitCode.done
  }
  const { result, isUnanswered } = await run(io, options, { steps, shape, replacement })
  report(io, options, steps, result)
  if (result.halted === undefined) return exitCode.done
  return isUnanswered ? exitCode.partial : exitCode.no
}

async function replacementOf({ exec, readyMs }: UpgradeOptions, directory: string): Promise<Replacement> {
  if (exec !== undefined) return replaceByCommand(exec, readyMs)
  try {
    return await replaceInDev(directory, GONE_MS_MAX)
  } catch (error) {
    if (!(error instanceof DevControlError)) throw error
    throw new CliError(
      exitCode.usage,
      `upgrade: no wand dev up runs here: --exec 'command with {node}' says how to replace a node`,
    )
  }
}

function plan(nodes: readonly PlannedNode[], order: readonly string[] | undefined): readonly PlannedNode[] {
  try {
    return planUpgrade(nodes, order)
  } catch (error) {
    if (!(error instanceof PlanError)) throw error
    const code = error.code === 'unknown-node' ? exitCode.missing : exitCode.usage
    throw new CliError(code, `upgrade: ${error.message}`)
  }
}

/** @throws CliError `no` with everything that forbids to begin */
async function preflight(io: Io, options: UpgradeOptions, shape: Shape): Promise<void> {
  const islands = shape.nodes.filter(({ islands }) => islands.length > 0).map(({ node }) => node)
  const look = await lookAt(io, options, shape, islands)
  if ('noLook' in look) throw new CliError(exitCode.no, `upgrade: not begun: ${look.noLook}`)
  const all = obstacles(look)
  if (all.length > 0) throw new CliError(exitCode.no, `upgrade: not begun: ${all.join('; ')}`)
}

interface Work {
  readonly steps: readonly PlannedNode[]
  /** All nodes of the meta-cluster: each of them must be well while one is replaced. */
  readonly shape: Shape
  readonly replacement: Replacement
}

interface Outcome {
  readonly result: RollResult
  /** Whether it halted because the node that was to begin a drain said nothing. */
  readonly isUnanswered: boolean
}

async function run(io: Io, options: UpgradeOptions, { steps, shape, replacement }: Work): Promise<Outcome> {
  const progress = progressOf(io, options)
  let isStopped = false
  let isUnanswered = false
  const takeBack = io.onSignal('SIGINT', () => {
    isStopped = true
    progress('stopping after this node; Ctrl-C again leaves it as it is')
    takeBack()
  })
  try {
    const ports = {
      look: (closely: readonly string[]) => lookAt(io, options, shape, closely),
      drain: async (node: string) => {
        await replacement.prepare(node)
        await startDrain(io, options, node).catch((error: unknown) => {
          isUnanswered = error instanceof CliError && error.exitCode === exitCode.partial
          throw error
        })
      },
      replace: (node: string) => replacement.replace(node),
      sleep: async (ms: number) => void (await sleep(ms)),
      nowMs: () => performance.now(),
      progress,
      isStopped: () => isStopped,
    }
    const limits = {
      readyMs: options.readyMs,
      drainMs: DRAIN_DEADLINE_MS + GONE_MS_MAX,
      lookEveryMs: LOOK_EVERY_MS,
    }
    return { result: await roll(steps, ports, limits), isUnanswered }
  } finally {
    takeBack()
  }
}

/** Asks a node to drain; it goes on by itself. */
async function startDrain(io: Io, options: UpgradeOptions, node: string): Promise<void> {
  const client = await AdminClient.connect(io, options)
  for await (const line of client.drain(node, DRAIN_DEADLINE_MS)) {
    if (line.state === 'failed') throw new Error(`drain: ${line.reason ?? 'failed'}`)
    return
  }
  throw new Error('drain: the node that was asked went away')
}

/** Timestamped lines: data in themselves, unless JSON was asked for. */
function progressOf(io: Io, { json }: GlobalOptions): (line: string) => void {
  const sink = json ? io.stderr : io.stdout
  return line => void sink.write(`${new Date().toTimeString().slice(0, 8)} ${line}\n`)
}

function printPlan(io: Io, { json }: UpgradeOptions, steps: readonly PlannedNode[]): void {
  if (json) io.stdout.write(`${JSON.stringify({ data: steps, complete: true, missing: [] })}\n`)
  else for (const [at, step] of steps.entries()) io.stdout.write(`${at + 1}. ${printStep(step)}\n`)
}

function report(io: Io, options: UpgradeOptions, steps: readonly PlannedNode[], result: RollResult): void {
  const { replaced, halted, remaining } = result
  if (options.json) {
    const data = { replaced, halted: halted ?? null, remaining }
    io.stdout.write(`${JSON.stringify({ data, complete: true, missing: [] })}\n`)
  } else if (halted === undefined) {
    progressOf(io, options)(`all ${replaced.length} nodes are replaced`)
  }
  if (halted === undefined) return
  io.stderr.write(
    `wand: upgrade: halted at ${halted.node}, ${replaced.length} of ${steps.length} nodes replaced: ${halted.reason}\n` +
      `wand: upgrade: to go on, once all nodes are ready: ${goOn(options, remaining)}\n`,
  )
}

/** The command that replaces what is left. */
function goOn({ exec, runDir, connect }: UpgradeOptions, remaining: readonly string[]): string {
  return [
    'wand',
    ...(runDir === undefined ? [] : ['--run-dir', quoted(runDir)]),
    ...(connect === undefined ? [] : ['--connect', quoted(connect)]),
    ...['upgrade', '--order', remaining.join(',')],
    ...(exec === undefined ? [] : ['--exec', quoted(exec)]),
  ].join(' ')
}

function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
