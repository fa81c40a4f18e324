/**
 * What the parts of a configuration must have to do with each other: names that refer to something, addresses that are
 * had once, nodes that serve on exactly one island.
 *
 * Runs after the shape has been checked, so every value here is well-formed by itself. Finds everything at once: an
 * operator corrects a file in one round.
 */
import { addressKey, parseAddress } from './address.ts'
import { type ClusterConfig, type Role, type Service, type ServiceConfig, services } from './schema.ts'

/** Something wrong, and the path of keys that leads to it. */
export interface Finding {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** All that is wrong between the parts of `config`; empty when nothing is. */
export function crossChecks(config: ClusterConfig): Finding[] {
  const nodes = new Map(Object.entries(config.nodes))
  return [
    ...checkNodes(config, nodes),
    ...checkAddresses(nodes),
    ...checkTalk(config, nodes),
    ...checkServices(config, nodes),
    ...checkTls(config),
  ]
}

type Nodes = ReadonlyMap<string, ClusterConfig['nodes'][string]>

function* checkNodes(config: ClusterConfig, nodes: Nodes): Iterable<Finding> {
  if (nodes.size === 0) yield { path: ['nodes'], message: 'no nodes' }
  for (const [name, node] of nodes) {
    if (config.clusters !== undefined && !Object.hasOwn(config.clusters, node.cluster)) {
      yield { path: ['nodes', name, 'cluster'], message: `not one of clusters: "${node.cluster}"` }
    }
    for (const [index, role] of node.roles.entries()) {
      if (node.roles.indexOf(role) < index) {
        yield { path: ['nodes', name, 'roles', index], message: `given twice: "${role}"` }
      }
    }
    if (node.roles.includes('chat') && node.phones === undefined) {
      yield {
        path: ['nodes', name, 'phones'],
        message: 'missing: a chat node needs an address that phones dial',
      }
    }
  }
}

function* checkAddresses(nodes: Nodes): Iterable<Finding> {
  const takenBy = new Map<string, string>()
  for (const [name, node] of nodes) {
    for (const kind of ['mesh', 'phones', 'http'] as const) {
      const text = node[kind]
      const address = text === undefined ? undefined : parseAddress(text)
      if (address === undefined) continue
      const path = ['nodes', name, kind]
      if (address.port === 0) {
        if (kind === 'mesh') yield { path, message: `port 0, which no other node can dial: "${text}"` }
        continue
      }
      const key = addressKey(address)
      const owner = takenBy.get(key)
      if (owner === undefined) takenBy.set(key, `nodes.${name}.${kind}`)
      else yield { path, message: `already the address of ${owner}: "${text}"` }
    }
  }
}

function* checkTalk(config: ClusterConfig, nodes: Nodes): Iterable<Finding> {
  const known = new Set(
    config.clusters ? Object.keys(config.clusters) : [...nodes.values()].map(node => node.cluster),
  )
  for (const [index, pair] of config.talk.entries()) {
    for (const [side, cluster] of pair.entries()) {
      if (!known.has(cluster)) yield { path: ['talk', index, side], message: `no such cluster: "${cluster}"` }
    }
    if (pair[0] === pair[1]) {
      yield { path: ['talk', index], message: `a cluster always links with itself: "${pair[0]}"` }
    }
  }
}

function* checkServices(config: ClusterConfig, nodes: Nodes): Iterable<Finding> {
  for (const service of services) {
    const islands = config.services[service]?.islands
    const islandOf = new Map<string, string>()
    if (islands !== undefined) {
      if (Object.keys(islands).length === 0)
        yield { path: ['services', service, 'islands'], message: 'no islands' }
      yield* checkIslands(service, islands, nodes, islandOf)
      yield* checkPlacement(service, config.services[service]!)
    }
    for (const [name, node] of nodes) {
      if (!node.roles.includes(service) || islandOf.has(name)) continue
      const message =
        islands === undefined
          ? `role ${service}, but services.${service} is missing`
          : `role ${service}, but no island of services.${service} has this node`
      yield { path: ['nodes', name, 'roles'], message }
    }
  }
}

/** What is said of single islands and partitions is said of those that exist. */
function* checkPlacement(service: Service, { partitions, islands, weights, overrides }: ServiceConfig) {
  const path = ['services', service]
  for (const island of Object.keys(weights ?? {})) {
    if (Object.hasOwn(islands, island)) continue
    yield { path: [...path, 'weights', island], message: `no such island: "${island}"` }
  }
  for (const [partition, island] of Object.entries(overrides ?? {})) {
    const at = [...path, 'overrides', partition]
    if (Number(partition) >= partitions)
      yield { path: at, message: `no such partition: ${partition} of ${partitions}` }
    if (!Object.hasOwn(islands, island)) yield { path: at, message: `no such island: "${island}"` }
  }
}

function* checkTls({ tls }: ClusterConfig): Iterable<Finding> {
  const takenBy = new Map<string, string>()
  for (const [key, file] of Object.entries(tls ?? {})) {
    const path = ['tls', key]
    const unknown = /\{(?!node\})[^}]*\}/.exec(file)?.[0]
    if (unknown !== undefined) yield { path, message: `not {node}: "${unknown}"` }
    const owner = takenBy.get(file)
    if (owner === undefined) takenBy.set(file, `tls.${key}`)
    else yield { path, message: `already the file of ${owner}: "${file}"` }
  }
}

/** Checks the islands of one service, and fills `islandOf` with the island that each node was found on first. */
function* checkIslands(
  service: Role,
  islands: { readonly [island: string]: readonly string[] },
  nodes: Nodes,
  islandOf: Map<string, string>,
): Iterable<Finding> {
  for (const [island, members] of Object.entries(islands)) {
    for (const [index, member] of members.entries()) {
      const path = ['services', service, 'islands', island, index]
      const before = islandOf.get(member)
      if (before === undefined) islandOf.set(member, island)
      const node = nodes.get(member)
      if (node === undefined) yield { path, message: `no such node: "${member}"` }
      else if (!node.roles.includes(service))
        yield { path, message: `does not have role ${service}: "${member}"` }
      else if (before === island) yield { path, message: `given twice: "${member}"` }
      else if (before !== undefined) yield { path, message: `already on island ${before}: "${member}"` }
    }
  }
}
