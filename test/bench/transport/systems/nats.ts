/**
 * NATS: two clustered servers, the source on one and the sink on the other, so that a message goes as far as between
 * two nodes: client, server, route, server, client. Core NATS: at most once, not stored. CBOR by cbor-x, as ours.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { decode, encode } from 'cbor-x'
import type { System } from '../../bench.ts'
import { freePorts, missing } from '../../machine.ts'
import { measurePair } from '../cases/pair.ts'
import type { Ends } from '../ends.ts'
import { senders } from '../parameters.ts'

export const nats: System = {
  name: 'nats',
  unavailable: () => missing('nats-server', '--version', 'Debian: nats-server'),
  async run(options) {
    if (!options.wants('oneway') && !options.wants('call')) return []
    const [clientA, clientB, routeA, routeB] = (await freePorts(4)) as [number, number, number, number]
    const a = server(clientA, routeA, [])
    const b = server(clientB, routeB, ['--routes', `nats://127.0.0.1:${routeA}`])
    try {
      return await measurePair('nats', `${clientA},${clientB}`, options, [a.pid!, b.pid!])
    } finally {
      await Promise.all([a, b].map(end))
    }
  },
}

export const ends: Ends = {
  async source(at) {
    const connection = await connectTo(at.split(',')[0]!)
    await untilAnswered(connection)
    return {
      send: (sender, message) => connection.publish(`sink.${sender}`, encode(message)),
      pace: () => connection.flush(),
      call: async message =>
        decode((await connection.request('echo', encode(message), { timeout: 5_000 })).data),
    }
  },
  async sink(at) {
    const connection = await connectTo(at.split(',')[1]!)
    let count = 0
    for (let sender = 0; sender < senders; sender++) {
      connection.subscribe(`sink.${sender}`, {
        callback: (_error, { data }) => {
          if (decode(data).length > 0) count += 1
        },
      })
    }
    connection.subscribe('echo', {
      callback: (_error, message) => void message.respond(encode(decode(message.data))),
    })
    await connection.flush()
    return { received: () => count }
  },
}

function server(client: number, route: number, more: readonly string[]): ChildProcess {
  const cluster = ['--cluster_name', 'bench', '--cluster', `nats://127.0.0.1:${route}`, ...more]
  return spawn('nats-server', ['-a', '127.0.0.1', '-p', String(client), ...cluster], { stdio: 'ignore' })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill()
  await once(child, 'exit')
}

function connectTo(port: string): Promise<NatsConnection> {
  return connect({ servers: `127.0.0.1:${port}`, waitOnFirstConnect: true, reconnectTimeWait: 50 })
}

/** The sink's subscriptions reach the source's server when the servers have found each other. */
async function untilAnswered(connection: NatsConnection): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await connection.request('echo', encode(0), { timeout: 100 }).catch(() => undefined)
    if (answer) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error('start nats: the sink does not answer')
}
