/**
 * The ceiling: what one Node.js process can push to another through a TCP socket when it does nothing else, as iperf3
 * measures it for C. Blocks of 64 KiB, neither encoded nor read: a system can come near, not past.
 */
import net from 'node:net'
import type { System } from '../../bench.ts'
import { freePorts } from '../../machine.ts'
import { measureOneway } from '../cases/oneway.ts'
import type { Ends } from '../ends.ts'
import { Pair } from '../pair.ts'

const blockBytes = 65_536

export const loopback: System = {
  name: 'loopback',
  unavailable: async () => undefined,
  async run({ seconds, wants }) {
    if (!wants('oneway')) return []
    using pair = await Pair.start('loopback', String((await freePorts(1))[0]))
    return await measureOneway(pair, seconds, 'oneway', [blockBytes])
  },
}

export const ends: Ends = {
  async source(at) {
    const server = net.createServer({ noDelay: true }).listen({ host: '127.0.0.1', port: Number(at) })
    const socket = await new Promise<net.Socket>(resolve => server.once('connection', resolve))
    return {
      send: (_sender, block) => void socket.write(block),
      pace: () =>
        new Promise(resolve => {
          if (socket.writableNeedDrain) socket.once('drain', resolve)
          else setImmediate(resolve)
        }),
    }
  },
  async sink(at) {
    let bytes = 0
    const onread = {
      buffer: Buffer.allocUnsafeSlow(blockBytes),
      callback: (bytesRead: number) => {
        bytes += bytesRead
        return true
      },
    }
    await connect(Number(at), onread)
    return { received: () => bytes / blockBytes }
  },
}

/** Dials until the source listens. */
function connect(port: number, onread: net.OnReadOpts): Promise<void> {
  return new Promise(resolve => {
    const socket = net.connect({ host: '127.0.0.1', port, onread } as net.NetConnectOpts, resolve)
    socket.once('error', () => setTimeout(() => resolve(connect(port, onread)), 20))
  })
}
