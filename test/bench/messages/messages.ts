/**
 * messages: casts and calls between processes on two nodes, through registry, router, CBOR and runtime.
 *
 * Cast: a node sends to a group whose member lives on the other, as fast as its queue takes it. Call: 64 at a time.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Bench, System } from '../bench.ts'

const wandist: System = {
  name: 'wandist',
  unavailable: async () => undefined,
  async run({ seconds }) {
    const member = fork(new URL('./service-node.ts', import.meta.url), ['member', '0'])
    const sender = fork(new URL('./service-node.ts', import.meta.url), ['sender', String(seconds)])
    try {
      const { casts, calls } = await answer(sender)
      return [
        { case: 'cast, small object', metric: 'messages', value: casts, unit: 'per s' },
        { case: 'call, small object', metric: 'calls', value: calls, unit: 'per s' },
      ]
    } finally {
      member.kill()
      sender.kill()
    }
  },
}

export const messages: Bench = {
  name: 'messages',
  about: 'casts and calls by group between two nodes, encoded and handled',
  ours: wandist,
  peers: [],
}

async function answer(child: ChildProcess): Promise<{ casts: number; calls: number }> {
  const [report] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`sender ended with ${code}`))),
  ])
  return report as { casts: number; calls: number }
}
