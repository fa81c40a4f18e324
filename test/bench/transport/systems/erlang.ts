/**
 * Erlang's distribution: two nodes, eight processes that send binaries to eight registered ones (`erlang.escript`). Calls
 * are a send and a receive, without the monitor of a gen_server: less than ours promise. An epmd of its own, and all
 * settings as they come: both cores, busy waits, a distribution buffer of 1 MiB a link.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { Figure, System } from '../../bench.ts'
import { freePorts, missing } from '../../machine.ts'
import { callFigures } from '../cases/call.ts'
import { onewayFigures } from '../cases/oneway.ts'
import { bytesList, callBytes, loads, senders, warmUpSeconds } from '../parameters.ts'

const script = new URL('./erlang.escript', import.meta.url).pathname

export const erlang: System = {
  name: 'erlang',
  unavailable: () => missing('erl', '-version', 'Debian: erlang-base'),
  async run({ seconds, wants }) {
    if (!wants('oneway') && !wants('call')) return []
    const [port] = await freePorts(1)
    const env = { ...process.env, ERL_EPMD_PORT: String(port) }
    const epmd = spawn('epmd', ['-port', String(port), '-address', '127.0.0.1'], { stdio: 'ignore' })
    const sink = spawn('escript', [script, 'sink', 'sink@127.0.0.1', String(senders)], {
      stdio: 'ignore',
      env,
    })
    const ask = async (what: string, ...rest: readonly (string | number)[]) => {
      const times = [warmUpSeconds * 1000, seconds * 1000, ...rest].map(String)
      const { stdout } = await promisify(execFile)('escript', [script, what, ...times], { env })
      return stdout.trim().split(' ').map(Number) as [number, number]
    }
    const figures: Figure[] = []
    try {
      if (wants('oneway'))
        for (const bytes of bytesList)
          figures.push(...onewayFigures('oneway', bytes, ...(await ask('oneway', senders, bytes))))
      if (wants('call'))
        for (const load of loads) {
          const [p50, p99] = await ask('call', callBytes, load === 'idle' ? 0 : load)
          figures.push(...callFigures(load, { p50, p99 }))
        }
      return figures
    } finally {
      await Promise.all([sink, epmd].map(end))
    }
  },
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
