/**
 * The run directory: where a node puts its admin socket, and where `wand` looks for one.
 *
 * Whoever can open a socket there can drain nodes. So the directory is ours alone to write to: we make it 0700, and do
 * not use one that somebody else made or may change (in /tmp, anybody may have made it first).
 */
import { lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { AdminError } from './admin-error.ts'

/** The longest path that the kernel takes for a socket, in bytes (`sun_path`, with its end). */
const socketPathBytesMax = 107

/**
 * Where the run directory is: `chosen` (`--run-dir`, `WAND_RUN_DIR`), else one per user below `XDG_RUNTIME_DIR` or /tmp.
 */
export function runDirectory(
  chosen?: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const given = chosen ?? env.WAND_RUN_DIR
  if (given !== undefined && given !== '') return given
  return join(env.XDG_RUNTIME_DIR || '/tmp', `wandist-${process.getuid?.() ?? 0}`)
}

/**
 * Makes the directory, or checks the one that is there.
 *
 * @throws AdminError `bad-run-directory` when it is not ours alone to write to
 */
export function openRunDirectory(directory: string): void {
  const refuse = (why: string) =>
    new AdminError('bad-run-directory', `use run directory: ${why}: ${directory}`)
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw refuse(`cannot be made: ${(error as Error).message}`)
  }
  const stat = lstatSync(directory)
  if (!stat.isDirectory()) throw refuse('not a directory')
  if (process.getuid !== undefined && stat.uid !== process.getuid()) throw refuse('belongs to another user')
  if ((stat.mode & 0o022) !== 0) throw refuse('others can write to it')
}

/**
 * The admin socket of `node`.
 *
 * @throws AdminError `bad-run-directory` when the path is longer than a socket's may be
 */
export function socketPath(directory: string, node: string): string {
  const path = join(directory, `${node}.sock`)
  const bytes = Buffer.byteLength(path)
  if (bytes > socketPathBytesMax) {
    const why = `path of ${bytes} bytes, above the kernel's ${socketPathBytesMax}`
    throw new AdminError('bad-run-directory', `use run directory: ${why}: ${path}`)
  }
  return path
}

/** The sockets that may be nodes', in order of name; not all of them need to be alive. `dev.sock` is no node's. */
export function nodeSockets(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter(name => name.endsWith('.sock') && name !== 'dev.sock')
      .sort()
      .map(name => join(directory, name))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return []
    throw error
  }
}
