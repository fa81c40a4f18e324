import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startFailure } from '../../../ops/dev/start-failure.ts'

test.each([
  [
    'what wand said',
    '{"level":30}\nwand: run a: address in use\n    at stack\n',
    'exit 69',
    'run a: address in use',
    69,
  ],
  ['a wrong configuration', 'wand: run a: no secret\n', 'exit 78', 'run a: no secret', 78],
  ['a bug', 'wand: bug, please report it: Error: oh\n', 'exit 70', 'bug, please report it: Error: oh', 69],
  [
    'something else',
    'Segmentation fault\n',
    'signal SIGSEGV',
    'run a: signal SIGSEGV: Segmentation fault',
    69,
  ],
  ['nothing at all', '', 'signal SIGKILL', 'run a: signal SIGKILL', 69],
])('a node that ends early with %s gives its reason in one line', (_what, log, lastEnd, reason, code) => {
  const directory = mkdtempSync(join(tmpdir(), 'wandist-failure-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const logFile = join(directory, 'a.log')
  writeFileSync(logFile, log)
  const failure = startFailure({
    node: 'a',
    state: 'backing-off',
    pid: undefined,
    restarts: 0,
    lastEnd,
    logFile,
  })
  expect(failure).toMatchObject({ exitCode: code, message: `dev up: ${reason}` })
})
