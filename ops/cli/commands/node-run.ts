/**
 * `wand node run`: one node in the foreground, as a service manager would have it.
 *
 * Its log goes to standard error; one line on standard output says that it is ready. SIGTERM or SIGINT drains it, or waits
 * for the drain that an operator has begun; a second one ends it at once. SIGHUP reads the configuration file and the
 * certificates again. It exits 0 once it is drained, whoever asked.
 */
import type { Command } from 'commander'
import type { ConfigSource, FileSource } from '../../../cluster-config/index.ts'
import type { Node } from '../../../node/index.ts'
import { runDirectory } from '../../run-directory.ts'
import { parseDuration, printDuration } from '../duration.ts'
import { CliError, exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { type GlobalOptions, optionsOf } from '../options.ts'
import { asCliError } from './node-run-error.ts'

interface RunOptions extends GlobalOptions {
  readonly name: string
  readonly config?: string
  readonly embedded?: boolean
  readonly consul?: string
  readonly id?: string
  readonly data?: string
  readonly logLevel: string
  readonly deadline: number
}

const DEADLINE_MS = 30_000
/** How long a node that was told twice to end may take to say goodbye. */
const FAST_MS = 1_000
/** How long after its end something may still keep the process. */
const LINGER_MS = 2_000

export function registerNodeRun(node: Command, io: Io): void {
  const command = node
    .command('run')
    .requiredOption('--name <name>', 'which node of the configuration')
    .option('--config <file>', 'the configuration, a YAML file')
    .option('--embedded', 'the configuration that wandist brings along')
    .option('--consul <address>', 'the configuration from this Consul, host:port; needs --id and --data')
    .option('--id <id>', 'name of the meta-cluster whose configuration Consul holds')
    .option('--data <dir>', 'where mailboxes and accounts are kept; in memory when left out')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent', 'info')
    .option('--deadline <duration>', 'cut a drain off by then', parseDuration, DEADLINE_MS)
    .helpGroup(wants.run)
    .description('run a node in the foreground; SIGTERM drains it')
    .action(async (_own, command: Command) => runNode(io, optionsOf<RunOptions>(command)))
  command.options.find(option => option.long === '--deadline')!.defaultValueDescription = '30s'
  examples(command, [
    [
      'wand node run --config cluster.yaml --name dc1-chat1',
      'the secret comes from WANDIST_SECRET or secretFile',
    ],
    ['wand node run --embedded --name dc1-chat1', 'a node of the default meta-cluster'],
  ])
}

async function runNode(io: Io, options: RunOptions): Promise<void> {
  const source = await sourceOf(options)
  try {
    const node = await makeNode(options, source)
    io.setExitCode(await live(io, options, node, source))
  } catch (error) {
    await source.stop()
    throw asCliError(`run ${options.name}`, error)
  }
}

/** @throws CliError `usage` unless exactly one source is named */
async function sourceOf(options: RunOptions): Promise<ConfigSource> {
  const { config, embedded, consul, id, data } = options
  const named = [config, embedded, consul].filter(choice => choice !== undefined)
  if (named.length !== 1) {
    throw new CliError(exitCode.usage, `run ${options.name}: needs one of --config, --embedded and --consul`)
  }
  const { consulSource, embeddedConfig, fileSource, fixedSource } = await import(
    '../../../cluster-config/index.ts'
  )
  if (config !== undefined) return fileSource(config)
  if (embedded) return fixedSource(embeddedConfig(), 'embedded')
  if (id === undefined || data === undefined) {
    throw new CliError(exitCode.usage, `run ${options.name}: --consul needs --id and --data`)
  }
  return consulSource({ address: consul, id, keptCopy: `${data}/${options.name}/cluster.yaml` })
}

/** Made, not started: so that its admin endpoint can be asked while it starts. */
async function makeNode(options: RunOptions, source: ConfigSource): Promise<Node> {
  const { Node } = await import('../../../node/index.ts')
  const given = {
    name: options.name,
    config: source,
    logLevel: options.logLevel,
    ...(options.data === undefined ? {} : { dataDirectory: options.data }),
  }
  return new Node(given, source, await source.start())
}

/** Runs the node to its end; resolves with what to exit with. */
async function live(io: Io, options: RunOptions, node: Node, source: ConfigSource): Promise<0 | 1> {
  const { startAdmin } = await import('../../admin.ts')
  const ended = new Promise<string>(resolve => {
    node.onState(state => {
      if (state === 'stopped' || state === 'failed') resolve(state)
    })
  })
  const directory = runDirectory(options.runDir, io.env)
  const admin = await startAdmin(node, { runDirectory: directory })
  const signals = new Signals(io, options, node, source)
  let takeBack = async () => {}
  try {
    await node.start()
    if (node.state === 'ready') {
      takeBack = await registerInConsul(options, node)
      io.stdout.write(`${node.name} is ready: mesh ${node.mesh.address}, admin ${admin.socketPath}\n`)
    }
    const state = await ended
    await node.stop()
    if (state === 'failed') {
      throw new CliError(exitCode.unreachable, `run ${node.name}: ${node.trouble ?? 'failed'}`)
    }
    return signals.isCutOff ? exitCode.no : exitCode.done
  } finally {
    signals.stop()
    await node.stop()
    await Promise.all([admin.close(), takeBack()])
    endSoon(io)
  }
}

/** Has the node listed in Consul, where its configuration comes from there. Returns how to take it back. */
async function registerInConsul(options: RunOptions, node: Node): Promise<() => Promise<void>> {
  if (options.consul === undefined) return async () => {}
  const { registerNode } = await import('../../../cluster-config/index.ts')
  const registration = registerNode({
    address: options.consul,
    id: node.topology.config.id,
    node: node.topology.node(node.name)!,
    version: node.version,
    onProblem: problem => node.log.warn({ problem }, 'registration in Consul'),
  })
  return () => registration.stop()
}

/** What the signals do. */
class Signals {
  /** Whether something was not finished when the drain's deadline came, or could not be. */
  isCutOff = false
  readonly #takeBack: readonly (() => void)[]
  #count = 0

  constructor(io: Io, options: RunOptions, node: Node, source: ConfigSource) {
    const end = () => void this.#end(io, options, node)
    this.#takeBack = [
      io.onSignal('SIGTERM', end),
      io.onSignal('SIGINT', end),
      io.onSignal('SIGHUP', () => void reload(node, source)),
    ]
  }

  stop(): void {
    for (const takeBack of this.#takeBack) takeBack()
  }

  async #end(io: Io, options: RunOptions, node: Node): Promise<void> {
    this.#count += 1
    if (this.#count > 1) {
      setTimeout(() => io.exit(exitCode.no), FAST_MS).unref()
      this.isCutOff = true
      return node.stop()
    }
    if (node.state !== 'ready' && node.state !== 'draining') return node.stop()
    // A drain that is under way keeps the deadline that it was begun with: it is only waited for.
    const isOurs = node.state === 'ready'
    const startMs = performance.now()
    try {
      await node.drain({ deadlineMs: options.deadline })
      if (!isOurs || performance.now() - startMs < options.deadline) return
      io.stderr.write(`wand: drain ${node.name}: cut off after ${printDuration(options.deadline)}\n`)
    } catch (error) {
      io.stderr.write(`wand: drain ${node.name}: ${error instanceof Error ? error.message : String(error)}\n`)
    }
    this.isCutOff = true
    await node.stop()
  }
}

/** Of the sources only a file is read on request; what goes wrong is in the node's log. */
async function reload(node: Node, source: ConfigSource): Promise<void> {
  node.reloadCertificates()
  if ('reload' in source) await (source as FileSource).reload()
}

/** The process ends by itself, as nothing is left open. If something is, that is said, and ended. */
function endSoon(io: Io): void {
  setTimeout(() => {
    io.stderr.write(`wand: still open after the end: ${process.getActiveResourcesInfo().join(', ')}\n`)
    io.exit()
  }, LINGER_MS).unref()
}
