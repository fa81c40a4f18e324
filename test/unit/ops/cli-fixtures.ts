/** Documents as nodes give them, for what the command line makes of them. */

import { embeddedConfig, Topology } from '../../../cluster-config/index.ts'
import type { ProcessTree } from '../../../node/index.ts'
import type { ViewDiff } from '../../../ops/admin/diff-routes.ts'
import type { DiversionRow } from '../../../ops/admin/diversion-routes.ts'
import type { GroupHistory, PastEvent } from '../../../ops/admin/history-routes.ts'
import type { GroupRow, MemberRow } from '../../../ops/admin/routes.ts'
import { type Status, statusOf } from '../../../ops/admin/status.ts'
import { overLanes } from '../../../ops/fates.ts'
import { delayBucketsMs } from '../../../ops/loop-watch.ts'
import type { ClosedLinkReport, PeerDetail, PeerReport, PeerRow } from '../../../ops/peer-report.ts'
import type { NodeDetail, NodeRow } from '../../../ops/report.ts'
import type { Sample } from '../../../ops/sample.ts'
import type { Candidate, Explanation } from '../../../routing/index.ts'
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

const peer: PeerReport = {
  node: 'dc1-chat2',
  datacenter: 'dc1',
  cluster: 'dc1-main',
  linked: true,
  version: '0.1.0',
  creation: 800_000_001,
  linkedForS: 75,
  closedReason: null,
  closedAgoS: null,
  roundTripMs: 0.42,
  queueBytes: 4_096,
  queueBytesHighest: 1_048_576,
  queueBytesMax: 33_554_432,
  queueBytesByLane: { control: 0, ordinary: 3_000, bulk: 0 },
  queueFrames: 3,
  ledger: {
    control: laneCounts({ accepted: 10, delivered: 10, received: 12 }),
    ordinary: laneCounts({
      accepted: 1_234_578,
      delivered: 1_234_560,
      expired: 9,
      shed: 2,
      refusedExpired: 1,
      lost: 4,
      refusedNosuspend: 5,
      received: 99,
    }),
    bulk: laneCounts(),
  },
  inFlight: { control: 0, ordinary: 3, bulk: 0 },
  gap: { control: 0, ordinary: 0, bulk: 0 },
  alarms: 0,
  strays: 0,
  diversions: { teedTo: 0, divertedTo: 0, teedFrom: 0, divertedFrom: 0 },
}

const closedLinks: readonly ClosedLinkReport[] = [
  {
    node: 'dc2-chat1',
    address: '127.0.0.3:7411',
    reason: 'wrong-secret',
    detail: 'no proof',
    atMs: wallMs,
    times: 12,
  },
]

/** A peer without a link. */
const lostPeer: PeerReport = {
  ...peer,
  node: 'dc2-chat1',
  datacenter: 'dc2',
  cluster: 'dc2-main',
  linked: false,
  creation: 0,
  linkedForS: null,
  closedReason: 'wrong-secret',
  closedAgoS: 12,
  roundTripMs: null,
}

/** A ledger that has lost sight of frames on one lane and invented some on another, on a link that was up before. */
export const peerDetail: PeerDetail = {
  node: 'dc1-chat1',
  peer: {
    ...lostPeer,
    ledger: { ...peer.ledger, control: laneCounts({ accepted: 10, delivered: 8, received: 12 }) },
    inFlight: { control: 0, ordinary: 4, bulk: 0 },
    gap: { control: 2, ordinary: -1, bulk: 0 },
    alarms: 2,
    strays: 17,
    diversions: { teedTo: 1_200, divertedTo: 0, teedFrom: 0, divertedFrom: 34 },
  },
  closedLinks: [
    ...closedLinks,
    { ...closedLinks[0]!, reason: 'heartbeat-timeout', detail: 'silent\n\u001b[31mnot red', times: 1 },
  ],
}

/** The same of a link that is well. */
export const wellPeerDetail: PeerDetail = { node: 'dc1-chat1', peer, closedLinks: [] }

/** What three nodes see of each other; one link is down, and one that never was; one ledger has a gap. */
export const peers: readonly PeerRow[] = [
  peerRow('dc1-chat1', 'dc1-chat2', {}),
  peerRow('dc1-chat1', 'dc2-chat1', {
    cluster: 'dc2-main',
    linked: false,
    linkedForS: null,
    closedReason: 'heartbeat-timeout',
    closedAgoS: 130,
    roundTripMs: null,
    queueBytes: 0,
    fates: laneCounts({ accepted: 20, delivered: 18, lost: 2, refusedNoconnect: 7, refusedTooBig: 1 }),
    inFlight: 0,
  }),
  peerRow('dc1-chat2', 'dc1-chat1', {
    roundTripMs: 12.345,
    queueBytes: 33_000_000,
    queueBytesHighest: 33_500_000,
    inFlight: 0,
    gap: 3,
    alarms: 1,
  }),
  peerRow('dc1-chat2', 'dc2-chat1', {
    cluster: 'dc2-main',
    linked: false,
    linkedForS: null,
    roundTripMs: null,
    queueBytes: 0,
    queueBytesHighest: 0,
    fates: laneCounts(),
    inFlight: 0,
  }),
]

