/**
 * Loaded by a child of `wand dev up` before anything else (`node --import`): ends the child when its parent is gone.
 *
 * A child's standard input is a pipe whose other end only the parent holds, so its end says that the parent is no more,
 * `kill -9` included. The child then does what it does on SIGTERM, and is gone soon in any case: no process is left.
 */

import { isMainThread } from 'node:worker_threads'

/** How long the orderly end may take before the process ends anyway. */
const END_MS_MAX = 5_000

let isEnding = false

function end(): void {
  if (isEnding) return
  isEnding = true
  setTimeout(() => process.exit(1), END_MS_MAX).unref()
  process.kill(process.pid, 'SIGTERM')
}

function watch(): void {
  const { stdin } = process
  for (const event of ['end', 'close', 'error']) stdin.on(event, end)
  stdin.resume()
  // A pipe does not hold the process that only listens to it.
  if ('unref' in stdin) stdin.unref()
}

// Threads load this too, and have no standard input of their own.
if (isMainThread) watch()
