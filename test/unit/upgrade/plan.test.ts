import { describe, expect, test } from 'vitest'
import { type PlannedNode, planUpgrade, printStep } from '../../../ops/upgrade/plan.ts'

const node = (name: string, service?: string, partner?: string): PlannedNode => ({
  node: name,
  datacenter: name.split('-')[0]!,
  islands: service === undefined ? [] : [{ service, partners: partner === undefined ? [] : [partner] }],
})

/** The ten nodes of the embedded configuration. */
const ten = ['dc1', 'dc2'].flatMap(dc => [
  node(`${dc}-chat2`),
  node(`${dc}-mailbox1`, 'mailbox', `${dc}-mailbox2`),
  node(`${dc}-mailbox2`, 'mailbox', `${dc}-mailbox1`),
  node(`${dc}-accounts1`, 'accounts', `${dc === 'dc1' ? 'dc2' : 'dc1'}-accounts1`),
  node(`${dc}-chat1`),
])

const names = (nodes: readonly PlannedNode[]) => nodes.map(({ node }) => node)

describe('the plan of an upgrade', () => {
  test('goes datacenter by datacenter, islands before chat nodes, the nodes of an island apart', () => {
    expect(names(planUpgrade(ten))).toEqual([
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

  test('is the same in whatever order the nodes were found', () => {
    expect(planUpgrade(ten.toReversed())).toEqual(planUpgrade(ten))
  })

  test('keeps the two nodes of each of several islands apart', () => {
    const six = ['a', 'b', 'c'].flatMap(island => [
      node(`dc1-${island}1`, 'mailbox', `dc1-${island}2`),
      node(`dc1-${island}2`, 'mailbox', `dc1-${island}1`),
    ])
    const planned = names(planUpgrade(six))
    expect(planned.toSorted()).toEqual(names(six))
    const islands = planned.map(name => name.slice(0, -1))
    for (const [at, island] of islands.entries()) expect(islands[at + 1]).not.toBe(island)
  })

  test('takes the two nodes of the only island one after the other, as there is no other way', () => {
    const two = [node('dc1-a', 'mailbox', 'dc1-b'), node('dc1-b', 'mailbox', 'dc1-a')]
    expect(names(planUpgrade(two))).toEqual(['dc1-a', 'dc1-b'])
  })

  test('says who serves meanwhile, or that nobody does', () => {
    expect(planUpgrade(ten).slice(0, 4).map(printStep)).toEqual([
      'dc1-mailbox1 in dc1; mailbox: dc1-mailbox2 serves meanwhile',
      'dc1-accounts1 in dc1; accounts: dc2-accounts1 serves meanwhile',
      'dc1-mailbox2 in dc1; mailbox: dc1-mailbox1 serves meanwhile',
      'dc1-chat1 in dc1',
    ])
    expect(printStep(node('dc1-a', 'mailbox'))).toBe('dc1-a in dc1; mailbox: nobody serves meanwhile')
  })

  test('follows an order that one gives, of some nodes only', () => {
    expect(names(planUpgrade(ten, ['dc2-chat1', 'dc1-chat1']))).toEqual(['dc2-chat1', 'dc1-chat1'])
  })

  test('refuses an order with an unknown node, or with one twice', () => {
    expect(() => planUpgrade(ten, ['dc1-chat9'])).toThrow('no such node: "dc1-chat9"')
    expect(() => planUpgrade(ten, ['dc1-chat1', 'dc1-chat1'])).toThrow('twice in the order: "dc1-chat1"')
  })
})
