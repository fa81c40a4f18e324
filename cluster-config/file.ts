/**
 * A configuration from a file on disk.
 *
 * A file that cannot be used is always a `ConfigError` that names it; the file is read whole, and a size limit keeps a
 * wrong path (a disk image, a log) from being taken into memory.
 */
import { open, readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { messageOf, sourceError } from './config-error.ts'
import type { ClusterConfig } from './schema.ts'
import { eachFile } from './tls-files.ts'
import { parseConfig } from './yaml.ts'

/** A thousand nodes take about 200 KB; a larger file is no configuration. */
export const fileBytesMax = 4 * 1024 * 1024

/** A configuration, and the text that it came from. */
export interface LoadedConfig {
  readonly config: ClusterConfig
  readonly text: string
}

/**
 * Reads and checks a configuration file. `secretFile` and the files of `tls` come back as absolute paths: they are relative to the file.
 *
 * @param path the YAML file, relative to the working directory
 * @throws {ConfigError} `missing`, `unreadable` or `invalid`
 */
export async function loadConfigFile(path: string): Promise<LoadedConfig> {
  const text = await readText(path)
  const config = parseConfig(text, path)
  const absolute = (file: string) => resolve(dirname(path), file)
  const { secretFile, tls } = config
  const files = {
    ...(secretFile !== undefined && { secretFile: absolute(secretFile) }),
    ...(tls !== undefined && { tls: eachFile(tls, absolute) }),
  }
  return { config: Object.freeze({ ...config, ...files }), text }
}

/**
 * Reads a text file, whole.
 *
 * @throws {ConfigError} `missing` or `unreadable`
 */
export async function readText(path: string): Promise<string> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    if (size > fileBytesMax) throw new Error(`${size} bytes, above the limit of ${fileBytesMax}`)
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw sourceError('missing', path, 'no such file')
    // Without what Node puts behind it: the call that failed, and the path once more.
    const reason = messageOf(error).replace(/, \w+( '.*')?$/, '')
    throw sourceError('unreadable', path, `cannot be read: ${reason}`)
  }
}
