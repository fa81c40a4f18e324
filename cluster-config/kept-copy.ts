/**
 * The last good configuration, kept on disk: what a node starts from when Consul does not answer.
 *
 * Invariant: the file is at any moment either absent or complete. It is written beside its place, synced, and renamed
 * into it, so a crash or a full disk leaves the one before. Its text is the source's own, below one line that says where
 * it is from; it is checked again when it is read.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readText } from './file.ts'
import type { ClusterConfig } from './schema.ts'
import { parseConfig } from './yaml.ts'

/**
 * Replaces the kept copy. Its folder is made when it is not there.
 *
 * @param path the copy
 * @param text a configuration that has been checked
 * @param origin where it is from, for people; one line
 */
export async function writeKeptCopy(path: string, text: string, origin: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const beside = `${path}.${randomUUID()}`
  try {
    await using file = await open(beside, 'wx', 0o600)
    await file.writeFile(`# Kept by wandist, overwritten with every change. From ${origin}\n${text}`)
    await file.sync()
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
  await using folder = await open(dirname(path))
  await folder.sync()
}

/**
 * Reads the kept copy and checks it.
 *
 * @throws {ConfigError} `missing`, `unreadable` or `invalid`
 */
export async function readKeptCopy(path: string): Promise<ClusterConfig> {
  return parseConfig(await readText(path), path)
}
