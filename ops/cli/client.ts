/**
 * Asks the meta-cluster through one of its nodes, within the time that the operator gave.
 *
 * The time is shared out: a part to find a node, a part for that node to ask the others, and what is left to print. So
 * an answer with holes comes before the time is up, instead of none.
 */
import { basename } from 'node:path'
import type { DrainLine } from '../admin/drain-watch.ts'
import type { Missing } from '../admin/gather.ts'
import type { Document } from '../admin/routes.ts'
import { printMissing } from './answer.ts'
import { printDuration } from './duration.ts'
import { findEntry } from './entry.ts'
import { CliError, type ExitCode, exitCode } from './exit-code.ts'
import { ask, type Place, readJson } from './http.ts'
import type { Io } from './io.ts'
import type { GlobalOptions } from './options.ts'

/** Share of the time in which a node must be found, and in which other nodes must have answered it. */
const FIND_SHARE = 0.4
const GATHER_SHARE = 0.75
/** What a drain's end may come later than its deadline; the node that is asked gives up on it before that. */
const DRAIN_GRACE_MS = 15_000

/** A way to ask, through one node. */
export class AdminClient {
  readonly #found: Awaited<ReturnType<typeof findEntry>>
  readonly #options: GlobalOptions
  readonly #endMs: number

  private constructor(found: Awaited<ReturnType<typeof findEntry>>, options: GlobalOptions, endMs: number) {
    this.#found = found
    this.#options = options
    this.#endMs = endMs
  }

  /**
   * Finds a node to ask.
   *
   * @throws CliError `unreachable`
   */
  static async connect(io: Io, options: GlobalOptions): Promise<AdminClient> {
    const endMs = performance.now() + options.timeout
    return new AdminClient(await findEntry(io, options, options.timeout * FIND_SHARE), options, endMs)
  }

  /**
   * Reads a document. When the node that is asked is silent, it is one without data.
   *
   * @param attempt what an error says was attempted
   * @param path below /v1
   * @param empty the data of a document without any; null unless told
   * @param parameters what is asked beside the path
   * @throws CliError `missing` for an unknown node, peer or group, `unreachable` when the node goes away
   */
  get<T>(attempt: string, path: string): Promise<Document<T | null>>
  get<T>(attempt: string, path: string, empty: T, parameters?: URLSearchParams): Promise<Document<T>>
  get<T>(
    attempt: string,
    path: string,
    empty: T | null = null,
    parameters = new URLSearchParams(),
  ): Promise<Document<T | null>> {
    return this.#document('GET', attempt, path, Object.fromEntries(parameters), empty)
  }

  /**
   * Gives an order that is done at once, and reads what became of it.
   *
   * @throws CliError as {@link get}, and `usage` for an order that cannot be
   */
  post<T>(
    attempt: string,
    path: string,
    parameters: Readonly<Record<string, string>>,
    empty: T,
  ): Promise<Document<T>> {
    return this.#document('POST', attempt, path, parameters, empty)
  }

  async #document<T>(
    method: 'GET' | 'POST',
    attempt: string,
    path: string,
    parameters: Readonly<Record<string, string>>,
    empty: T,
  ): Promise<Document<T>> {
    const found = this.#found
    if ('silent' in found) return { data: empty, complete: false, missing: found.silent.map(silentAt) }
    const leftMs = Math.max(1, this.#endMs - performance.now())
    const timeoutMs = Math.max(1, Math.floor(leftMs - this.#options.timeout * (1 - GATHER_SHARE)))
    const signal = AbortSignal.timeout(Math.ceil(leftMs))
    try {
      const query = new URLSearchParams({ ...parameters, timeoutMs: String(timeoutMs) })
      const { status, body } = await ask(found.place, method, `/v1/${path}?${query}`, signal)
      const document = await readJson(body)
      if (status === 200) return document as Document<T>
      throw refusal(attempt, document)
    } catch (error) {
      if (error instanceof CliError) throw error
      if (signal.aborted) {
        return { data: empty, complete: false, missing: [{ node: found.self.node, reason: 'timeout' }] }
      }
      throw lost(attempt, error)
    }
  }

  /**
   * Starts a drain and yields its lines, until its end or {@link DRAIN_GRACE_MS} after its deadline.
   *
   * @throws CliError `missing`, `unreachable`, or `partial` when only silent nodes were found, or the one that was asked
   * has fallen silent
   */
  async *drain(node: string, deadlineMs: number): AsyncGenerator<DrainLine> {
    const attempt = `drain ${node}`
    const found = this.#found
    if ('silent' in found) {
      throw new CliError(exitCode.partial, `${attempt}: ${printMissing(found.silent.map(silentAt))}`)
    }
    const boundMs = deadlineMs + DRAIN_GRACE_MS
    const signal = AbortSignal.timeout(boundMs)
    try {
      const path = `/v1/nodes/${encodeURIComponent(node)}/drain?deadlineMs=${deadlineMs}`
      const { status, body } = await ask(found.place, 'POST', path, signal)
      if (status !== 200) throw refusal(attempt, await readJson(body))
      body.setEncoding('utf8')
      let text = ''
      for await (const chunk of body) {
        const lines = (text + chunk).split('\n')
        text = lines.pop()!
        for (const line of lines) yield JSON.parse(line) as DrainLine
      }
    } catch (error) {
      if (error instanceof CliError) throw error
      if (!signal.aborted) throw lost(attempt, error)
      const silent = `${found.self.node}, which was asked, has said nothing of its end after ${printDuration(boundMs)}`
      throw new CliError(exitCode.partial, `${attempt}: ${silent}; it may still go on`)
    }
  }
}

/** A socket is named after its node; a URL is its own name. */
function silentAt(place: Place): Missing {
  return { node: basename(place, '.sock'), reason: 'timeout' }
}

/** What is no fault of the node's. */
const refusals: Readonly<Record<string, ExitCode>> = {
  'unknown-node': exitCode.missing,
  'unknown-peer': exitCode.missing,
  'unknown-group': exitCode.missing,
  'unknown-diversion': exitCode.missing,
  'unknown-service': exitCode.missing,
  'bad-diversion': exitCode.usage,
  'bad-target': exitCode.usage,
  'bad-time': exitCode.usage,
}

/** What the node said in place of an answer. */
function refusal(attempt: string, document: unknown): CliError {
  const { code, message } = (document as { error: { code: string; message: string } }).error
  return new CliError(refusals[code] ?? exitCode.unreachable, `${attempt}: ${message}`)
}

function lost(attempt: string, error: unknown): CliError {
  const why = error instanceof Error ? error.message : String(error)
  return new CliError(exitCode.unreachable, `${attempt}: the node went away: ${why}`)
}
