/** wandist's nodes on a manual clock and streams in memory: a script takes milliseconds, and is the same every time. */
import { type RoutingOptions, routingDefaults, routingForTests } from '../../routing/index.ts'
import { MemoryNetwork, TEST } from '../../transport/index.ts'
import { ManualClock, seededRandom } from '../unit/transport/manual-clock.ts'
import { PgNode } from './pg-node.ts'
import { pairOf } from './script.ts'
import type { Stage } from './story.ts'

/** Half of the scripts run with limits so small that frames are cut up, journals too short and questions too many. */
const limitsList: readonly RoutingOptions[] = [routingDefaults, routingForTests]
/** What is long enough for views to come to rest, beside the grace time. */
const restMs = 1_000

export class MemoryStage implements Stage {
  readonly nodes = new Map<string, PgNode>()
  readonly #clock = new ManualClock()
  readonly #network: MemoryNetwork
  readonly #seed: number
  readonly #next: () => number
  readonly #cuts = new Set<string>()
  readonly #names: readonly string[]
  readonly #limits: RoutingOptions
  #creation = 0

  constructor(seed: number, names: readonly string[]) {
    this.#seed = seed
    this.#next = seededRandom(seed).next
    this.#names = names
    this.#limits = limitsList[seed % limitsList.length]!
    const latencyMs = Math.floor(this.#next() * 20)
    const sliceBytesMax = this.#next() < 0.2 ? 7 : Number.POSITIVE_INFINITY
    this.#network = new MemoryNetwork({ timers: this.#clock, latencyMs, sliceBytesMax })
  }

  async start(name: string): Promise<void> {
    this.#creation += 1
    const node = new PgNode({
      name,
      creation: this.#creation,
      ports: {
        clock: this.#clock,
        timers: this.#clock,
        random: seededRandom(this.#seed * 1_000 + this.#creation),
        carrier: this.#network.carrier(addressOf(name)),
      },
      mesh: { ...TEST, listen: addressOf(name), secrets: ['scripts'] },
      limits: this.#limits,
    })
    for (const other of this.#names) if (!this.#isCut(name, other)) this.#do('heal', name, other)
    await node.mesh.start()
    node.mesh.configure(this.#names.map(other => ({ node: other, address: addressOf(other) })))
    this.nodes.set(name, node)
  }

  async crash(name: string): Promise<void> {
    for (const other of this.#names) this.#do('cut', name, other)
    const node = this.nodes.get(name)!
    this.nodes.delete(name)
    await this.#stopped(node)
  }

  /** Either way of losing each other: streams that break, or streams on which nothing arrives any more. */
  cut(one: string, other: string): void {
    this.#cuts.add(pairOf(one, other))
    this.#do(this.#next() < 0.5 ? 'cut' : 'blackHole', one, other)
  }

  heal(one: string, other: string): void {
    this.#cuts.delete(pairOf(one, other))
    this.#do('heal', one, other)
  }

  async pause(): Promise<void> {
    const luck = this.#next()
    if (luck < 0.3) this.#clock.turn()
    else if (luck < 0.8) this.#clock.advance(Math.floor(this.#next() ** 4 * 500))
  }

  async settle(): Promise<void> {
    this.#clock.until(() => this.#isLinkedAsItShould())
    this.#clock.advance(this.#limits.graceMs + restMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes.values()) await this.#stopped(node)
  }

  #do(fault: 'cut' | 'blackHole' | 'heal', one: string, other: string): void {
    this.#network[fault](addressOf(one), addressOf(other))
  }

  #isLinkedAsItShould(): boolean {
    return [...this.nodes.values()].every(({ name, mesh }) =>
      [...mesh.peers.values()].every(
        peer => peer.linked === (this.nodes.has(peer.node) && !this.#isCut(name, peer.node)),
      ),
    )
  }

  #isCut(one: string, other: string): boolean {
    return this.#cuts.has(pairOf(one, other))
  }

  /** A mesh needs time to stop, and time only passes here. */
  async #stopped(node: PgNode): Promise<void> {
    let isStopped = false
    void node.stop().then(() => {
      isStopped = true
    })
    while (!isStopped) {
      this.#clock.advance(1)
      await Promise.resolve()
    }
  }
}

/** A host's name on the network as well, so that a dial to a node that does not listen yet is cut like any other. */
function addressOf(name: string): string {
  return `${name}:1`
}