function peerRow(node: string, name: string, other: Partial<PeerRow>): PeerRow {
  const { datacenter, cluster, linked, linkedForS, closedReason, closedAgoS, roundTripMs } = peer
  const { queueBytes, queueBytesHighest, queueBytesMax, ledger } = peer
  return {
    ...{ node, peer: name, datacenter, cluster, linked, linkedForS, closedReason, closedAgoS, roundTripMs },
    ...{
      queueBytes,
      queueBytesHighest,
      queueBytesMax,
      fates: overLanes(ledger),
      inFlight: 3,
      gap: 0,
      alarms: 0,
    },
    ...other,
  }
}

export const detail: NodeDetail = {
  ...rows[2]!,
  trouble: 'dc2-chat1 refused us: wrong-secret\n\u001b[31mnot red',
  sample: sampleOf('dc1-chat1', 60_000),
  processes: 1_016,
  refused: 0,
  peers: [peer, lostPeer],
  closedLinks,
  closedCounts: { 'wrong-secret': 12 },
  alarms: 2,
  diversionRules: 1,
  diversions: { teed: 1_200, diverted: 0, noTarget: 5, refused: 0 },
  router: { ok: 1_234_567, noconnect: 3 },
  registry: { sent: 40 },
  members: [],
  journal: {},
  services: { connections: { connections: 1_000, 'refused.overload': 2 } },
  memory: { rss: 123_456_789, heapUsed: 45_000_000 },
  left: { sessions: 1_000, calls: 0, unconfirmed: 0, queue: 3 },
}

/** A tee on two nodes, and a divert on one, as their nodes tell. */
export const diversions: readonly DiversionRow[] = [
  {
    ...diversion('dc1-chat1'),
    kind: 'divert',
    id: 'divert-0c0ffe',
    of: 'peer',
    source: 'dc1-mailbox1',
    noTarget: 3,
  },
  diversion('dc1-chat1'),
  { ...diversion('dc1-chat2'), seen: 0, taken: 0, refused: 0, leftMs: 59_000 },
]

