/**
 * What the children of a run are started with: each the same `wand node run` that a service manager would start.
 *
 * The secret is made for this run and goes through the environment, where the other users of the machine cannot see it.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Topology } from '../../cluster-config/index.ts'
import type { ChildCommand } from './children.ts'

/** Where things are. */
export interface RunPlaces {
  /** The configuration file; the embedded one when there is none. */
  readonly config: string | undefined
  /** For data and logs of this run. */
  readonly directory: string
  readonly runDirectory: string
}

/** A drain in a demonstration does not take its time; what it cuts off comes again from the node's disk. */
const DRAIN_DEADLINE = '5s'

/** The commands of all nodes, in order of name. */
export function childCommands(topology: Topology, places: RunPlaces): readonly ChildCommand[] {
  const environment = {
    ...process.env,
    WANDIST_SECRET: randomBytes(24).toString('base64url'),
    WAND_RUN_DIR: places.runDirectory,
  }
  return topology.nodes.map(({ name }) => ({
    node: name,
    program: process.execPath,
    args: [
      ...['--import', parentModule(), wandFile(), 'node', 'run', '--name', name],
      ...(places.config === undefined ? ['--embedded'] : ['--config', places.config]),
      ...['--data', join(places.directory, 'data'), '--deadline', DRAIN_DEADLINE],
    ],
    environment,
    logFile: join(logDirectory(places.directory), `${name}.log`),
  }))
}

/** Where the children's logs are. */
export function logDirectory(directory: string): string {
  return join(directory, 'logs')
}

/** The `wand` launcher: near us in a source tree, in front of `dist` in the package. */
function wandFile(): string {
  const near = new URL('../cli/wand.js', import.meta.url)
  return fileURLToPath(existsSync(near) ? near : new URL('../../../ops/cli/wand.js', import.meta.url))
}

/** parent.ts, or what the build made of it. */
function parentModule(): string {
  return new URL(import.meta.url.endsWith('.ts') ? './parent.ts' : './parent.js', import.meta.url).href
}
