/**
 * A configuration as questions are put to it: who stands where, who links with whom, who is whose partner.
 *
 * Pure and immutable: built once from a `ClusterConfig`, every answer lies ready. A changed configuration is a new
 * Topology, and `diff` says what a running node has to do about it. Which node serves a key is not decided here: that
 * is routing's placement.
 */
import { isDeepStrictEqual } from 'node:util'
import {
  type ClusterConfig,
  type NodeConfig,
  type Role,
  type Service,
  type ServiceConfig,
  services,
} from './schema.ts'

/** One node, with its name. */
export interface TopologyNode extends NodeConfig {
  readonly name: string
}

/** Where a node stands. */
export interface NodePlace {
  readonly cluster: string
  readonly datacenter: string
}

/** One island of a service; the order of its nodes is the configuration's. */
export interface Island {
  readonly name: string
  readonly nodes: readonly string[]
}

/** What changed from one topology to a later one; every list in order of name. */
export interface TopologyDifference {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Nodes that are in both and whose own entry differs. */
  readonly changed: readonly string[]
  /** Services that came, went, or differ in partitions, islands or settings. */
  readonly services: readonly Service[]
}

/** An immutable view of a configuration. Every lookup answers `undefined`, or an empty list, for an unknown name. */
export class Topology {
  readonly config: ClusterConfig
  /** Every node, in order of name. */
  readonly nodes: readonly TopologyNode[]
  readonly clusters: readonly string[]
  readonly datacenters: readonly string[]
  readonly #byName: ReadonlyMap<string, TopologyNode>
  readonly #peers = new Map<string, readonly TopologyNode[]>()
  readonly #islands = new Map<Service, ReadonlyMap<string, Island>>()

  constructor(config: ClusterConfig) {
    this.config = config
    this.nodes = Object.entries(config.nodes)
      .map(([name, node]) => ({ name, ...node }))
      .sort((one, other) => compare(one.name, other.name))
    this.#byName = new Map(this.nodes.map(node => [node.name, node]))
    this.clusters = sortedSet([
      ...Object.keys(config.clusters ?? {}),
      ...this.nodes.map(node => node.cluster),
    ])
    this.datacenters = sortedSet(this.nodes.map(node => node.datacenter))

    // Nodes of one cluster have the same neighbourhood: at a thousand nodes, a list per cluster and not a set per pair.
    const near = new Map(this.clusters.map(cluster => [cluster, new Set([cluster])]))
    for (const [one, other] of config.talk) {
      near.get(one)?.add(other)
      near.get(other)?.add(one)
    }
    for (const [cluster, linked] of near) {
      this.#peers.set(cluster, Object.freeze(this.nodes.filter(node => linked.has(node.cluster))))
    }

    for (const service of services) {
      const islands = new Map<string, Island>()
      for (const [name, nodes] of Object.entries(config.services[service]?.islands ?? {})) {
        for (const node of nodes) islands.set(node, { name, nodes })
      }
      this.#islands.set(service, islands)
    }
  }

  node(name: string): TopologyNode | undefined {
    return this.#byName.get(name)
  }

  place(name: string): NodePlace | undefined {
    return this.#byName.get(name)
  }

  /**
   * The nodes that `name` links with: those of its own cluster and of every cluster that it talks with. Not
   * itself.
   */
  peersOf(name: string): readonly TopologyNode[] {
    const cluster = this.#byName.get(name)?.cluster
    return (cluster === undefined ? [] : this.#peers.get(cluster)!).filter(node => node.name !== name)
  }

  withRole(role: Role): readonly TopologyNode[] {
    return this.nodes.filter(node => node.roles.includes(role))
  }

  inCluster(cluster: string): readonly TopologyNode[] {
    return this.nodes.filter(node => node.cluster === cluster)
  }

  inDatacenter(datacenter: string): readonly TopologyNode[] {
    return this.nodes.filter(node => node.datacenter === datacenter)
  }

  /** The settings of a service; `undefined` when this meta-cluster does not have it. */
  service(service: Service): ServiceConfig | undefined {
    return this.config.services[service]
  }

  /** The services that this meta-cluster has. */
  get services(): readonly Service[] {
    return services.filter(service => this.config.services[service] !== undefined)
  }

  /** The island of `service` on which `node` serves. */
  islandOf(service: Service, node: string): Island | undefined {
    return this.#islands.get(service)?.get(node)
  }

  /** The other node of that island; `undefined` when `node` serves alone or not at all. */
  partnerOf(service: Service, node: string): string | undefined {
    return this.islandOf(service, node)?.nodes.find(name => name !== node)
  }

  /** Where `name` listens for nodes, phones or HTTP. */
  addressOf(name: string, kind: 'mesh' | 'phones' | 'http'): string | undefined {
    return this.#byName.get(name)?.[kind]
  }

  /** What changed from this topology to `later`. */
  diff(later: Topology): TopologyDifference {
    const names = this.nodes.map(node => node.name)
    return {
      added: later.nodes.map(node => node.name).filter(name => this.node(name) === undefined),
      removed: names.filter(name => later.node(name) === undefined),
      changed: names.filter(name => {
        const node = later.node(name)
        return node !== undefined && !isDeepStrictEqual(this.node(name), node)
      }),
      services: services.filter(name => !isDeepStrictEqual(this.service(name), later.service(name))),
    }
  }
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

function sortedSet(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort(compare)
}
