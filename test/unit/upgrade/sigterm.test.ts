/** What SIGTERM does to a node that an operator drains already: what a service manager's restart sends after `wand upgrade`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Node } from '../../../node/index.ts'
import { wand } from '../ops/golden.ts'

/** A loopback address of this process's own. */
const host = `127.79.${(process.pid >> 8) & 0xff}.${Math.min(254, Math.max(1, process.pid & 0xff))}`

/** A `wand node run` whose drain an operator has begun, and which is not done before the test says so. */
async function drainingNode(port: number) {
  const directory = mkdtempSync(join(tmpdir(), 'wand-'))
  const config = join(directory, 'cluster.yaml')
  writeFileSync(config, `id: demo\ntiming: test\nnodes:\n  alone: { mesh: "${host}:${port}" }\n`)
  vi.stubEnv('WANDIST_SECRET', 'a secret of the tests')
  const left = { sessions: 0, calls: 1, unconfirmed: 0, queueBytes: 0 }
  vi.spyOn(Node.prototype, 'whatIsLeft').mockImplementation(() => ({ ...left }))
  const stop = vi.spyOn(Node.prototype, 'stop')
  onTestFinished(() => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
    rmSync(directory, { recursive: true })
  })

  const env = { WAND_RUN_DIR: directory }
  const signals = new Map<string, () => void>()
  let stdout = ''
  const ended = wand(['node', 'run', '--name', 'alone', '--config', config, '--log-level', 'silent'], {
    env,
    onStdout: text => {
      stdout += text
    },
    onSignal: (signal, listener) => {
      signals.set(signal, listener)
      return () => void signals.delete(signal)
    },
  })
  await expect.poll(() => stdout, { timeout: 5_000, interval: 10 }).toMatch(/ready/)
  let watched = ''
  const operator = wand(['node', 'drain', 'alone'], {
    env,
    onStdout: text => {
      watched += text
    },
  })
  await expect.poll(() => watched, { timeout: 5_000, interval: 10 }).toMatch(/calls 1/)
  return { ended, operator, stop, sigterm: signals.get('SIGTERM')!, release: () => (left.calls = 0) }
}

test('SIGTERM waits for a drain that is under way', async () => {
  const node = await drainingNode(7_501)
  node.sigterm()
  expect(node.stop).not.toHaveBeenCalled()
  node.release()
  expect(await node.ended).toMatchObject({ exitCode: 0, stderr: '' })
  expect(await node.operator).toMatchObject({ exitCode: 0 })
})

test('a second SIGTERM cuts off even a drain that an operator began', async () => {
  const node = await drainingNode(7_502)
  node.sigterm()
  node.sigterm()
  expect(node.stop).toHaveBeenCalled()
  expect((await node.ended).exitCode).toBe(1)
  await node.operator
})
