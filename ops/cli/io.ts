/**
 * What a command may touch of the process that it runs in. Commands take it as an argument, so that tests run them in
 * their own process, on strings.
 *
 * Standard output is data, standard error is chatter. A command that has said what it had to sets its exit code and
 * returns; the process ends when nothing is left open.
 */
import type { Readable } from 'node:stream'
import { styleText } from 'node:util'
import type { ExitCode } from './exit-code.ts'

/** Something that takes text. */
export interface TextSink {
  write(text: string): unknown
}

/** A command's world. */
export interface Io {
  readonly stdin: Readable
  readonly stdout: TextSink
  readonly stderr: TextSink
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether standard output is a terminal. */
  readonly isTTY: boolean
  /** Columns of that terminal; 80 where nobody knows. */
  readonly columns: number
  /** Sets what the process will exit with, once nothing keeps it running. The last one said counts. */
  setExitCode(code: ExitCode): void
  /** Ends the process now, with `code` or what was set; only for a process that would not end by itself. */
  exit(code?: ExitCode): void
  /** Runs `listener` at each such signal, in place of dying of it. Returns how to take it back. */
  onSignal(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): () => void
}

/** The world of a real process. */
export function processIo(): Io {
  // `wand wsar | head -3` is not an error: the reader has had enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    isTTY: process.stdout.isTTY === true,
    columns: process.stdout.columns ?? 80,
    setExitCode(code) {
      process.exitCode = code
    },
    exit(code) {
      process.exit(code)
    },
    onSignal(signal, listener) {
      process.on(signal, listener)
      return () => void process.off(signal, listener)
    },
  }
}

/** Whether to write colour: only to a terminal; `NO_COLOR` forbids it, `FORCE_COLOR` asks for it in a pipe. */
export function hasColour(io: Pick<Io, 'env' | 'isTTY'>): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = io.env
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false
  if (FORCE_COLOR === '0' || FORCE_COLOR === 'false') return false
  if (FORCE_COLOR !== undefined) return true
  return io.isTTY && TERM !== 'dumb'
}

/** The looks that we use; never the only carrier of a meaning. */
export type Look = 'bold' | 'dim' | 'red' | 'yellow' | 'green'

/** Returns how to paint text on this io; plain text stays plain where there is no colour. */
export function painter(io: Pick<Io, 'env' | 'isTTY'>): (look: Look, text: string) => string {
  if (!hasColour(io)) return (_look, text) => text
  return (look, text) => styleText(look, text, { validateStream: false })
}
