/**
 * Whether this machine has room for a run: every address that the nodes will listen on, tried before any of them starts,
 * so that a port in use is one clear line and not ten logs.
 */
import { createServer } from 'node:net'
import { parseAddress, type Topology } from '../../cluster-config/index.ts'

/** Finds what stands in the way, a line each; empty when all addresses are free. */
export async function takenAddresses(topology: Topology): Promise<readonly string[]> {
  const wanted = topology.nodes.flatMap(node =>
    (['mesh', 'phones', 'http'] as const).flatMap(kind => {
      const address = node[kind]
      return address === undefined ? [] : [{ address, what: `${kind} of ${node.name}` }]
    }),
  )
  const reasons = await Promise.all(wanted.map(({ address }) => reasonAgainst(address)))
  return wanted.flatMap(({ address, what }, index) => {
    const reason = reasons[index]
    return reason === undefined ? [] : [`listen on ${address}, ${what}: ${reason}`]
  })
}

function reasonAgainst(address: string): Promise<string | undefined> {
  const parsed = parseAddress(address)
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(reasons[error.code ?? ''] ?? error.message)
    })
    server.listen(parsed?.port, parsed?.host, () => server.close(() => resolve(undefined)))
  })
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'address in use',
  EADDRNOTAVAIL: 'not an address of this machine',
  EACCES: 'permission denied',
}
