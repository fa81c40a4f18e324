/**
 * How a child notices that whoever started it is gone: its standard input, a pipe whose other end only the parent holds,
 * comes to its end. It works for `kill -9` too, and leaves no process behind.
 */

/** How long an orderly end may take before the process ends anyway. */
const END_MS_MAX = 5_000

/**
 * Calls `end` once when the parent is gone; the process ends at the latest {@link END_MS_MAX} later.
 * Does not keep the process alive by itself.
 */
export function endWithParent(
  end: () => void | Promise<void>,
  input: NodeJS.ReadStream = process.stdin,
): void {
  let ended = false
  const gone = async () => {
    if (ended) return
    ended = true
    setTimeout(() => process.exit(1), END_MS_MAX).unref()
    await end()
  }
  input.on('end', gone)
  input.on('close', gone)
  input.on('error', gone)
  input.resume()
  // A pipe is a socket, which can be told not to hold the process; a file or terminal cannot.
  if ('unref' in input) input.unref()
}
