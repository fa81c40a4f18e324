/**
 * Where a node's configuration comes from, seen from the node: one that starts, may change later, and says how it fares.
 *
 * Invariant: after `start` has resolved, a source never takes the configuration away and never throws: what goes wrong
 * later is a problem to report, and the last good configuration stays in force. (DESIGN.md, promise 7)
 */
import type { ClusterConfig } from './schema.ts'

/** A source of configuration. Files, Consul and fixed values all look like this. */
export interface ConfigSource {
  /**
   * Gets the first configuration.
   *
   * @throws {ConfigError} when there is none to start with; the source is then stopped
   */
  start(): Promise<ClusterConfig>
  /**
   * Calls `listener` with every later configuration that differs from the one before. Returns how to take it
   * back.
   */
  onChange(listener: (config: ClusterConfig) => void): () => void
  /**
   * Calls `listener` with each new problem, as one line; one that lasts is told once. Returns how to take it
   * back.
   */
  onProblem(listener: (problem: string) => void): () => void
  status(): SourceStatus
  /** Stops watching, within bounded time. The configuration stays in force. */
  stop(): Promise<void>
}

/** How a source fares. */
export interface SourceStatus {
  readonly kind: 'file' | 'consul' | 'fixed'
  /** The place, for people: a path, or Consul's address and key. */
  readonly place: string
  /** Which content is in force: a short hash for a file, the index for Consul, `kept` for a kept copy. */
  readonly version: string
  /**
   * Since when the content in force may be old, in milliseconds since 1970; `undefined` while it is known to be
   * current.
   */
  readonly staleSinceMs: number | undefined
  /** The last problem that has not been put right since. */
  readonly lastError: string | undefined
}

/** A source that never changes: the embedded configuration, or one that a program built. */
export function fixedSource(config: ClusterConfig, place = 'configuration'): ConfigSource {
  const nothing = () => () => {}
  return {
    start: async () => config,
    onChange: nothing,
    onProblem: nothing,
    status: () => ({ kind: 'fixed', place, version: '', staleSinceMs: undefined, lastError: undefined }),
    stop: async () => {},
  }
}
