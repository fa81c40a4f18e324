/**
 * A node's metrics page, for Prometheus. Pure: a report goes in, the page comes out.
 *
 * Names begin with `wandist_`; what any Node.js process has keeps the names that dashboards know from prom-client.
 * Base units: seconds and bytes.
 */
import type { RingStats } from '../node/index.ts'
import { Exposition, type MetricSample, metricName } from './exposition.ts'
import { fates } from './fates.ts'
import { delayBucketsMs } from './loop-watch.ts'
import { type LaneName, lanes } from './observed-node.ts'
import type { PeerReport } from './peer-report.ts'
import type { Figures, NodeDetail } from './report.ts'

const states = ['starting', 'catching-up', 'ready', 'draining', 'stopped', 'failed']

/** The page of a node. */
export function printMetrics(detail: NodeDetail): string {
  const page = new Exposition()
  addNode(page, detail)
  addLinks(page, detail)
  addDiversions(page, detail)
  addProcesses(page, detail)
  addGroups(page, detail)
  addServices(page, detail)
  addMachine(page, detail)
  return page.text
}

function addNode(page: Exposition, detail: NodeDetail): void {
  const { node, datacenter, cluster, version } = detail
  page.add('wandist_node_info', 'gauge', 'The node, as labels; always 1.', [
    { value: 1, labels: { node, datacenter, cluster, version } },
  ])
  page.add(
    'wandist_node_state',
    'gauge',
    'State of the node: 1 for the one that it is in.',
    states.map(state => ({ value: Number(state === detail.state), labels: { state } })),
  )
  page.addOne(
    'wandist_uptime_seconds',
    'gauge',
    'Time since the node started.',
    detail.sample.uptimeMs / 1_000,
  )
  page.addOne('wandist_connections', 'gauge', 'Phones connected.', detail.connections)
  page.add('wandist_drain_left', 'gauge', 'What a drain would wait for now.', labelled(detail.left, 'what'))
}

function addLinks(page: Exposition, { peers, closedCounts, alarms }: NodeDetail): void {
  page.add(
    'wandist_links_closed_total',
    'counter',
    'Links that ended, or never came to be, by reason.',
    labelled(closedCounts, 'reason'),
  )
  const each = (value: (peer: PeerReport) => number | null): MetricSample[] =>
    peers.flatMap(peer => {
      const number = value(peer)
      return number === null ? [] : [{ value: number, labels: { peer: peer.node, cluster: peer.cluster } }]
    })
  const eachLane = (value: (peer: PeerReport, lane: LaneName) => number): MetricSample[] =>
    peers.flatMap(peer =>
      lanes.map(lane => ({
        value: value(peer, lane),
        labels: { peer: peer.node, cluster: peer.cluster, lane },
      })),
    )
  page.add(
    'wandist_peer_linked',
    'gauge',
    'Whether there is a link to the peer.',
    each(peer => Number(peer.linked)),
  )
  page.add(
    'wandist_peer_queue_bytes',
    'gauge',
    'Bytes that wait for the peer.',
    each(peer => peer.queueBytes),
  )
  page.add(
    'wandist_peer_queue_bytes_highest',
    'gauge',
    'Most bytes that ever waited for the peer.',
    each(peer => peer.queueBytesHighest),
  )
  page.add(
    'wandist_peer_queue_bytes_max',
    'gauge',
    'Bytes that may wait for the peer.',
    each(peer => peer.queueBytesMax),
  )
  page.add(
    'wandist_peer_lane_queue_bytes',
    'gauge',
    'Bytes that wait for the peer by lane; what the stream holds is not in it.',
    eachLane((peer, lane) => peer.queueBytesByLane[lane]),
  )
  page.add(
    'wandist_peer_queue_frames',
    'gauge',
    'Frames that wait for the peer.',
    each(peer => peer.queueFrames),
  )
  page.add(
    'wandist_peer_round_trip_seconds',
    'gauge',
    'Last measured round trip to the peer.',
    each(peer => (peer.roundTripMs === null ? null : peer.roundTripMs / 1_000)),
  )
  page.add(
    'wandist_peer_frames_total',
    'counter',
    'Frames by peer, lane and fate; accepted = delivered + lost by reason + in flight.',
    peers.flatMap(peer =>
      lanes.flatMap(lane =>
        fates.map(fate => ({
          value: peer.ledger[lane][fate],
          labels: { peer: peer.node, lane, fate: metricName(fate) },
        })),
      ),
    ),
  )
  page.add(
    'wandist_peer_frames_in_flight',
    'gauge',
    'Frames accepted whose fate is open, by peer and lane.',
    eachLane((peer, lane) => peer.inFlight[lane]),
  )
  page.add(
    'wandist_peer_ledger_gap_frames',
    'gauge',
    'Frames that the ledger has lost sight of, by peer and lane; alarm on anything but 0.',
    eachLane((peer, lane) => peer.gap[lane]),
  )
  page.addOne(
    'wandist_ledger_alarms_total',
    'counter',
    'Times that the ledgers of two ends could not both be right; alarm on any.',
    alarms,
  )
  page.add(
    'wandist_peer_ledger_alarms_total',
    'counter',
    'Those of a peer since it is configured.',
    each(peer => peer.alarms),
  )
  page.add(
    'wandist_peer_stray_messages_total',
    'counter',
    'Messages that came from the peer on channels that the node does not know.',
    each(peer => peer.strays),
  )
}

