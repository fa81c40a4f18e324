import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'

const parent = pathToFileURL(resolve(import.meta.dirname, '../../../ops/dev/parent.ts')).href

/** A child that says on standard output when it runs, and what it is told. */
function childOf(script: string) {
  const args = ['--import', parent, '--input-type=module', '--eval', script]
  return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
}

describe('a child of dev up', () => {
  test('gets a SIGTERM when the pipe to its parent ends', async () => {
    const child = childOf(`
      process.on('SIGTERM', () => { console.log('told'); process.exit(7) })
      setInterval(() => {}, 1000)
      console.log('runs')
    `)
    const [first] = await once(child.stdout, 'data')
    expect(String(first)).toBe('runs\n')
    child.stdin.end()
    const [code] = await once(child, 'exit')
    expect(code).toBe(7)
  })

  test('is not held by the pipe when it has nothing more to do', async () => {
    const [code] = await once(childOf('console.log("done")'), 'exit')
    expect(code).toBe(0)
  })

  test('lives on when a thread of it has no standard input', async () => {
    const child = childOf(`
      import { Worker } from 'node:worker_threads'
      new Worker('setTimeout(() => {}, 50)', { eval: true }).on('exit', () => process.exit(5))
    `)
    const [code, signal] = await once(child, 'exit')
    expect([code, signal]).toEqual([5, null])
  })
})
