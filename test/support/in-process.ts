/**
 * A small meta-cluster in this process, on a network in memory that can be cut: two datacenters, each with a chat node
 * and an island of two, and one accounts node in each. The nodes are the product's own; only the carrier differs.
 */
import type { ClusterConfigInput } from '../../cluster-config/index.ts'
import { Phone, type PhoneOptions } from '../../node/client/index.ts'
import { type Node, startNode } from '../../node/index.ts'
import { MemoryNetwork, type Ports, realPorts, realTimers } from '../../transport/index.ts'
import { until } from './meta-cluster.ts'

const dc = (name: string, accounts: string) => ({
  [`${name}-chat`]: {
    roles: ['chat' as const],
    phones: `${name}-chat:2`,
    ...at(name, `${name}-chat`, `${name}-main`),
  },
  [`${name}-mailbox1`]: { roles: ['mailbox' as const], ...at(name, `${name}-mailbox1`, `${name}-main`) },
  [`${name}-mailbox2`]: { roles: ['mailbox' as const], ...at(name, `${name}-mailbox2`, `${name}-main`) },
  [accounts]: { roles: ['accounts' as const], ...at(name, accounts, 'global') },
})

function at(datacenter: string, host: string, cluster: string) {
  return { datacenter, cluster, mesh: `${host}:1` }
}

/** The shape of the default meta-cluster, with one chat node a datacenter. */
export const smallConfig: ClusterConfigInput = {
  id: 'small',
  timing: 'test',
  clusters: { 'dc1-main': {}, 'dc2-main': {}, global: {} },
  talk: [
    ['dc1-main', 'dc2-main'],
    ['dc1-main', 'global'],
    ['dc2-main', 'global'],
  ],
  nodes: { ...dc('dc1', 'dc1-accounts'), ...dc('dc2', 'dc2-accounts') },
  services: {
    mailbox: {
      partitions: 6,
      islands: {
        'dc1-island': ['dc1-mailbox1', 'dc1-mailbox2'],
        'dc2-island': ['dc2-mailbox1', 'dc2-mailbox2'],
      },
    },
    accounts: { partitions: 2, islands: { accounts: ['dc1-accounts', 'dc2-accounts'] }, pin: 'reply' },
  },
}

export class SmallCluster implements AsyncDisposable {
  readonly network = new MemoryNetwork({ timers: realTimers })
  readonly nodes = new Map<string, Node>()
  readonly #config: ClusterConfigInput
  readonly #dataDirectory: string | undefined
  readonly #phones: Phone[] = []

  private constructor(config: ClusterConfigInput, dataDirectory: string | undefined) {
    this.#config = config
    this.#dataDirectory = dataDirectory
  }

  /**
   * Starts the nodes of a configuration, {@link smallConfig} unless told; `ports` may watch what they ask of the world.
   * Without a data directory a half of an island that is alone has no disk to acknowledge from.
   */
  static async start(
    config = smallConfig,
    ports: Partial<Ports> = {},
    dataDirectory?: string,
  ): Promise<SmallCluster> {
    const cluster = new SmallCluster(config, dataDirectory)
    await Promise.all(Object.keys(config.nodes).map(name => cluster.startNode(name, ports)))
    await until('all see what is published to them', () => cluster.#isSettled())
    return cluster
  }

  async startNode(name: string, ports: Partial<Ports> = {}): Promise<Node> {
    const node = await startNode({
      name,
      config: this.#config,
      secret: 'small',
      logLevel: 'silent',
      ...(this.#dataDirectory === undefined ? {} : { dataDirectory: this.#dataDirectory }),
      ports: { ...realPorts, ...ports, carrier: this.network.carrier(name) },
    })
    this.nodes.set(name, node)
    return node
  }

  node(name: string): Node {
    const node = this.nodes.get(name)
    if (!node) throw new Error(`no such node: ${name}`)
    return node
  }

  /** Nobody of `some` reaches anybody else any more. */
  split(some: readonly string[]): void {
    this.#pairs(some, (one, other) => this.network.cut(one, other))
  }

  heal(some: readonly string[]): void {
    this.#pairs(some, (one, other) => this.network.heal(one, other))
  }

  /** A phone with a fresh account, online at `at`. */
  async phone(user: string, at: string, options: Partial<PhoneOptions> = {}): Promise<Phone> {
    const phone = new Phone({
      user,
      addresses: [`${at}:2`],
      ports: { ...realPorts, carrier: this.network.carrier(`phone-${user}`) },
      ...options,
    })
    this.#phones.push(phone)
    if (options.key === undefined) await phone.confirm((await phone.register()).pin!)
    await phone.connect()
    return phone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#phones.map(phone => phone.close({ deadlineMs: 0 })))
    await Promise.all([...this.nodes.values()].map(node => node.stop()))
  }

  /** Whether each node sees the members of each node that it links with, where their groups are published to it. */
  #isSettled(): boolean {
    const nodes = [...this.nodes.values()]
    const sees = (node: Node, other: Node) =>
      other.registry.whichGroups().every(group => {
        const isNear = node.topology.place(node.name)?.cluster === node.topology.place(other.name)?.cluster
        if (!isNear && !other.published(group)) return true
        const seen = node.members(group)
        return other.registry.localMembers(group).every(pid => seen.some(known => known.equals(pid)))
      })
    return nodes.every(node => nodes.every(other => !node.mesh.peers.has(other.name) || sees(node, other)))
  }

  #pairs(some: readonly string[], act: (one: string, other: string) => void): void {
    for (const one of some) {
      for (const other of this.nodes.keys()) if (!some.includes(other)) act(one, other)
    }
  }
}
