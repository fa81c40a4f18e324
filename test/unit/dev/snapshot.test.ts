import { describe, expect, test } from 'vitest'
import { embeddedConfig, Topology } from '../../../cluster-config/index.ts'
import type { ChildStatus } from '../../../ops/dev/children.ts'
import {
  datacentersOf,
  printClock,
  printFigures,
  printReady,
  type Snapshot,
} from '../../../ops/dev/snapshot.ts'

const topology = new Topology(embeddedConfig())
const child = (node: string, more: Partial<ChildStatus> = {}): ChildStatus => ({
  ...{ node, state: 'running', pid: 4711, restarts: 0, lastEnd: undefined, logFile: '/tmp/log' },
  ...more,
})

const snapshot: Snapshot = {
  topology,
  phase: 'talking',
  upMs: 0,
  children: [
    child('dc1-chat1'),
    child('dc1-chat2'),
    child('dc1-mailbox1', { state: 'backing-off', pid: undefined, restarts: 2 }),
  ],
  look: {
    nodes: new Map([['dc1-chat1', { state: 'ready', connections: 12 }]]),
    linksUp: 89,
    linksWanted: 90,
  },
  rows: [],
  talk: {
    phones: 40,
    away: 3,
    counts: {
      ...{ sent: 10, acked: 9, delivered: 8, lost: 1, duplicates: 0, outOfOrder: 0, crossDatacenter: 4 },
      ...{ p50Ms: 1.5, p99Ms: 20 },
    },
  },
  chat: [],
}

describe('a snapshot', () => {
  test('has a node as it says itself, else as its process is', () => {
    const [dc1, dc2] = datacentersOf(snapshot)
    expect(dc1!.clusters.map(({ name, nodes }) => [name, nodes.map(node => node.name)])).toEqual([
      ['dc1-main', ['dc1-chat1', 'dc1-chat2', 'dc1-mailbox1', 'dc1-mailbox2']],
      ['global', ['dc1-accounts1']],
    ])
    expect(dc1!.clusters[0]!.nodes).toMatchObject([
      { name: 'dc1-chat1', state: 'ready', connections: 12, pid: 4711 },
      { name: 'dc1-chat2', state: 'silent', connections: 0 },
      { name: 'dc1-mailbox1', state: 'backing-off', connections: undefined, restarts: 2 },
      { name: 'dc1-mailbox2', state: 'down', pid: undefined },
    ])
    expect(dc2!.name).toBe('dc2')
    const [starting] = datacentersOf({ ...snapshot, phase: 'starting' })
    expect(starting!.clusters[0]!.nodes[1]).toMatchObject({ name: 'dc1-chat2', state: 'starting' })
  })

  test('in figures', () => {
    expect(printReady(snapshot)).toBe('1 of 10 nodes ready, 89 of 90 links up')
    expect(printFigures(snapshot)).toEqual([
      'sent 10  acked 9  delivered 8  across datacenters 4',
      'phones 37 of 40  twice 0  out of order 0  p50 1.5 ms  p99 20 ms',
    ])
    expect(printFigures({ ...snapshot, talk: undefined })).toEqual(['no phones'])
  })

  test('tells how long the run has lasted', () => {
    expect([0, 42_000, 61_000, 3_723_000].map(printClock)).toEqual(['0:00', '0:42', '1:01', '1:02:03'])
  })
})
