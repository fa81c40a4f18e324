/** wandist's nodes on real sockets and real time, all in this process. A netsplit breaks the streams of two nodes, and refuses new ones. */
import { type RoutingOptions, routingDefaults } from '../../routing/index.ts'
import {
  type Carrier,
  newCreation,
  realClock,
  realRandom,
  realTimers,
  type Stream,
  TEST,
  tcpCarrier,
} from '../../transport/index.ts'
import { freePorts } from '../bench/machine.ts'
import { PgNode } from './pg-node.ts'
import { pairOf } from './script.ts'
import type { Stage } from './story.ts'

/** Nobody listens there. */
const nowhere = '127.0.0.1:1'
const settleMsMax = 10_000
const limits: RoutingOptions = { ...routingDefaults, graceMs: 100 }

export class TcpStage implements Stage {
  readonly nodes = new Map<string, PgNode>()
  readonly #addresses: ReadonlyMap<string, string>
  readonly #cuts = new Set<string>()
  /** Every stream that was dialled, by the pair that it joins. */
  readonly #dialled = new Map<string, Stream[]>()
  #starts = 0

  private constructor(addresses: ReadonlyMap<string, string>) {
    this.#addresses = addresses
  }

  static async of(names: readonly string[]): Promise<TcpStage> {
    const ports = await freePorts(names.length)
    return new TcpStage(new Map(names.map((name, index) => [name, `127.0.0.1:${ports[index]}`])))
  }

  async start(name: string): Promise<void> {
    this.#starts += 1
    const node = new PgNode({
      name,
      creation: newCreation(realClock) + this.#starts,
      ports: { clock: realClock, timers: realTimers, random: realRandom, carrier: this.#carrier(name) },
      mesh: { ...TEST, listen: this.#addresses.get(name)!, secrets: ['scripts'] },
      limits,
    })
    await node.mesh.start()
    node.mesh.configure([...this.#addresses].map(([other, address]) => ({ node: other, address })))
    this.nodes.set(name, node)
  }

  async crash(name: string): Promise<void> {
    const node = this.nodes.get(name)!
    this.nodes.delete(name)
    for (const other of this.#addresses.keys()) this.#break(pairOf(name, other))
    await node.stop()
  }

  cut(one: string, other: string): void {
    this.#cuts.add(pairOf(one, other))
    this.#break(pairOf(one, other))
  }

  heal(one: string, other: string): void {
    this.#cuts.delete(pairOf(one, other))
  }

  pause(): Promise<void> {
    return new Promise(resolve => setImmediate(resolve))
  }

  /** Until each node sees exactly the own members of those that it should be linked to; what is not so in time shows in the story. */
  async settle(): Promise<void> {
    const endMs = performance.now() + settleMsMax
    while (![...this.nodes.keys()].every(name => this.#isAtRest(name))) {
      if (performance.now() > endMs) return
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes.values()].map(node => node.stop()))
  }

  #isAtRest(name: string): boolean {
    const { registry, mesh } = this.nodes.get(name)!
    const seen: PgNode[] = [this.nodes.get(name)!]
    for (const [other, { linked }] of mesh.peers) {
      const node = this.#cuts.has(pairOf(name, other)) ? undefined : this.nodes.get(other)
      if (linked !== (node !== undefined)) return false
      if (node) seen.push(node)
    }
    const groups = new Set([registry, ...seen.map(node => node.registry)].flatMap(each => each.whichGroups()))
    return [...groups].every(group => {
      const own = seen.flatMap(node => node.registry.localMembers(group).map(String))
      return own.sort().join() === registry.members(group).map(String).sort().join()
    })
  }

  #carrier(name: string): Carrier {
    return {
      listen: tcpCarrier.listen,
      dial: address => {
        const [other] = [...this.#addresses].find(([, known]) => known === address)!
        const pair = pairOf(name, other)
        if (this.#cuts.has(pair)) return tcpCarrier.dial(nowhere)
        const stream = tcpCarrier.dial(address)
        this.#dialled.set(pair, [...(this.#dialled.get(pair) ?? []), stream])
        return stream
      },
    }
  }

  #break(pair: string): void {
    for (const stream of this.#dialled.get(pair) ?? []) stream.destroy()
    this.#dialled.delete(pair)
  }
}
