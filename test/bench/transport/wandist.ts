/** Our side of the transport benchmark: a source and a sink, two processes, one link. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Figure, System } from '../bench.ts'
import type { Order, Report } from './mesh-node.ts'
import { payloadBytes, warmUpSeconds } from './transport.ts'

export const wandist: System = {
  name: 'wandist',
  unavailable: async () => undefined,
  async run({ seconds }) {
    const sink = start()
    const source = start()
    try {
      const { port } = await order(sink, { do: 'listen', as: 'sink' })
      await order(source, { do: 'listen', as: 'source', sinkPort: port })
      const figures: Figure[] = []
      for (const bytes of payloadBytes) {
        const { perSecond } = await order(source, { do: 'send', bytes, seconds, warmUpSeconds })
        figures.push({ case: `one way, ${bytes} B`, metric: 'frames', value: perSecond, unit: 'per s' })
      }
      const { microseconds } = await order(source, { do: 'echo', bytes: 128, seconds, warmUpSeconds })
      figures.push({ case: 'round trip, 128 B', metric: 'p50', value: microseconds, unit: 'us' })
      return figures
    } finally {
      sink.kill()
      source.kill()
    }
  },
}

function start(): ChildProcess {
  return fork(new URL('./mesh-node.ts', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

async function order(child: ChildProcess, what: Order): Promise<Report> {
  child.send(what)
  const [report] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${what.do}: child ended with ${code}`))),
  ])
  return report as Report
}
