/**
 * The configuration that wandist brings along: default.yaml, which lies beside this file (in the source and, copied by
 * the build, in what is published).
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ClusterConfig } from './schema.ts'
import { parseConfig } from './yaml.ts'

/** Path of the embedded file, for whoever wants to start from a copy of it. */
export const embeddedFile = fileURLToPath(new URL('./default.yaml', import.meta.url))

let parsed: ClusterConfig | undefined

/** The embedded configuration: two datacenters of five nodes each on loopback addresses. Read once. */
export function embeddedConfig(): ClusterConfig {
  parsed ??= parseConfig(readFileSync(embeddedFile, 'utf8'), 'default.yaml')
  return parsed
}
