/**
 * Real nodes in this process, on real sockets, with a faulty line between every two of them.
 *
 *   a ──dials──▶ proxy a>b ──▶ b          Each node's configuration names a proxy where another node should be, so that
 *   a ◀── proxy b>a ◀──dials── b          whoever dials, the bytes from a to b have the faults of the way from a to b.
 */
import { randomInt } from 'node:crypto'
import type { ClusterConfigInput } from '../../cluster-config/index.ts'
import { type Node, Server, startNode } from '../../node/index.ts'
import { FaultProxy } from './fault-proxy.ts'
import type { Faults } from './fault-way.ts'

/** A process that keeps what it is sent, by sender, and echoes what it is asked. */
export class Inbox extends Server<unknown, Letter> {
  readonly letters: Letter[] = []

  override handleCast(letter: Letter): void {
    this.letters.push(letter)
  }

  override handleCall(message: unknown): unknown {
    return message
  }

  /** The numbers that came from a node, in the order in which they came. */
  numbersOf(node: string): number[] {
    return this.letters.filter(letter => letter.from === node).map(({ number }) => number)
  }
}

/** A message of the tests: who sent it, the how-many-th it is, and a text that follows from both. */
export interface Letter {
  readonly from: string
  readonly number: number
  readonly text: string
}

/** The text that a letter must have. */
export function textOf(from: string, number: number, length = 100): string {
  return `${from} wrote ${number}, `.repeat(Math.ceil(length / 10)).slice(0, length)
}

export interface FaultyNodesOptions {
  readonly timing: 'lan' | 'test'
  readonly seed?: number
}

export class FaultyNodes implements AsyncDisposable {
  readonly #nodes = new Map<string, Node>()
  readonly #inboxes = new Map<string, Inbox>()
  readonly #proxies = new Map<string, FaultProxy>()
  /** What each node saw happen to the others: 'a: join b'. */
  readonly events: string[] = []
  readonly #numbers = new Map<string, number>()

  /** Starts nodes with one inbox each, and resolves when all see all. */
  static async start(
    names: readonly string[],
    { timing, seed = 1 }: FaultyNodesOptions,
  ): Promise<FaultyNodes> {
    const all = new FaultyNodes()
    const net = `127.${randomInt(16, 250)}.${randomInt(0, 250)}`
    const own = (name: string) => `${net}.${names.indexOf(name) + 1}:7100`
    for (const one of names)
      for (const other of names)
        if (one !== other) all.#proxies.set(`${one}>${other}`, await FaultProxy.start(own(other), { seed }))
    await Promise.all(
      names.map(async name => {
        const mesh = (other: string) => (other === name ? own(name) : all.dials(name, other).address)
        const nodes = Object.fromEntries(names.map(other => [other, { mesh: mesh(other) }]))
        const config: ClusterConfigInput = { id: 'faults', timing, nodes }
        const node = await startNode({ name, config, secret: 'faults', logLevel: 'silent' })
        const inbox = new Inbox()
        node.spawn(inbox, { groups: [`inbox-${name}`] })
        all.#nodes.set(name, node)
        all.#inboxes.set(name, inbox)
      }),
    )
    for (const [name, node] of all.#nodes)
      for (const other of names) if (other !== name) await node.awaitMember(`inbox-${other}`)
    for (const [name, { registry }] of all.#nodes)
      registry.monitor(undefined, ({ kind, group }) => all.events.push(`${name}: ${kind} ${group.slice(6)}`))
    return all
  }

  node(name: string): Node {
    return this.#nodes.get(name)!
  }

  inbox(name: string): Inbox {
    return this.#inboxes.get(name)!
  }

  /** The line that one node dials another by. */
  dials(from: string, to: string): FaultProxy {
    return this.#proxies.get(`${from}>${to}`)!
  }

  /** Gives what goes from one node to another these faults and no others; `{}` heals it. */
  fault(from: string, to: string, faults: Partial<Faults>): void {
    this.dials(from, to).set('there', faults)
    this.dials(to, from).set('back', faults)
  }

  /** {@link fault}, for both directions. */
  faultBoth(one: string, other: string, faults: Partial<Faults>): void {
    this.fault(one, other, faults)
    this.fault(other, one, faults)
  }

  /** Resets every connection between two nodes. */
  reset(one: string, other: string): void {
    this.dials(one, other).reset()
    this.dials(other, one).reset()
  }

  /** Casts the next letter from a node to another; what sending said. */
  post(from: string, to: string, length = 100): number {
    const way = `${from}>${to}`
    const number = this.#numbers.get(way) ?? 0
    this.#numbers.set(way, number + 1)
    const letter: Letter = { from, number, text: textOf(from, number, length) }
    return this.node(from).cast({ group: `inbox-${to}` }, letter)
  }

  /** Letters posted from a node to another, whatever became of them. */
  posted(from: string, to: string): number {
    return this.#numbers.get(`${from}>${to}`) ?? 0
  }

  /** Asks a node's inbox; resolves to how long the answer took, ms. */
  async ask(from: string, to: string, timeoutMs = 5_000): Promise<number> {
    const startMs = performance.now()
    await this.node(from).call({ group: `inbox-${to}` }, 'echo', { timeoutMs })
    return performance.now() - startMs
  }

  linked(one: string, other: string): boolean {
    const sees = (from: string, to: string) => this.node(from).mesh.peer(to)!.linked
    return sees(one, other) && sees(other, one)
  }

  /** Each of two nodes has a link to the other, and sees its inbox. */
  together(one: string, other: string): boolean {
    const sees = (from: string, to: string) => this.node(from).members(`inbox-${to}`).length === 1
    return this.linked(one, other) && sees(one, other) && sees(other, one)
  }

  /** Links that ended at a node, with a peer of that name, as their reasons. */
  endings(at: string, peer: string): string[] {
    const { closedLinks } = this.node(at).mesh
    return closedLinks
      .filter(({ node }) => node === peer)
      .flatMap(({ reason, times }) => Array(times).fill(reason))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#nodes.values()].map(node => node.stop()))
    await Promise.all([...this.#proxies.values()].map(proxy => proxy[Symbol.asyncDispose]()))
  }
}
