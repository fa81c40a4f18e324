/**
 * What the nodes say of themselves, asked through the admin endpoint as `wand` does: their states, and what status rows
 * are made of. A node that does not answer is missing from a look; a look never fails.
 */
import type { Status } from '../admin/status.ts'
import { AdminClient } from '../cli/client.ts'
import { CliError } from '../cli/exit-code.ts'
import type { Io } from '../cli/io.ts'
import { printRow, printRowHeader, rowOf } from '../row.ts'
import type { Sample } from '../sample.ts'

/** One look. */
export interface Look {
  /** By name; only nodes that answered. */
  readonly nodes: ReadonlyMap<string, { readonly state: string; readonly connections: number }>
  /** Links that the configuration wants and that are up, and how many it wants. */
  readonly linksUp: number
  readonly linksWanted: number
}

const TIMEOUT_MS = 1_000

/** Looks at the nodes whose sockets are in one run directory. */
export class Watch {
  readonly #io: Io
  readonly #options: { readonly runDir: string; readonly timeout: number }
  #samples: readonly Sample[] = []
  #rows: readonly string[] = []

  constructor(io: Io, runDirectory: string) {
    this.#io = io
    this.#options = { runDir: runDirectory, timeout: TIMEOUT_MS }
  }

  async look(): Promise<Look> {
    const status = await this.#get<Status>('status')
    const nodes = (status?.nodes ?? []).map(
      ({ node, state, connections }) => [node, { state, connections }] as const,
    )
    return {
      nodes: new Map(nodes),
      linksUp: status?.links.up ?? 0,
      linksWanted: status?.links.configured ?? 0,
    }
  }

  /** Header and status rows, of the time since the call before; empty when nobody answers. */
  async rows(time: string): Promise<readonly string[]> {
    const samples = await this.#get<readonly Sample[]>('samples')
    if (samples === undefined) return this.#rows
    const before = new Map(this.#samples.map(sample => [sample.node, sample]))
    this.#rows = [
      ...printRowHeader(time, 'node'),
      ...samples.map(sample => printRow(rowOf(before.get(sample.node), sample), sample.node)),
    ]
    this.#samples = samples
    return this.#rows
  }

  async #get<T>(path: string): Promise<T | undefined> {
    try {
      const client = await AdminClient.connect(this.#io, this.#options)
      return (await client.get<T>('look', path)).data ?? undefined
    } catch (error) {
      // Nobody is there yet, or the one that was asked is just going.
      if (error instanceof CliError) return undefined
      throw error
    }
  }
}
