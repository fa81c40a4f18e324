import { describe, expect, test } from 'vitest'
import {
  type ClusterConfigInput,
  clusterConfig,
  embeddedConfig,
  Topology,
} from '../../../cluster-config/index.ts'

const embedded = new Topology(embeddedConfig())
const names = (nodes: readonly { name: string }[]) => nodes.map(node => node.name)

describe('the embedded topology', () => {
  test('lists nodes, clusters and datacenters in order of name', () => {
    expect(names(embedded.nodes)).toEqual([...names(embedded.nodes)].sort())
    expect(embedded.clusters).toEqual(['dc1-main', 'dc2-main', 'global'])
    expect(embedded.datacenters).toEqual(['dc1', 'dc2'])
  })

  test('knows where a node stands', () => {
    expect(embedded.place('dc2-accounts1')).toMatchObject({ cluster: 'global', datacenter: 'dc2' })
    expect(embedded.addressOf('dc1-chat1', 'mesh')).toBe('127.0.0.2:7411')
    expect(embedded.addressOf('dc1-chat1', 'phones')).toBe('127.0.0.2:7511')
    expect(embedded.addressOf('dc1-mailbox1', 'phones')).toBeUndefined()
  })

  test('answers nothing for a name that it does not know', () => {
    for (const name of ['nobody', 'constructor', '__proto__']) {
      expect(embedded.node(name)).toBeUndefined()
      expect(embedded.place(name)).toBeUndefined()
      expect(embedded.peersOf(name)).toEqual([])
      expect(embedded.islandOf('mailbox', name)).toBeUndefined()
      expect(embedded.addressOf(name, 'mesh')).toBeUndefined()
    }
  })

  test('has every node link with the nine others, since all its clusters talk', () => {
    for (const node of embedded.nodes) {
      expect(names(embedded.peersOf(node.name))).toEqual(
        names(embedded.nodes).filter(name => name !== node.name),
      )
    }
  })

  test('finds nodes by role, cluster and datacenter', () => {
    expect(names(embedded.withRole('chat'))).toEqual(['dc1-chat1', 'dc1-chat2', 'dc2-chat1', 'dc2-chat2'])
    expect(names(embedded.inCluster('global'))).toEqual(['dc1-accounts1', 'dc2-accounts1'])
    expect(embedded.inDatacenter('dc1')).toHaveLength(5)
  })

  test('finds islands and partners', () => {
    expect(embedded.services).toEqual(['mailbox', 'accounts'])
    expect(embedded.islandOf('mailbox', 'dc2-mailbox2')).toEqual({
      name: 'dc2-island',
      nodes: ['dc2-mailbox1', 'dc2-mailbox2'],
    })
    expect(embedded.partnerOf('mailbox', 'dc2-mailbox2')).toBe('dc2-mailbox1')
    expect(embedded.partnerOf('accounts', 'dc1-accounts1')).toBe('dc2-accounts1')
    expect(embedded.partnerOf('accounts', 'dc1-mailbox1')).toBeUndefined()
    expect(embedded.service('mailbox')?.partitions).toBe(16)
  })
})

describe('who links with whom', () => {
  const topology = new Topology(
    clusterConfig({
      id: 'x',
      talk: [
        ['east', 'hub'],
        ['hub', 'west'],
      ],
      nodes: {
        e1: { cluster: 'east', mesh: 'h:1' },
        e2: { cluster: 'east', mesh: 'h:2' },
        w1: { cluster: 'west', mesh: 'h:3' },
        h1: { cluster: 'hub', mesh: 'h:4' },
      },
    }),
  )

  test('a cluster is a full mesh, and talking is mutual but not passed on', () => {
    expect(names(topology.peersOf('e1'))).toEqual(['e2', 'h1'])
    expect(names(topology.peersOf('w1'))).toEqual(['h1'])
    expect(names(topology.peersOf('h1'))).toEqual(['e1', 'e2', 'w1'])
  })

  test('links are the same seen from either end', () => {
    for (const { name } of topology.nodes) {
      for (const peer of topology.peersOf(name)) expect(names(topology.peersOf(peer.name))).toContain(name)
    }
  })
})

test('a node alone on its island has no partner', () => {
  const topology = new Topology(
    clusterConfig({
      id: 'x',
      nodes: { a: { mesh: 'h:1', roles: ['mailbox'] } },
      services: { mailbox: { islands: { only: ['a'] } } },
    }),
  )
  expect(topology.islandOf('mailbox', 'a')?.name).toBe('only')
  expect(topology.partnerOf('mailbox', 'a')).toBeUndefined()
})

describe('the difference between two topologies', () => {
  const before: ClusterConfigInput = {
    id: 'x',
    nodes: { a: { mesh: 'h:1' }, b: { mesh: 'h:2' }, m: { mesh: 'h:3', roles: ['mailbox'] } },
    services: { mailbox: { islands: { i: ['m'] } } },
  }
  const topologyOf = (value: ClusterConfigInput) => new Topology(clusterConfig(value))

  test('is empty between equal ones', () => {
    expect(topologyOf(before).diff(topologyOf(structuredClone(before)))).toEqual({
      added: [],
      removed: [],
      changed: [],
      services: [],
    })
  })

  test('names nodes that came, went and moved, and services that differ', () => {
    const after: ClusterConfigInput = {
      id: 'x',
      nodes: { a: { mesh: 'h:9' }, c: { mesh: 'h:2' }, m: { mesh: 'h:3', roles: ['mailbox'] } },
      services: { mailbox: { partitions: 32, islands: { i: ['m'] } } },
    }
    expect(topologyOf(before).diff(topologyOf(after))).toEqual({
      added: ['c'],
      removed: ['b'],
      changed: ['a'],
      services: ['mailbox'],
    })
  })
})
