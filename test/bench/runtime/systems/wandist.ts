/** wandist's runtime, in a process of its own. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Figure, System } from '../../bench.ts'
import type { Memory } from '../memory.ts'

const PROCESSES = 100_000
const TIMERS = 100_000

export const wandist: System = {
  name: 'wandist',
  unavailable: async () => undefined,
  async run({ wants }) {
    return wants('memory') ? memory() : []
  },
}

async function memory(): Promise<readonly Figure[]> {
  const measuring = fork(new URL('../memory.ts', import.meta.url).pathname, [PROCESSES, TIMERS].map(String), {
    execArgv: ['--expose-gc', '--conditions=wandist-source', '--disable-warning=ExperimentalWarning'],
  })
  const failed = once(measuring, 'exit').then(([code]) => {
    throw new Error(`measure memory: it ended first, with ${code}`)
  })
  const [answer] = (await Promise.race([once(measuring, 'message'), failed])) as [Memory]
  failed.catch(() => {})
  const figure = (what: string, count: number, value: number) =>
    ({ case: 'memory', parameters: { what, count }, metric: 'memory', value, unit: 'bytes each' }) as const
  return [
    figure('idle process', PROCESSES, answer.bytesPerProcess),
    figure('pending timer', TIMERS, answer.bytesPerTimer),
  ]
}
