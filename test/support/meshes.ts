/** Meshes in this process on real sockets, and what each was told. They stop together. */
import {
  type Carrier,
  Mesh,
  type MeshOptions,
  newCreation,
  realPorts,
  TEST,
  tcpCarrier,
} from '../../transport/index.ts'

/** One mesh. */
export interface MeshNode {
  readonly name: string
  readonly mesh: Mesh
  /** 'up b', 'down b goodbye', in order. */
  readonly log: string[]
  /** Messages, a character a byte. */
  readonly heard: string[]
  /** 'b wrong-name: why', for each dial that was turned away. */
  readonly refusals: string[]
}

export class Meshes {
  readonly #meshes: Mesh[] = []

  /** A node that listens, and knows nobody yet; over TCP, with a secret that all share, unless told. */
  async node(
    name: string,
    options: Partial<MeshOptions> = {},
    carrier: Carrier = tcpCarrier,
  ): Promise<MeshNode> {
    const [log, heard, refusals]: string[][] = [[], [], []]
    const mesh = new Mesh(
      { clusterId: 'test', node: name, creation: newCreation(realPorts.clock), version: '1' },
      { ...TEST, listen: '127.0.0.1:0', secrets: ['secret'], ...options },
      { ...realPorts, carrier },
      {
        up: peer => log!.push(`up ${peer.node}`),
        down: (peer, reason) => log!.push(`down ${peer.node} ${reason}`),
        message: (_peer, _channel, body) => heard!.push(Buffer.from(body).toString('latin1')),
        refused: (peer, reason, detail) => refusals!.push(`${peer} ${reason}: ${detail}`),
      },
    )
    this.#meshes.push(mesh)
    await mesh.start()
    return { name, mesh, log: log!, heard: heard!, refusals: refusals! }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#meshes.splice(0).map(mesh => mesh.stop()))
  }
}

/** Tells each where the others are. */
export function introduce(...nodes: readonly MeshNode[]): void {
  const addresses = nodes.map(({ name, mesh }) => ({ node: name, address: mesh.address }))
  for (const { mesh } of nodes) mesh.configure(addresses)
}

export function areLinked(one: MeshNode, other: MeshNode): boolean {
  return one.mesh.peer(other.name)!.linked && other.mesh.peer(one.name)!.linked
}
