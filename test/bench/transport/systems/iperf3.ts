/** The machine's ceiling: what two C processes push through a TCP socket over loopback, in blocks of 64 KiB that nobody looks at. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { System } from '../../bench.ts'
import { freePorts, missing } from '../../machine.ts'
import { onewayFigures } from '../cases/oneway.ts'

const blockBytes = 65_536

/** What is read of iperf3's report. */
interface Report {
  readonly end: {
    readonly sum_received: {
      readonly bits_per_second: number
      readonly seconds: number
      readonly bytes: number
    }
    /** In hundredths of one core, of either end's seconds. */
    readonly cpu_utilization_percent: { readonly host_total: number; readonly remote_total: number }
  }
}

export const iperf3: System = {
  name: 'iperf3',
  unavailable: () => missing('iperf3', '--version', 'Debian: iperf3'),
  async run({ seconds, wants }) {
    if (!wants('oneway')) return []
    const port = String((await freePorts(1))[0])
    const server = spawn('iperf3', [
      '--server',
      '--one-off',
      '--forceflush',
      '--bind',
      '127.0.0.1',
      '--port',
      port,
    ])
    const ended = once(server, 'exit')
    try {
      for await (const line of server.stdout) if (String(line).includes('listening')) break
      const { stdout } = await promisify(execFile)('iperf3', [
        ...['--client', '127.0.0.1', '--port', port, '--json'],
        ...['--length', String(blockBytes), '--time', String(Math.max(1, Math.round(seconds)))],
      ])
      const { sum_received: received, cpu_utilization_percent: cpu } = (JSON.parse(stdout) as Report).end
      const blocks = received.bytes / blockBytes
      const cpuUs = ((cpu.host_total + cpu.remote_total) / 100) * received.seconds * 1e6
      return onewayFigures('oneway', blockBytes, blocks / received.seconds, cpuUs / blocks)
    } finally {
      server.kill('SIGKILL')
      await ended
    }
  },
}
