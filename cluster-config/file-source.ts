/**
 * Configuration from a file: read at the start, and again whenever the node asks (on SIGHUP).
 *
 * A file that has become wrong changes nothing: the configuration in force stays, and `reload` says what is wrong.
 */
import { createHash } from 'node:crypto'
import { messageOf } from './config-error.ts'
import { loadConfigFile } from './file.ts'
import type { ClusterConfig } from './schema.ts'
import type { ConfigSource } from './source.ts'
import { SourceState } from './source-state.ts'

/** A file as a source; it is read again only on request. */
export interface FileSource extends ConfigSource {
  /**
   * Reads the file again. True when it could be used, whether it differs or not; false leaves everything as it
   * was. Never rejects.
   */
  reload(): Promise<boolean>
}

/** Makes a source of the file at `path`. */
export function fileSource(path: string): FileSource {
  const state = new SourceState('file', path)

  async function load(): Promise<ClusterConfig> {
    const { config, text } = await loadConfigFile(path)
    state.accept(config, createHash('sha256').update(text).digest('hex').slice(0, 12))
    return config
  }

  return {
    start: load,
    async reload() {
      try {
        await load()
        return true
      } catch (error) {
        state.problem(messageOf(error))
        return false
      }
    },
    onChange: listener => state.onChange(listener),
    onProblem: listener => state.onProblem(listener),
    status: () => state.status(),
    stop: async () => {},
  }
}
