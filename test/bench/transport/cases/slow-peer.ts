/**
 * slow-peer: one node sends to sixteen under load, one of them is stopped (SIGSTOP) and later continued: what do the other
 * fifteen notice, what does the sender hold, and how soon is all well again?
 *
 * Three processes: the sender, the fifteen, and the one that is stopped. The load is declared, so that it is the same before
 * and during; the stopped one's share fills its queue before its link is given up for dead.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Figure } from '../../bench.ts'
import { freePorts, residentBytes } from '../../machine.ts'
import { said } from '../pair.ts'
import { warmUpSeconds } from '../parameters.ts'
import type { Window } from './slow-peer-node.ts'

export const peers = 16
/** Bytes of one message, and messages per second and peer. */
export const load = { bytes: 8192, rate: 2000 } as const
const recoverySecondsMax = 30
const sampleMs = 20

export async function measureSlowPeer(seconds: number): Promise<readonly Figure[]> {
  const ports = (await freePorts(peers + 1)).join()
  const start = (role: string) =>
    fork(new URL('./slow-peer-node.ts', import.meta.url), [role, ports], {
      execArgv: ['--conditions=wandist-source', '--disable-warning=ExperimentalWarning'],
    })
  const [many, one, source] = ['many', 'one', 'source'].map(start) as [
    ChildProcess,
    ChildProcess,
    ChildProcess,
  ]
  const residents: number[] = []
  const sampling = setInterval(
    () => source.exitCode === null && residents.push(residentBytes(source.pid!)),
    sampleMs,
  )
  try {
    await Promise.all([many, one, source].map(said))
    await look(source, many, warmUpSeconds)
    const before = await look(source, many, seconds)
    residents.length = 0
    one.kill('SIGSTOP')
    const during = await look(source, many, seconds)
    const memoryBytesMax = Math.max(...residents)
    const memoryBytesMid = residents[residents.length >> 1]!
    one.kill('SIGCONT')
    source.send({ do: 'await', seconds: recoverySecondsMax })
    const recoveryMs = (await said(source)) as number
    const figure = (metric: string, value: number, unit: string): Figure => ({
      case: 'slow-peer',
      parameters: { peers, ...load },
      metric,
      value,
      unit,
    })
    return [
      figure('p99-before', before.p99, 'us'),
      figure('p99-during', during.p99, 'us'),
      figure('throughput-before', before.rate, 'msg/s'),
      figure('throughput-during', during.rate, 'msg/s'),
      figure('queue-max', during.queueBytesMax, 'B'),
      figure('queue-cap', during.queueBytesCap, 'B'),
      figure('memory-mid', memoryBytesMid, 'B'),
      figure('memory-max', memoryBytesMax, 'B'),
      figure('refused', during.refused, 'msg'),
      figure('refused-uncounted', during.refused - during.refusedCounted, 'msg'),
      figure('calls-failed', before.callsFailed + during.callsFailed, 'calls'),
      figure('recovery', recoveryMs, 'ms'),
    ]
  } finally {
    clearInterval(sampling)
    for (const child of [many, one, source]) child.kill('SIGKILL')
    await sleep(0)
  }
}

/** What the source saw and the fifteen received within so many seconds. */
async function look(
  source: ChildProcess,
  many: ChildProcess,
  seconds: number,
): Promise<Window & { rate: number }> {
  const start = await receivedBy(many)
  source.send({ do: 'load', seconds })
  const window = (await said(source)) as Window
  const end = await receivedBy(many)
  return { ...window, rate: ((end.count - start.count) / (end.nowMs - start.nowMs)) * 1000 }
}

async function receivedBy(many: ChildProcess): Promise<{ count: number; nowMs: number }> {
  many.send({ do: 'count' })
  return (await said(many)) as { count: number; nowMs: number }
}
