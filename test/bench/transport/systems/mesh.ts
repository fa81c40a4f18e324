/** wandist's transport alone: frames of bytes, nothing encoded, no groups and no processes above it. Ends only. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  LAN,
  Lane,
  Mesh,
  type MeshOptions,
  newCreation,
  type Peer,
  realPorts,
} from '../../../../transport/index.ts'
import type { Ends } from '../ends.ts'

const queuedBytesMax = 1024 * 1024
const channel = 2
/** As long as routing's. */
const header = new Uint8Array(32)

export const ends = meshEnds({})

export function meshEnds(options: Partial<MeshOptions>): Ends {
  return {
    async source(at) {
      const { mesh, up } = await start('source', at, options)
      const peer = mesh.peer('sink')!
      await up
      return {
        send: (_sender, message) => void peer.send(channel, Lane.ordinary, header, message),
        async pace() {
          do await nextTurn()
          while (peer.queueBytes > queuedBytesMax)
        },
      }
    },
    async sink(at) {
      let count = 0
      await start('sink', at, options, () => {
        count += 1
      })
      return { received: () => count }
    },
  }
}

async function start(node: string, at: string, options: Partial<MeshOptions>, message = () => {}) {
  const ports = at.split(',')
  const { promise: up, resolve } = Promise.withResolvers<Peer>()
  const mesh = new Mesh(
    { clusterId: 'bench', node, creation: newCreation(realPorts.clock), version: '0' },
    { ...LAN, listen: `127.0.0.1:${ports[node === 'source' ? 0 : 1]}`, secrets: ['bench'], ...options },
    realPorts,
    { up: resolve, down: () => {}, message },
  )
  await mesh.start()
  mesh.configure([
    { node: 'source', address: `127.0.0.1:${ports[0]}` },
    { node: 'sink', address: `127.0.0.1:${ports[1]}` },
  ])
  return { mesh, up }
}
