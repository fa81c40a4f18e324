/**
 * What a node is started with, and what follows from it: where its secret comes from, and its limits.
 *
 * Invariant: a secret is read from the program, the environment or a file that only its owner can read; it is never an
 * argument, and never logged.
 */
import { readFileSync, statSync } from 'node:fs'
import type { ClusterConfig, ClusterConfigInput, ConfigSource } from '../cluster-config/index.ts'
import type { Ports } from '../transport/index.ts'
import type { JournalOptions } from './journal/options.ts'

/** What `startNode` takes. Only `name` and `config` are needed, and a secret from somewhere or certificates. */
export interface NodeOptions {
  /** Which of the configuration's nodes this is. */
  readonly name: string
  /** The meta-cluster: an object as one would write it in YAML, or a source that may change it later. */
  readonly config: ClusterConfigInput | ConfigSource
  /** What all nodes share; several while a rotation lasts, the first is the one that we prove. Else WANDIST_SECRET, else `secretFile`. */
  readonly secret?: string | readonly string[]
  /** Where the services' stores live; `<dataDirectory>/<name>`. Without it they are kept in memory and end with the node. */
  readonly dataDirectory?: string
  /** A pino level; default `info`, on standard error. */
  readonly logLevel?: string
  /** The world: clock, timers, random numbers, streams. Default: the real one. */
  readonly ports?: Ports
  /** Whether clusters that this one talks with see the members of a group. Default: as the service says, else yes. */
  readonly published?: (group: string) => boolean
  /** How much is remembered of memberships and links. Default: `journalDefaults`. */
  readonly journal?: Partial<JournalOptions>
  /** Reported to peers and operators; default: the package's own version. */
  readonly version?: string
}

/** The code of a {@link NodeError}: what the caller can do something about. */
export type NodeErrorCode =
  | 'no-secret'
  | 'unreadable-secret'
  /** The files of `tls` in the configuration cannot be read, do not fit together, or are not for this node. */
  | 'bad-certificate'
  | 'unknown-node'
  /** Another live node has this name; a peer proved it. */
  | 'duplicate-name'
  | 'no-data-directory'
  | 'no-member'
  /** A tee or a divert that cannot be. */
  | 'bad-diversion'

/** A node cannot do what it was asked; the message says what was attempted and what stands in the way. */
export class NodeError extends Error {
  override readonly name = 'NodeError'
  readonly code: NodeErrorCode

  constructor(code: NodeErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * The secrets to prove and to accept, in that order. Where certificates prove who a node is, there may be none.
 * @throws NodeError `no-secret` when there is none and no `tls`, `unreadable-secret` when the file is not ours alone to read
 */
export function secretsOf(
  options: NodeOptions,
  config: ClusterConfig,
  environment: NodeJS.ProcessEnv = process.env,
): readonly string[] {
  const texts = [
    options.secret ?? environment.WANDIST_SECRET?.split(',') ?? readSecretFile(config.secretFile),
  ]
    .flat()
    .map(text => text.trim())
    .filter(text => text !== '')
  if (texts.length === 0 && config.tls === undefined) {
    throw new NodeError(
      'no-secret',
      'start node: no secret: set WANDIST_SECRET, or secretFile or tls in the configuration',
    )
  }
  return texts
}

function readSecretFile(path: string | undefined): readonly string[] {
  if (path === undefined) return []
  try {
    const mode = statSync(path).mode & 0o777
    if ((mode & 0o077) !== 0) {
      throw new NodeError(
        'unreadable-secret',
        `read secret: others can read it: ${path} has mode ${mode.toString(8)}, want 600`,
      )
    }
    return readFileSync(path, 'utf8').split('\n')
  } catch (error) {
    if (error instanceof NodeError) throw error
    throw new NodeError('unreadable-secret', `read secret: ${(error as Error).message}`)
  }
}