function diversion(node: string): DiversionRow {
  return {
    ...{
      node,
      id: 'tee-f00d42',
      kind: 'tee',
      of: 'group',
      source: 'chat',
      fraction: 0.1,
      target: 'dc2-chat2',
    },
    ...{ forMs: 600_000, leftMs: 540_000, seen: 12_345, taken: 1_230, noTarget: 0, refused: 4 },
  }
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

const candidate: Candidate = {
  pid: 'dc1-mailbox1/800000002/0/66',
  node: 'dc1-mailbox1',
  distance: 'cluster',
  times: 1,
  weight: 1,
  draining: false,
  suspect: false,
  last: false,
  reachable: true,
  queueBytes: 0,
  zone: null,
  version: null,
  role: 'primary',
}

/** The owner of a key as two nodes see it; one has lost its link with the primary. */
export const serviceTrace: readonly Explanation[] = [
  {
    target: 'mailbox:bob',
    from: 'dc1-chat1',
    group: 'mailbox/3',
    service: {
      service: 'mailbox',
      key: 'bob',
      partition: 3,
      partitions: 16,
      island: 'dc1-island',
      overridden: false,
      primary: 'dc1-mailbox1',
      secondary: 'dc1-mailbox2',
    },
    chosen: candidate.pid,
    why: 'primary',
    candidates: [
      candidate,
      { ...candidate, node: 'dc1-mailbox2', pid: 'dc1-mailbox2/800000003/0/66', role: 'secondary' },
    ],
  },
]

/** A group with members of every kind, from one node. */
export const groupTrace: readonly Explanation[] = [
  {
    target: 'chat by least-queue',
    from: 'dc1-mailbox1',
    group: 'chat',
    service: null,
    chosen: 'dc1-mailbox1/800000002/0/66',
    why: 'least-queue',
    candidates: [
      { ...candidate, distance: 'self', times: 2, weight: 2.5, zone: 'a', version: '1.0', role: null },
      { ...candidate, ...far('dc2-chat1'), queueBytes: 12_345, draining: true, last: true },
      { ...candidate, ...far('dc2-chat2'), queueBytes: null, suspect: true, reachable: false, weight: 0 },
    ],
  },
]

function far(node: string): Pick<Candidate, 'node' | 'pid' | 'distance' | 'role'> {
  return { node, pid: `${node}/800000009/0/64`, distance: 'far', role: null }
}

export const equalViews: ViewDiff = {
  ...{ group: null, nodes: 10, owners: 10, views: 90, scopes: 1, settled: 0, wrong: [] },
}

const heldMember = { group: 'chat', pid: 'dc1-chat1/800000002/0/64', times: 1, meta: '' }

/** One view that lacks some and has others, one without a link, and one that is on its way. */
export const wrongViews: ViewDiff = {
  ...equalViews,
  settled: 2,
  wrong: [
    {
      ...{ scope: 'main', owner: 'dc1-chat1', holder: 'dc2-chat1', lasting: true, suspect: false },
      why: 'not what it was told',
      own: { number: 12, digest: '00000000000000aa' },
      held: { number: 12, digest: '00000000000000bb' },
      sinceMs: wallMs,
      missing: [
        heldMember,
        ...['one', 'two', 'three', 'four', 'five'].map(group => ({ ...heldMember, group })),
      ],
      tooMany: [{ ...heldMember, group: 'a \u001b[2J\nname', times: 2, meta: '{"weight":2}' }],
    },
    {
      ...{ scope: 'main', owner: 'dc1-chat2', holder: 'dc2-chat1', lasting: true, suspect: true },
      why: 'no link (heartbeat-timeout), behind by 3',
      own: { number: 12, digest: '00000000000000aa' },
      held: { number: 9, digest: '00000000000000bb' },
      ...{ sinceMs: wallMs, missing: null, tooMany: null },
    },
    {
      ...{ scope: 'side', owner: 'dc1-chat2', holder: 'dc1-chat1', lasting: false, suspect: false },
      why: 'behind by 1',
      own: { number: 12, digest: '00000000000000aa' },
      held: { number: 11, digest: '00000000000000bb' },
      ...{ sinceMs: wallMs, missing: null, tooMany: null },
    },
  ],
}

/** A group that lost a node and got it back. */
export const past: GroupHistory = {
  group: 'chat',
  atMs: wallMs,
  sinceMs: wallMs - 60_000,
  members: [
    {
      ...{ scope: 'main', pid: 'dc1-chat1/800000002/0/64', times: 2, suspect: false },
      ...{ node: 'dc1-chat1', datacenter: 'dc1', saidBy: ['dc1-chat1'] },
    },
    {
      ...{ scope: 'main', pid: 'dc2-chat1/800000004/0/64', times: 1, suspect: true },
      ...{
        node: 'dc2-chat1',
        datacenter: 'dc2',
        saidBy: ['dc1-chat1', 'dc1-chat2', 'dc1-mailbox1', 'dc2-chat2'],
      },
    },
  ],
  events: [
    pastEvent('join', 'dc1-chat1', 'dc1-chat1', { pids: ['dc1-chat1/800000002/0/64'], count: 1 }),
    pastEvent('link-down', 'dc2-chat1', 'dc1-chat1', { scope: null, why: 'stream-closed' }),
    pastEvent('link-down', 'dc2-chat1', 'dc1-chat2', { scope: null, why: 'stream-closed' }),
    pastEvent('suspect', 'dc2-chat1', 'dc1-chat1', { scope: null, count: 12, why: 'link lost' }),
    pastEvent('forgot', 'dc2-chat1', 'dc1-chat1', {
      pids: [64, 65, 66, 67].map(index => `dc2-chat1/800000004/0/${index}`),
      count: 1_234,
    }),
  ],
  journals: [
    { node: 'dc1-chat1', startedAtMs: wallMs - 500_000, reachMs: wallMs - 120_000 },
    { node: 'dc1-chat2', startedAtMs: wallMs - 600_000, reachMs: wallMs - 600_000 },
  ],
  unknown: [
    { node: 'dc2-mailbox1', why: 'no answer, and nobody else remembers' },
    { node: 'dc2-mailbox2', why: 'no answer, and nobody else remembers' },
  ],
}

function pastEvent(
  kind: PastEvent['kind'],
  node: string,
  saidBy: string,
  other: Partial<PastEvent>,
): PastEvent {
  return {
    atMs: wallMs - 30_000,
    saidBy,
    number: 1,
    kind,
    node,
    scope: 'main',
    pids: [],
    count: 0,
    why: '',
    ...other,
  }
}

const leaf = { kind: 'process', queueLength: 0, handled: 120_345, restarts: 0 } as const

/** A tree with a branch, with a child that is left alone, and with more than is listed. */
export const processTree: ProcessTree = {
  kind: 'supervisor',
  name: 'node',
  strategy: 'one-for-one',
  children: [
    { ...leaf, name: 'mailbox/0', pid: 'dc1-chat1/3/0/64' },
    { ...leaf, name: 'mailbox/1', pid: null, restarts: 6 },
    {
      kind: 'supervisor',
      name: 'feeds',
      strategy: 'rest-for-one',
      children: [{ ...leaf, name: 'reader', pid: 'dc1-chat1/3/0/70', queueLength: 12 }],
      more: 0,
    },
  ],
  more: 40,
}
