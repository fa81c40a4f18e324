/**
 * The version of wandist that this code is, from the package.json that it came with.
 */
import { existsSync, readFileSync } from 'node:fs'

/** Reads the version. In a source tree package.json is one level up, in the package, behind `dist`, two. */
export function wandistVersion(): string {
  const near = new URL('../package.json', import.meta.url)
  const file = existsSync(near) ? near : new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
