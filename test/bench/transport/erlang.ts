/** Erlang's distribution doing the same: two nodes, one registered process that counts and echoes. */
import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import type { Figure, System } from '../bench.ts'
import { payloadBytes, warmUpSeconds } from './transport.ts'

const script = new URL('./erlang.escript', import.meta.url).pathname

export const erlang: System = {
  name: 'erlang',
  async unavailable() {
    try {
      await promisify(execFile)('erl', ['-version'])
      return undefined
    } catch {
      return 'no erl on PATH (Debian: erlang-base)'
    }
  },
  async run({ seconds }) {
    const name = `wandist-bench-${process.pid}`
    const sink = spawn('escript', [script, 'sink', `${name}-sink@127.0.0.1`], { stdio: 'ignore' })
    try {
      const { stdout } = await promisify(execFile)('escript', [
        script,
        'source',
        `${name}-source@127.0.0.1`,
        `${name}-sink@127.0.0.1`,
        String(warmUpSeconds * 1000),
        String(seconds * 1000),
        ...payloadBytes.map(String),
      ])
      return stdout.trim().split('\n').map(figure)
    } finally {
      sink.kill('SIGKILL')
    }
  },
}

/** A line is `frames 128 412345.6` or `p50 128 61.2`. */
function figure(line: string): Figure {
  const [metric, bytes, value] = line.split(' ')
  if (metric === 'p50') return { case: `round trip, ${bytes} B`, metric, value: Number(value), unit: 'us' }
  return { case: `one way, ${bytes} B`, metric: metric!, value: Number(value), unit: 'per s' }
}
