/** The metrics page: what Prometheus can read, and what the figures on it mean. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DiversionRule } from '../../../node/index.ts'
import { Exposition, metricName } from '../../../ops/exposition.ts'
import { byFate, fates } from '../../../ops/fates.ts'
import { delayBucketsMs, type LoopTotals } from '../../../ops/loop-watch.ts'
import { printMetrics } from '../../../ops/metrics.ts'
import { reportDetail } from '../../../ops/report.ts'
import { parseExposition } from './exposition-parser.ts'
import { FakeCluster, type FakeNode, laneCounts } from './fake-node.ts'

const loop: LoopTotals = {
  idleMs: 750,
  activeMs: 250,
  delayCounts: [5, 3, 0, 2].concat(delayBucketsMs.slice(3).map(() => 0)),
  delayMs: 30,
  gcRuns: 4,
}

let node: FakeNode

beforeEach(() => {
  const cluster = new FakeCluster()
  node = cluster.node('a2')
  node.services = {
    mailbox: { stats: { messages: 12, store: { dirtyBytes: 77, failed: undefined } } },
    accounts: undefined,
    connections: undefined,
    sessions: 3,
  }
  const peer = node.mesh.peers.get('a1')!
  peer.queueBytes = 4_096
  peer.queueBytesHighest = 5_000
  peer.queueBytesByLane = [100, 3_000, 0]
  peer.inFlight = [0, 1, 0]
  peer.ledger.ordinary = laneCounts({ accepted: 12, delivered: 7, lost: 1, shed: 3, refusedNosuspend: 2 })
  peer.alarms = 2
  node.mesh.alarms = 3
  node.straysOf.a1 = 17
  cluster.cut('b1', 'heartbeat-timeout')
})

afterEach(() => node.diversions.stop())

function page() {
  return parseExposition(printMetrics(reportDetail(node, loop)))
}

function figure(metric: string, labels: Record<string, string> = {}): number | undefined {
  const wanted = Object.entries(labels)
  return page()
    .get(metric)
    ?.samples.find(sample => wanted.every(([name, value]) => sample.labels[name] === value))?.value
}

describe('the metrics page', () => {
  test('says who it is and in which state, exactly one', () => {
    expect(figure('wandist_node_info', { node: 'a2', datacenter: 'dc1', cluster: 'main' })).toBe(1)
    const states = page().get('wandist_node_state')!.samples
    expect(states.filter(({ value }) => value === 1).map(({ labels }) => labels.state)).toEqual(['ready'])
  })

  test('gives each peer, its queue, and the fates of its frames by lane', () => {
    expect(figure('wandist_peer_queue_bytes', { peer: 'a1' })).toBe(4_096)
    expect(figure('wandist_peer_linked', { peer: 'a1' })).toBe(1)
    expect(figure('wandist_peer_linked', { peer: 'b1' })).toBe(0)
    expect(figure('wandist_peer_frames_total', { peer: 'a1', lane: 'ordinary', fate: 'lost' })).toBe(1)
    expect(figure('wandist_peer_frames_total', { peer: 'a1', lane: 'ordinary', fate: 'shed' })).toBe(3)
    expect(
      figure('wandist_peer_frames_total', { peer: 'a1', lane: 'ordinary', fate: 'refused_nosuspend' }),
    ).toBe(2)
    expect(figure('wandist_links_closed_total', { reason: 'heartbeat_timeout' })).toBe(1)
  })

  test('gives the queue and what is in flight by lane, and where a ledger does not balance', () => {
    const ordinary = { peer: 'a1', lane: 'ordinary' }
    expect(figure('wandist_peer_queue_bytes_highest', { peer: 'a1' })).toBe(5_000)
    expect(figure('wandist_peer_queue_bytes_max', { peer: 'a1' })).toBe(1_000_000)
    expect(figure('wandist_peer_lane_queue_bytes', ordinary)).toBe(3_000)
    expect(figure('wandist_peer_frames_in_flight', ordinary)).toBe(1)
    expect(figure('wandist_peer_ledger_gap_frames', ordinary)).toBe(0)
    node.mesh.peers.get('a1')!.inFlight = [0, 3, 0]
    expect(figure('wandist_peer_ledger_gap_frames', ordinary)).toBe(-2)
    expect(figure('wandist_peer_ledger_gap_frames', { peer: 'a1', lane: 'control' })).toBe(0)
  })

  test('gives every fate there is', () => {
    node.mesh.peers.get('a1')!.ledger.bulk = byFate(() => 1)
    for (const fate of fates) {
      const labels = { peer: 'a1', lane: 'bulk', fate: metricName(fate) }
      expect([fate, figure('wandist_peer_frames_total', labels)]).toEqual([fate, 1])
    }
  })

  test('tells alarms of ledgers, and messages on unknown channels', () => {
    expect(figure('wandist_ledger_alarms_total')).toBe(3)
    expect(figure('wandist_peer_ledger_alarms_total', { peer: 'a1' })).toBe(2)
    expect(figure('wandist_peer_stray_messages_total', { peer: 'a1' })).toBe(17)
    expect(figure('wandist_peer_stray_messages_total', { peer: 'b1' })).toBe(0)
  })

  test('tells what operators have teed and diverted', () => {
    expect(figure('wandist_diversion_rules')).toBe(0)
    const rule = {
      id: 'one',
      kind: 'tee',
      of: 'group',
      source: 'room',
      fraction: 1,
      target: 'a1',
      forMs: 1_000,
    }
    node.diversions.add(rule as DiversionRule)
    node.diversions.took(node.diversions.rules[0]!, 'b1')
    expect(figure('wandist_diversion_rules')).toBe(1)
    expect(figure('wandist_diversion_messages_total', { outcome: 'teed' })).toBe(1)
    expect(figure('wandist_diversion_messages_total', { outcome: 'no_target' })).toBe(0)
    expect(figure('wandist_peer_diversion_messages_total', { peer: 'a1', way: 'teed_to' })).toBe(1)
    expect(figure('wandist_peer_diversion_messages_total', { peer: 'b1', way: 'teed_from' })).toBe(1)
  })

  test('leaves out a round trip that was never measured', () => {
    expect(page().has('wandist_peer_round_trip_seconds')).toBe(false)
  })

  test('gives the runtime, the router and the services', () => {
    expect(figure('wandist_messages_handled_total')).toBe(1_000)
    expect(figure('wandist_message_queue_length_max')).toBe(4)
    expect(figure('wandist_router_events_total', { event: 'noconnect' })).toBe(1)
    expect(figure('wandist_mailbox_messages')).toBe(12)
    expect(figure('wandist_mailbox_store_dirty_bytes')).toBe(77)
    expect(figure('wandist_connections')).toBe(3)
  })

  test('gives members by owner, of configured nodes only, and who is suspect', () => {
    const row = {
      scope: 'main',
      creation: 1,
      audience: 'cluster',
      number: 1,
      digest: '',
      sinceMs: 0,
    } as const
    node.digests = [
      { ...row, node: 'a2', members: 3, isSuspect: false },
      { ...row, node: 'a2', audience: 'far', members: 3, isSuspect: false },
      { ...row, node: 'a1', members: 4, isSuspect: true },
      { ...row, node: 'a1', scope: 'side', members: 5, isSuspect: false },
      { ...row, node: 'stranger', members: 6, isSuspect: false },
    ]
    const byOwner = (metric: string) =>
      page()
        .get(metric)!
        .samples.map(({ labels, value }) => [labels.owner, value])
    expect(byOwner('wandist_registry_members')).toEqual([
      ['a2', 3],
      ['a1', 9],
    ])
    expect(byOwner('wandist_registry_suspect')).toEqual([
      ['a2', 0],
      ['a1', 1],
    ])
  })

  test('gives what the journal holds, and how far back it reaches', () => {
    node.journal.linkUp({ node: 'a1', creation: 1 })
    expect(figure('wandist_journal_entries', { part: 'links' })).toBe(1)
    expect(figure('wandist_journal_entries', { part: 'own' })).toBe(0)
    expect(figure('wandist_journal_bytes', { part: 'links' })).toBeGreaterThan(0)
    expect(figure('wandist_journal_forgotten_total', { part: 'links' })).toBe(0)
    expect(figure('wandist_journal_reach_seconds', { part: 'links' })).toBeGreaterThanOrEqual(0)
  })

  test('counts what routing did by its own names', () => {
    const counts = { syncs: 1, resumes: 2, repairs: 3, agreed: 4, suspected: 5, cutOffFlood: 6 }
    Object.assign(node.registry.counts, counts)
    for (const [name, value] of Object.entries(counts))
      expect([name, figure('wandist_registry_events_total', { event: metricName(name) })]).toEqual([
        name,
        value,
      ])
    const sent = { forwarded: 1, hinted: 2, fannedOut: 3, gathered: 4, missing: 5 }
    Object.assign(node.router.counts, sent)
    for (const [name, value] of Object.entries(sent))
      expect([name, figure('wandist_router_events_total', { event: metricName(name) })]).toEqual([
        name,
        value,
      ])
  })

  test('gives the loop in seconds, and its delays as a histogram whose buckets add up', () => {
    expect(figure('nodejs_eventloop_active_seconds_total')).toBe(0.25)
    const { samples, type } = page().get('wandist_eventloop_delay_seconds')!
    expect(type).toBe('histogram')
    const buckets = samples.filter(({ name }) => name.endsWith('_bucket'))
    expect(buckets.map(({ value }) => value).slice(0, 4)).toEqual([5, 8, 8, 10])
    expect(buckets.at(-1)).toMatchObject({ labels: { le: '+Inf' }, value: 10 })
    expect(samples.find(({ name }) => name.endsWith('_count'))?.value).toBe(10)
    expect(samples.find(({ name }) => name.endsWith('_sum'))?.value).toBe(0.03)
  })

  test('counters are named as counters', () => {
    for (const [name, { type }] of page()) expect(name.endsWith('_total'), name).toBe(type === 'counter')
  })
})

describe('the text format', () => {
  test('survives whatever stands in a label or a help text', () => {
    const out = new Exposition()
    const nasty = 'a "quoted" \\ back\\nslash\nand a line'
    out.add('odd', 'gauge', nasty, [{ value: 1, labels: { text: nasty } }])
    const family = parseExposition(out.text).get('odd')!
    expect(family.samples[0]!.labels.text).toBe(nasty)
    expect(family.help).toBe('a "quoted" \\\\ back\\\\nslash\\nand a line')
  })

  test('prints infinities and numbers that are none as Prometheus wants them', () => {
    const out = new Exposition()
    const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e21, 0.5]
    out.add(
      'v',
      'gauge',
      'Values.',
      values.map((value, at) => ({ value, labels: { at: String(at) } })),
    )
    expect(
      parseExposition(out.text)
        .get('v')!
        .samples.map(({ value }) => value),
    ).toEqual(values)
  })

  test('a metric without samples is left out', () => {
    const out = new Exposition()
    out.add('none', 'gauge', 'Nothing.', [])
    expect(out.text).toBe('')
  })

  test('names are made of what Prometheus allows', () => {
    expect(metricName('queueBytesMax')).toBe('queue_bytes_max')
    expect(metricName('store.dirtyBytes')).toBe('store_dirty_bytes')
    expect(metricName('heartbeat-timeout')).toBe('heartbeat_timeout')
  })
})