/** What operators have teed and diverted; the copies are in the ledgers, too. */
function addDiversions(page: Exposition, { peers, diversionRules, diversions }: NodeDetail): void {
  page.addOne('wandist_diversion_rules', 'gauge', 'Tees and diverts in force on the node.', diversionRules)
  page.add(
    'wandist_diversion_messages_total',
    'counter',
    'Messages that were the share of a tee or a divert, by what became of it.',
    labelled(diversions, 'outcome'),
  )
  page.add(
    'wandist_peer_diversion_messages_total',
    'counter',
    'Messages teed and diverted to the peer, and from it.',
    peers.flatMap(peer =>
      Object.entries(peer.diversions).map(([way, value]) => ({
        value,
        labels: { peer: peer.node, way: metricName(way) },
      })),
    ),
  )
}

function addProcesses(page: Exposition, detail: NodeDetail): void {
  const { sample } = detail
  page.addOne('wandist_processes', 'gauge', 'Processes of the runtime.', detail.processes)
  page.addOne('wandist_messages_handled_total', 'counter', 'Messages handled by processes.', sample.handled)
  page.addOne(
    'wandist_messages_refused_total',
    'counter',
    'Messages refused by full queues of processes.',
    detail.refused,
  )
  page.addOne('wandist_message_queue_length', 'gauge', "Messages in processes' queues.", sample.queueLength)
  page.addOne(
    'wandist_message_queue_length_max',
    'gauge',
    'Messages in the longest queue.',
    sample.queueLengthMax,
  )
  page.addOne('wandist_message_queues_not_empty', 'gauge', 'Processes with messages.', sample.queuesNotEmpty)
  page.add(
    'wandist_router_events_total',
    'counter',
    'What the router did, by its own names.',
    labelled(detail.router, 'event'),
  )
}

/** Who is held in groups, how that is kept equal, and what is remembered of it. */
function addGroups(page: Exposition, { members, registry, journal, sample }: NodeDetail): void {
  page.add(
    'wandist_registry_events_total',
    'counter',
    'What the registry did, by its own names.',
    labelled(registry, 'event'),
  )
  page.add(
    'wandist_registry_members',
    'gauge',
    'Members held of each configured node, as often as they joined, in all scopes.',
    members.map(({ owner, members }) => ({ value: members, labels: { owner } })),
  )
  page.add(
    'wandist_registry_suspect',
    'gauge',
    'Whether the link to a node is lost while its members stay.',
    members.map(({ owner, suspect }) => ({ value: Number(suspect), labels: { owner } })),
  )
  const each = (value: (ring: RingStats) => number): MetricSample[] =>
    Object.entries(journal).map(([part, ring]) => ({ value: value(ring), labels: { part } }))
  page.add(
    'wandist_journal_entries',
    'gauge',
    'Entries of the journal, by part.',
    each(ring => ring.entries),
  )
  page.add(
    'wandist_journal_bytes',
    'gauge',
    'Their bytes, estimated.',
    each(ring => ring.bytes),
  )
  page.add(
    'wandist_journal_forgotten_total',
    'counter',
    'Entries that had to go for newer ones.',
    each(ring => ring.gone),
  )
  page.add(
    'wandist_journal_reach_seconds',
    'gauge',
    'How far back everything is there.',
    each(ring => Math.max(0, sample.wallMs - ring.reachMs) / 1_000),
  )
}

function labelled(figures: Figures, label: string): MetricSample[] {
  return Object.entries(figures).map(([name, value]) => ({ value, labels: { [label]: metricName(name) } }))
}

/** Services bring figures of their own; which of them only grow, they know, so all are untyped. */
function addServices(page: Exposition, detail: NodeDetail): void {
  for (const [service, figures] of Object.entries(detail.services)) {
    for (const [name, value] of Object.entries(figures)) {
      const metric = `wandist_${metricName(service)}_${metricName(name)}`
      page.addOne(metric, 'untyped', `${name} of the ${service} service.`, value)
    }
  }
}

function addMachine(page: Exposition, detail: NodeDetail): void {
  const { loop, residentBytes } = detail.sample
  page.addOne('process_resident_memory_bytes', 'gauge', 'Resident memory.', residentBytes)
  page.addOne('nodejs_heap_size_used_bytes', 'gauge', 'Heap in use.', detail.memory.heapUsed ?? 0)
  page.addOne('nodejs_heap_size_total_bytes', 'gauge', 'Heap reserved.', detail.memory.heapTotal ?? 0)
  page.addOne(
    'nodejs_external_memory_bytes',
    'gauge',
    'Memory outside the heap.',
    detail.memory.external ?? 0,
  )
  page.addOne('nodejs_gc_runs_total', 'counter', 'Garbage collections.', loop.gcRuns)
  page.addOne(
    'nodejs_eventloop_active_seconds_total',
    'counter',
    'Time in which the event loop was busy.',
    loop.activeMs / 1_000,
  )
  page.addOne(
    'nodejs_eventloop_idle_seconds_total',
    'counter',
    'Time in which the event loop waited.',
    loop.idleMs / 1_000,
  )
  addDelays(page, loop.delayCounts, loop.delayMs)
}

function addDelays(page: Exposition, counts: readonly number[], delayMs: number): void {
  let total = 0
  const buckets = counts.map((count, at): MetricSample => {
    total += count
    const endMs = delayBucketsMs[at]
    return {
      value: total,
      suffix: '_bucket',
      labels: { le: endMs === undefined ? '+Inf' : String(endMs / 1_000) },
    }
  })
  page.add('wandist_eventloop_delay_seconds', 'histogram', 'How late the event loop was, by ticks.', [
    ...buckets,
    { value: delayMs / 1_000, suffix: '_sum' },
    { value: total, suffix: '_count' },
  ])
}
