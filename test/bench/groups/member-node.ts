/** One of wandist's nodes as this bench uses it: processes that wait, each in a group of its own, and links that can be broken. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { type Node, type Process, Server, startNode } from 'wandist'
import { type Carrier, realPorts, type Stream, tcpCarrier } from '../../../transport/index.ts'
import { joinsPerTurn } from './parameters.ts'

/** A process that waits. */
class Waiting extends Server {}

export class MemberNode {
  readonly node: Node
  readonly #streams: Stream[]
  readonly #peer: string

  private constructor(node: Node, peer: string, streams: Stream[]) {
    this.node = node
    this.#peer = peer
    this.#streams = streams
  }

  /** @param ports of `owner` and `other`; the node is alone where there is one */
  static async start(name: string, ports: readonly string[]): Promise<MemberNode> {
    const streams: Stream[] = []
    const addresses = ports.map((port, index) => [names[index]!, { mesh: `127.0.0.1:${port}` }] as const)
    const node = await startNode({
      name,
      config: { id: 'bench', nodes: Object.fromEntries(addresses) },
      secret: 'bench',
      logLevel: 'silent',
      ports: { ...realPorts, carrier: remembering(tcpCarrier, streams) },
    })
    return new MemberNode(node, names.find(other => other !== name)!, streams)
  }

  /** New processes, in no group yet. */
  spawn(count: number): readonly Process[] {
    return Array.from({ length: count }, () => this.node.runtime.spawn(new Waiting()))
  }

  /** The process at each place joins the group at the same place, some in every turn of the loop. */
  async join(processes: readonly Process[], groups: readonly string[]): Promise<void> {
    for (let at = 0; at < processes.length; at++) {
      processes[at]!.join(groups[at]!)
      if (at % joinsPerTurn === joinsPerTurn - 1) await nextTurn()
    }
  }

  async leave(processes: readonly Process[], groups: readonly string[]): Promise<void> {
    for (let at = 0; at < processes.length; at++) {
      processes[at]!.leave(groups[at]!)
      if (at % joinsPerTurn === joinsPerTurn - 1) await nextTurn()
    }
  }

  /** Looks at each group; every one has one member. */
  look(groups: readonly string[]): void {
    for (const group of groups) {
      if (this.node.registry.members(group).length !== 1) throw new Error(`${group} has not one member`)
    }
  }

  /** Whether exactly so many members of the other node are held, and it is linked. */
  holds(count: number): boolean {
    const row = this.node.registry
      .digests()
      .find(({ node, scope }) => node === this.#peer && scope === 'main')
    return (row?.members ?? 0) === count && row?.isSuspect !== true && this.isLinked
  }

  /** Whether the other node is forgotten. */
  holdsNothing(): boolean {
    return this.node.registry.digests().every(({ node }) => node !== this.#peer)
  }

  get isLinked(): boolean {
    return this.node.mesh.peer(this.#peer)?.linked === true
  }

  async awaitHeld(count: number): Promise<void> {
    while (!this.holds(count)) await sleep(1)
  }

  /** Ends every stream of this node; the mesh dials again by itself. */
  breakLinks(): void {
    for (const stream of this.#streams.splice(0)) stream.destroy()
  }
}

const names = ['owner', 'other']

/** The names of a node's groups. */
export function groupNames(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}/${index}`)
}

function remembering(carrier: Carrier, streams: Stream[]): Carrier {
  return {
    listen: (address, accept) =>
      carrier.listen(address, stream => {
        streams.push(stream)
        accept(stream)
      }),
    dial: address => {
      const stream = carrier.dial(address)
      streams.push(stream)
      return stream
    },
  }
}
