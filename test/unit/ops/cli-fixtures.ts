/** Documents as nodes give them, for what the command line makes of them. */

import { embeddedConfig, Topology } from '../../../cluster-config/index.ts'
import type { GroupRow, MemberRow } from '../../../ops/admin/routes.ts'
import { type Status, statusOf } from '../../../ops/admin/status.ts'
import { delayBucketsMs } from '../../../ops/loop-watch.ts'
import type { NodeDetail, NodeRow } from '../../../ops/report.ts'
import type { Sample } from '../../../ops/sample.ts'
import { laneCounts } from './fake-node.ts'

const topology = new Topology(embeddedConfig())

/** The ten nodes of the default configuration, all well. */
export const rows: readonly NodeRow[] = topology.nodes.map((node, at) => ({
  node: node.name,
  datacenter: node.datacenter,
  cluster: node.cluster,
  roles: node.roles,
  state: 'ready',
  version: '0.1.0',
  creation: 800_000_000 + at,
  connections: node.roles.includes('chat') ? 1_000 + at : 0,
  uptimeS: 100 * at,
}))

/** The same at a glance, with two nodes of two versions that have lost their link. */
export const status: Status = statusOf(
  topology,
  rows.map((row, at) => ({
    row: at === 1 ? { ...row, state: 'draining', version: '0.2.0' } : row,
    linked: at < 2 ? 8 : 9,
    notLinked: at < 2 ? [{ node: rows[1 - at]!.node, reason: 'heartbeat-timeout' }] : [],
    groups: [
      { scope: 'main', group: 'chat' },
      { scope: 'main', group: `mailbox/${at}` },
    ],
    truncated: false,
    trouble: at === 3 ? 'dc2-chat1 refused us: wrong-secret' : null,
  })),
)

/** Wall time of all samples, in the local zone, so that every machine prints the same. */
const wallMs = new Date(2024, 1, 25, 7, 30, 1).getTime()

export function sampleOf(node: string, uptimeMs: number): Sample {
  const seconds = uptimeMs / 1_000
  const own = { nodes: 4, received: 2_000 * seconds, written: 1_000 * seconds, queueBytes: 65_536 }
  return {
    node,
    creation: 800_000_000,
    wallMs,
    uptimeMs,
    queueLength: 3,
    queueLengthMax: 2,
    queuesNotEmpty: 2,
    handled: 5_000 * seconds,
    own,
    wan: { ...own, nodes: 5, queueBytes: 0 },
    dropped: 0,
    loop: {
      idleMs: 600 * seconds,
      activeMs: 400 * seconds,
      delayCounts: delayBucketsMs.map((_, at) => (at === 0 ? 50 * seconds : 0)).concat(0),
      delayMs: 0,
      gcRuns: 12 * seconds,
    },
    residentBytes: 123_456_789,
    connections: 1_000,
  }
}

const peer = {
  node: 'dc1-chat2',
  datacenter: 'dc1',
  cluster: 'dc1-main',
  linked: true,
  version: '0.1.0',
  creation: 800_000_001,
  linkedForS: 75,
  roundTripMs: 0.42,
  queueBytes: 4_096,
  queueFrames: 3,
  ledger: {
    control: laneCounts({ accepted: 10, delivered: 10, received: 12 }),
    ordinary: laneCounts({
      accepted: 1_234_567,
      delivered: 1_234_560,
      lost: 4,
      refusedNosuspend: 5,
      received: 99,
    }),
    bulk: laneCounts(),
  },
}

export const detail: NodeDetail = {
  ...rows[2]!,
  trouble: 'dc2-chat1 refused us: wrong-secret\n\u001b[31mnot red',
  sample: sampleOf('dc1-chat1', 60_000),
  processes: 1_016,
  refused: 0,
  peers: [
    peer,
    { ...peer, node: 'dc2-chat1', cluster: 'dc2-main', linked: false, linkedForS: null, roundTripMs: null },
  ],
  closedLinks: [
    {
      node: 'dc2-chat1',
      address: '127.0.0.3:7411',
      reason: 'wrong-secret',
      detail: 'no proof',
      atMs: wallMs,
      times: 12,
    },
  ],
  closedCounts: { 'wrong-secret': 12 },
  router: { ok: 1_234_567, noconnect: 3 },
  registry: { sent: 40 },
  services: { connections: { connections: 1_000, 'refused.overload': 2 } },
  memory: { rss: 123_456_789, heapUsed: 45_000_000 },
  left: { sessions: 1_000, calls: 0, unconfirmed: 0, queue: 3 },
}

export const groups: readonly GroupRow[] = [
  { scope: 'main', group: 'chat', members: 4, byDatacenter: { dc2: 2, dc1: 2 } },
  { scope: 'main', group: 'mailbox/2', members: 2, byDatacenter: { dc1: 2 } },
  { scope: 'main', group: 'a \u001b[2J\nname', members: 12_345, byDatacenter: { dc2: 12_345 } },
]

export const members: readonly MemberRow[] = [
  { group: 'chat', node: 'dc1-chat1', datacenter: 'dc1', pid: 'dc1-chat1/800000002/0/64', published: true },
  { group: 'chat', node: 'dc2-chat2', datacenter: 'dc2', pid: 'dc2-chat2/800000009/0/64', published: false },
]
