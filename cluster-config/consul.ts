/**
 * Configuration from Consul: one YAML document under `wandist/<id>/config`, watched with one blocking question.
 *
 * Consul changes the configuration and is needed for nothing else: an answer that is late, wrong or missing leaves the
 * last good one in force, and a start without Consul takes the copy that was kept on disk.
 *
 *   Consul ──watch──▶ check ──▶ in force (SourceState) ──▶ listeners
 *                                   └────▶ kept copy ──▶ the next start
 *
 * Invariant: what is in force passed every check, and nothing that Consul answers can take it away.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, messageOf, sourceError } from './config-error.ts'
import { ConsulClient, type ConsulOptions, configKey, type KeyAnswer } from './consul-client.ts'
import { watchKey } from './consul-watch.ts'
import { readKeptCopy, writeKeptCopy } from './kept-copy.ts'
import { type ConsulTimings, consulTimings } from './options.ts'
import type { ClusterConfig } from './schema.ts'
import type { ConfigSource } from './source.ts'
import { SourceState } from './source-state.ts'
import { parseConfig } from './yaml.ts'

/** Where the configuration lies, and where its copy is kept. */
export interface ConsulSourceOptions extends ConsulOptions {
  /** Name of the meta-cluster: part of the key, and what the document's `id` must be. */
  readonly id: string
  /** Path of the kept copy; one for each node, or nodes of one machine may share it. */
  readonly keptCopy: string
  /** Default: the LAN preset. */
  readonly timings?: ConsulTimings | undefined
}

/**
 * Makes a source of what Consul holds.
 *
 * `start` resolves within `startMsMax`, from Consul or from the kept copy, and rejects with code `unavailable` when
 * neither gives a configuration. A `secretFile` in the document is relative to the node's working directory.
 *
 * @throws {ConfigError} `invalid` when the address is not `host:port`
 */
export function consulSource(options: ConsulSourceOptions): ConfigSource {
  return new ConsulSource(options)
}

class ConsulSource implements ConfigSource {
  readonly #options: ConsulSourceOptions
  readonly #timings: ConsulTimings
  readonly #client: ConsulClient
  readonly #place: string
  readonly #state: SourceState
  readonly #stopping = new AbortController()
  /** Settled by the first answer that Consul gives, good or bad: waiting longer would not make it better. */
  readonly #answered = Promise.withResolvers<void>()
  #watching: Promise<void> = Promise.resolve()
  #keeping: Promise<void> = Promise.resolve()
  #keptText: string | undefined

  constructor(options: ConsulSourceOptions) {
    this.#options = options
    this.#timings = options.timings ?? consulTimings.lan
    this.#client = new ConsulClient(options)
    this.#place = `${this.#client.url}/${configKey(options.id)}`
    this.#state = new SourceState('consul', this.#place)
  }

  async start(): Promise<ClusterConfig> {
    const { waitMs, answerMsMax, startMsMax } = this.#timings
    const key = configKey(this.#options.id)
    this.#watching = watchKey(
      (index, signal) =>
        index === 0n
          ? this.#client.readKey(key, answerMsMax, signal)
          : this.#client.awaitKey(key, index, waitMs, answerMsMax, signal),
      {
        answer: answer => this.#take(answer),
        problem: message => this.#state.problem(`${this.#place}: ${message}`),
      },
      this.#timings,
      this.#stopping.signal,
    )
    const timer = new AbortController()
    const deadline = delay(startMsMax, undefined, { signal: timer.signal }).catch(() => {})
    await Promise.race([this.#answered.promise, deadline])
    timer.abort()
    if (this.#state.config !== undefined) return this.#state.config

    if (this.#state.lastError === undefined)
      this.#state.problem(`${this.#place}: no answer within ${startMsMax} ms`)
    return this.#startFromKeptCopy()
  }

  onChange(listener: (config: ClusterConfig) => void) {
    return this.#state.onChange(listener)
  }

  onProblem(listener: (problem: string) => void) {
    return this.#state.onProblem(listener)
  }

  status() {
    return this.#state.status()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#answered.resolve()
    await this.#watching
    await this.#keeping
    this.#client.close()
  }

  async #startFromKeptCopy(): Promise<ClusterConfig> {
    const because = this.#state.lastError!.slice(this.#place.length).replace(/^:\s?/, '')
    try {
      const kept = await readKeptCopy(this.#options.keptCopy)
      this.#checkId(kept, this.#options.keptCopy)
      // Consul may have answered while the file was read; then it has the last word.
      if (this.#state.config === undefined) this.#state.acceptKept(kept)
    } catch (error) {
      if (this.#state.config === undefined) {
        await this.stop()
        throw sourceError('unavailable', this.#place, `${because}; and no kept copy: ${firstProblem(error)}`)
      }
    }
    return this.#state.config!
  }

  #take({ index, text }: KeyAnswer): void {
    try {
      if (text === undefined) throw sourceError('missing', this.#place, 'no such key')
      const config = parseConfig(text, this.#place)
      this.#checkId(config, this.#place)
      this.#state.accept(config, String(index))
      this.#keep(text)
    } catch (error) {
      this.#state.problem(firstProblem(error))
    }
    this.#answered.resolve()
  }

  /**
   * Writes the copy in the background, one write after the other; a failure is told, and tried again with the
   * next answer.
   */
  #keep(text: string): void {
    if (text === this.#keptText) return
    this.#keptText = text
    this.#keeping = this.#keeping.then(async () => {
      try {
        await writeKeptCopy(this.#options.keptCopy, text, this.#place)
      } catch (error) {
        this.#keptText = undefined
        this.#state.warning(`${this.#options.keptCopy}: cannot keep a copy: ${messageOf(error)}`)
      }
    })
  }

  #checkId(config: ClusterConfig, place: string): void {
    if (config.id === this.#options.id) return
    throw sourceError('invalid', place, `id: another meta-cluster, not ${this.#options.id}: "${config.id}"`)
  }
}

/** An error as one line: of several problems, the first and how many more. */
function firstProblem(error: unknown): string {
  const more = error instanceof ConfigError ? error.problems.length - 1 : 0
  if (more <= 0) return messageOf(error)
  return `${(error as Error).message.split('\n', 1)[0]} (and ${more} more)`
}
