/** The package's own version, read once from package.json, beside the source or beside the build. */
import { existsSync, readFileSync } from 'node:fs'

const file = ['../package.json', '../../package.json']
  .map(path => new URL(path, import.meta.url))
  .find(url => existsSync(url))

export const version: string = file ? JSON.parse(readFileSync(file, 'utf8')).version : 'unknown'
