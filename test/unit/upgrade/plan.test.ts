import { describe, expect, test } from 'vitest'
import { clusterConfig, embeddedConfig, Topology } from '../../../cluster-config/index.ts'
import { planUpgrade, printStep } from '../../../ops/upgrade/plan.ts'

const topology = new Topology(embeddedConfig())

describe('the plan of an upgrade', () => {
  test('goes datacenter by datacenter, islands before chat nodes, the nodes of an island apart', () => {
    expect(planUpgrade(topology).map(step => step.node)).toEqual([
      'dc1-mailbox1',
      'dc1-accounts1',
      'dc1-mailbox2',
      'dc1-chat1',
      'dc1-chat2',
      'dc2-mailbox1',
      'dc2-accounts1',
      'dc2-mailbox2',
      'dc2-chat1',
      'dc2-chat2',
    ])
  })

  test('names every node once', () => {
    const nodes = planUpgrade(topology).map(step => step.node)
    expect(nodes.toSorted()).toEqual(topology.nodes.map(node => node.name))
  })

  test('says who serves meanwhile', () => {
    expect(printStep(planUpgrade(topology)[0]!)).toBe(
      'dc1-mailbox1: dc1, mailbox island dc1-island, dc1-mailbox2 serves meanwhile',
    )
    expect(printStep(planUpgrade(topology, ['dc2-chat2'])[0]!)).toBe('dc2-chat2: dc2')
  })

  test('says when nobody serves meanwhile', () => {
    const alone = new Topology(
      clusterConfig({
        id: 'alone',
        nodes: { a: { mesh: '127.0.0.1:7701', roles: ['mailbox'] } },
        services: { mailbox: { partitions: 1, islands: { only: ['a'] } } },
      }),
    )
    expect(planUpgrade(alone).map(printStep)).toEqual([
      'a: dc1, mailbox island only, nobody serves meanwhile',
    ])
  })

  test('keeps the two nodes of each of several islands apart', () => {
    const names = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']
    const islands = { a: ['a1', 'a2'], b: ['b1', 'b2'], c: ['c1', 'c2'] }
    const three = new Topology(
      clusterConfig({
        id: 'three',
        nodes: Object.fromEntries(
          names.map((name, index) => [name, { mesh: `127.0.0.1:${7701 + index}`, roles: ['mailbox'] }]),
        ),
        services: { mailbox: { partitions: 6, islands } },
      }),
    )
    const nodes = planUpgrade(three).map(step => step.node)
    expect(nodes).toHaveLength(6)
    for (const [index, node] of nodes.entries()) expect(nodes[index + 1]?.[0]).not.toBe(node[0])
  })

  test('follows an order that one gives, of some nodes only', () => {
    expect(planUpgrade(topology, ['dc2-chat1', 'dc1-chat1']).map(step => step.node)).toEqual([
      'dc2-chat1',
      'dc1-chat1',
    ])
  })

  test('refuses an order with an unknown node, or with one twice', () => {
    expect(() => planUpgrade(topology, ['dc1-chat9'])).toThrow('plan upgrade: no such node: "dc1-chat9"')
    expect(() => planUpgrade(topology, ['dc1-chat1', 'dc1-chat1'])).toThrow(
      'plan upgrade: twice in the order: "dc1-chat1"',
    )
  })
})
