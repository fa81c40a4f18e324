/**
 * Finds the node to ask: any live one does, for each answers for all.
 *
 * All sockets of the run directory are tried at once and the first node that is ready is taken; one that is starting or
 * leaving sees less, and is taken only when there is no other. A dead node's socket refuses at once; a stopped node's
 * takes the connection and stays silent, so nobody waits for one node alone.
 */
import type { Self } from '../admin/routes.ts'
import { nodeSockets, runDirectory } from '../run-directory.ts'
import { CliError, exitCode } from './exit-code.ts'
import { ask, type Place, readJson } from './http.ts'
import type { Io } from './io.ts'
import type { GlobalOptions } from './options.ts'

/** A node that answers. */
export interface Entry {
  readonly place: Place
  readonly self: Self
}

/** How long one waits for a ready node when another has answered. */
const BETTER_MS = 100

/**
 * Finds an entry; without one, the places that were silent.
 *
 * @throws CliError `unreachable` when nobody is there at all
 */
export async function findEntry(
  io: Io,
  options: GlobalOptions,
  waitMs: number,
): Promise<Entry | { readonly silent: readonly Place[] }> {
  const { places, where } = placesOf(io, options)
  if (places.length === 0) {
    throw new CliError(
      exitCode.unreachable,
      `find a node: no admin socket in ${where} (wand dev up starts some)`,
    )
  }
  const { entries, silent, why } = await probe(places, waitMs)
  const best = entries.sort((one, other) => rank(other.self) - rank(one.self))[0]
  if (best !== undefined) return best
  if (silent.length > 0) return { silent }
  const detail = places.length === 1 ? `: ${why}` : ''
  throw new CliError(exitCode.unreachable, `find a node: nobody answers${detail}: ${where}`)
}

function placesOf(io: Io, options: GlobalOptions): { places: readonly Place[]; where: string } {
  if (options.connect !== undefined) {
    if (options.connect.startsWith('http://') && !URL.canParse(options.connect)) {
      throw new CliError(exitCode.usage, `find a node: not a URL: ${options.connect}`)
    }
    return { places: [options.connect], where: options.connect }
  }
  const where = runDirectory(options.runDir, io.env)
  return { places: nodeSockets(where), where }
}

interface Probed {
  readonly entries: Entry[]
  readonly silent: readonly Place[]
  /** Why the last one that is no entry is none. */
  readonly why: string
}

/** Asks all at once who they are; ends as soon as a ready one has answered, or soon after any other has. */
async function probe(places: readonly Place[], waitMs: number): Promise<Probed> {
  const entries: Entry[] = []
  const silent = new Set(places)
  const enough = new AbortController()
  const signal = AbortSignal.any([enough.signal, AbortSignal.timeout(Math.ceil(waitMs))])
  let better: NodeJS.Timeout | undefined
  let why = ''
  await Promise.all(
    places.map(async place => {
      try {
        const self = await whoIs(place, signal)
        entries.push({ place, self })
        silent.delete(place)
        if (self.state === 'ready') enough.abort()
        better ??= setTimeout(() => enough.abort(), BETTER_MS)
      } catch (error) {
        // Once the signal has ended the wait, a silent node and one that was not needed look the same.
        if (signal.aborted) return
        silent.delete(place)
        why = error instanceof Error ? error.message : String(error)
      }
    }),
  )
  clearTimeout(better)
  return { entries, silent: [...silent], why }
}

async function whoIs(place: Place, signal: AbortSignal): Promise<Self> {
  const { status, body } = await ask(place, 'GET', '/v1/self', signal)
  const document = (await readJson(body)) as { data?: Self; error?: { message: string } }
  if (status === 200 && document.data !== undefined) return document.data
  throw new Error(document.error?.message ?? `status ${status}`)
}

function rank(self: Self): number {
  const states: Record<string, number> = { ready: 2_000_000, 'catching-up': 1_000_000, draining: 1_000_000 }
  return (states[self.state] ?? 0) + self.linked
}
