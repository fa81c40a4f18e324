/**
 * Golden transcripts of the `wand` command: what was typed, what came out on both outputs, how it exited.
 *
 * They lie in test/golden/cli; UPDATE_GOLDEN=1 writes them anew, and git shows what changed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect } from 'vitest'
import type { Io } from '../../../ops/cli/io.ts'
import { run } from '../../../ops/cli/main.ts'

const directory = join(import.meta.dirname, '../../golden/cli')

/** What became of a command line. */
export interface Ran {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** How its world is. */
export interface World {
  readonly env?: Readonly<Record<string, string>>
  readonly isTTY?: boolean
  readonly onStdout?: (text: string) => void
  readonly onSignal?: Io['onSignal']
}

/** Runs a command line in this process, on strings. */
export async function wand(argv: readonly string[], world: World = {}): Promise<Ran> {
  let stdout = ''
  let stderr = ''
  let exitCode = 0
  const io: Io = {
    stdin: Readable.from([]),
    stdout: {
      write(text) {
        stdout += text
        world.onStdout?.(text)
      },
    },
    stderr: {
      write(text) {
        stderr += text
      },
    },
    env: world.env ?? {},
    isTTY: world.isTTY ?? false,
    columns: 80,
    setExitCode(code) {
      exitCode = code
    },
    // What a process does that lingers; tests have better ways to see what is left open.
    exit() {},
    onSignal: world.onSignal ?? (() => () => {}),
  }
  await run(argv, io)
  return { stdout, stderr, exitCode }
}

/**
 * Compares what a command line did with its transcript.
 *
 * @param tidy replaces what differs from run to run, such as times and paths
 */
export function expectGolden(
  name: string,
  argv: readonly string[],
  ran: Ran,
  tidy: (text: string) => string = text => text,
): void {
  const parts = [`$ wand ${argv.join(' ')}\n`, ran.stdout]
  if (ran.stderr !== '') parts.push(`---- standard error\n${ran.stderr}`)
  parts.push(`---- exit ${ran.exitCode}\n`)
  const transcript = tidy(parts.join(''))
  const file = join(directory, `${name}.txt`)
  if (process.env.UPDATE_GOLDEN === '1') {
    mkdirSync(directory, { recursive: true })
    writeFileSync(file, transcript)
  }
  expect(transcript).toBe(readFileSync(file, 'utf8'))
}
