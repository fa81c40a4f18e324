/**
 * Moleculer over its TCP transporter: two brokers, an event a sender, an action that echoes. CBOR instead of its JSON,
 * because that is faster for bytes. Its TCP transporter has no back-pressure: the source waits for its writes.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ServiceBroker, type ServiceSchema } from 'moleculer'
import type { System } from '../../bench.ts'
import { freePorts } from '../../machine.ts'
import { measurePair } from '../cases/pair.ts'
import type { Ends } from '../ends.ts'
import { senders } from '../parameters.ts'

export const moleculer: System = {
  name: 'moleculer',
  unavailable: async () => undefined,
  run: async options => measurePair('moleculer', (await freePorts(2)).join(), options),
}

export const ends: Ends = {
  async source(at) {
    const broker = await start('source', at, [])
    await broker.waitForServices('sink', 30_000)
    let writes: Promise<unknown>[] = []
    return {
      send: (sender, data) => void writes.push(broker.emit(`sink.${sender}`, { data })),
      async pace() {
        await Promise.all(writes)
        writes = []
        await nextTurn()
      },
      call: data => broker.call('sink.echo', { data }),
    }
  },
  async sink(at) {
    let count = 0
    const onEvent = ({ params }: { params: { data: Uint8Array } }) => {
      if (params.data.length > 0) count += 1
    }
    const events = Object.fromEntries(
      Array.from({ length: senders }, (_, sender) => [`sink.${sender}`, onEvent] as const),
    )
    const echo = ({ params }: { params: { data: Uint8Array } }) => params.data
    await start('sink', at, [{ name: 'sink', events, actions: { echo } } as ServiceSchema])
    return { received: () => count }
  },
}

async function start(nodeID: string, at: string, services: readonly ServiceSchema[]): Promise<ServiceBroker> {
  const [source, sink] = at.split(',')
  const urls = `tcp://127.0.0.1:${source}/source,tcp://127.0.0.1:${sink}/sink`
  const broker = new ServiceBroker({
    nodeID,
    logger: false,
    serializer: 'CBOR',
    transporter: { type: 'TCP', options: { udpDiscovery: false, urls, gossipPeriod: 1 } },
  })
  for (const service of services) broker.createService(service)
  await broker.start()
  return broker
}
