/**
 * What every changing source has to remember: the configuration in force, whether it may be old, and who wants to know.
 *
 * Invariant: only a configuration that passed every check gets here, and equal content is never told twice. A listener
 * that throws is reported as a problem: a bug in what one node does with a change must not end the watch.
 */
import { isDeepStrictEqual } from 'node:util'
import { messageOf } from './config-error.ts'
import type { ClusterConfig } from './schema.ts'
import type { SourceStatus } from './source.ts'

export class SourceState {
  readonly #kind: SourceStatus['kind']
  readonly #place: string
  readonly #changeListeners = new Set<(config: ClusterConfig) => void>()
  readonly #problemListeners = new Set<(problem: string) => void>()
  #config: ClusterConfig | undefined
  #version = ''
  #staleSinceMs: number | undefined
  #lastError: string | undefined
  #told: string | undefined

  constructor(kind: SourceStatus['kind'], place: string) {
    this.#kind = kind
    this.#place = place
  }

  get config(): ClusterConfig | undefined {
    return this.#config
  }

  get lastError(): string | undefined {
    return this.#lastError
  }

  /** Takes content that is known to be current; listeners hear of it only when it differs from what was in force. */
  accept(config: ClusterConfig, version: string): void {
    const before = this.#config
    this.#config = config
    this.#version = version
    this.#staleSinceMs = undefined
    this.#lastError = undefined
    this.#told = undefined
    if (before === undefined || isDeepStrictEqual(before, config)) return
    for (const listener of this.#changeListeners) {
      try {
        listener(config)
      } catch (error) {
        this.warning(`a listener for changes failed: ${messageOf(error)}`)
      }
    }
  }

  /** Takes content that may be old, to start with when there is nothing better. */
  acceptKept(config: ClusterConfig): void {
    this.#config = config
    this.#version = 'kept'
    this.#staleSinceMs ??= Date.now()
  }

  /** Something went wrong, and the content in force may be old from now on. */
  problem(message: string): void {
    this.#staleSinceMs ??= Date.now()
    this.warning(message)
  }

  /**
   * Something went wrong that says nothing about the content. Told once, however long it lasts; a listener that fails in
   * its turn is heard in the status only.
   */
  warning(message: string): void {
    if (message === this.#told) return
    this.#told = message
    this.#lastError = message
    for (const listener of this.#problemListeners) {
      try {
        listener(message)
      } catch (error) {
        this.#lastError = `${message}; and a listener for problems failed: ${messageOf(error)}`
      }
    }
  }

  status(): SourceStatus {
    return {
      kind: this.#kind,
      place: this.#place,
      version: this.#version,
      staleSinceMs: this.#staleSinceMs,
      lastError: this.#lastError,
    }
  }

  onChange(listener: (config: ClusterConfig) => void): () => void {
    this.#changeListeners.add(listener)
    return () => void this.#changeListeners.delete(listener)
  }

  onProblem(listener: (problem: string) => void): () => void {
    this.#problemListeners.add(listener)
    return () => void this.#problemListeners.delete(listener)
  }
}
