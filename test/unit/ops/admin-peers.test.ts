/** What nodes tell of their peers: every link from both its ends, queues and fates by lane, and whether a ledger balances. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { PeerDetail, PeerRow } from '../../../ops/peer-report.ts'
import { realClock } from '../../../transport/index.ts'
import { AdminSetup } from './admin-setup.ts'
import { laneCounts } from './fake-node.ts'

const setup = AdminSetup.forEachTest()

/** What a2 keeps of b1: a full queue, some of which the stream holds, and three lanes that balance. */
beforeEach(() => {
  const peer = setup.cluster.node('a2').mesh.peers.get('b1')!
  peer.queueBytes = 900
  peer.queueBytesHighest = 5_000
  peer.queueBytesByLane = [100, 200, 300]
  peer.queueFrames = 6
  peer.roundTripMs = 1.5
  peer.inFlight = [1, 5, 0]
  peer.ledger.control = laneCounts({ accepted: 4, delivered: 3, written: 4 })
  peer.ledger.ordinary = laneCounts({
    accepted: 43,
    delivered: 30,
    lost: 5,
    expired: 2,
    shed: 1,
    refusedNosuspend: 2,
  })
  peer.ledger.bulk = laneCounts({ accepted: 7, delivered: 6, lost: 1, refusedTooBig: 1, received: 9 })
})

describe('every link', () => {
  test('is told by each of its ends, in order of names', async () => {
    const { body } = await setup.get<PeerRow[]>('b1', '/v1/peers')
    expect(body).toMatchObject({ complete: true, missing: [] })
    expect(body.data.map(({ node, peer }) => `${node} ${peer}`)).toEqual([
      'a1 a2',
      'a1 b1',
      'a2 a1',
      'a2 b1',
      'b1 a1',
      'b1 a2',
      'b1 far',
      'far b1',
    ])
  })

  test('is a line over all its lanes', async () => {
    const { body } = await setup.get<PeerRow[]>('b1', '/v1/peers/a2')
    expect(body.data).toHaveLength(2)
    expect(body.data[1]).toEqual({
      node: 'a2',
      peer: 'b1',
      datacenter: 'dc2',
      cluster: 'other',
      linked: true,
      linkedForS: 60,
      closedReason: null,
      closedAgoS: null,
      roundTripMs: 1.5,
      queueBytes: 900,
      queueBytesHighest: 5_000,
      queueBytesMax: 1_000_000,
      fates: laneCounts({
        accepted: 54,
        delivered: 39,
        lost: 6,
        expired: 2,
        shed: 1,
        refusedNosuspend: 2,
        refusedTooBig: 1,
        written: 4,
        received: 9,
      }),
      inFlight: 6,
      gap: 0,
      alarms: 0,
    })
  })

  test('has a gap when lanes do not balance, even if they make up for each other', async () => {
    setup.cluster.node('a2').mesh.peers.get('b1')!.inFlight = [3, 3, 0]
    const { body } = await setup.get<PeerRow[]>('b1', '/v1/peers/a2')
    expect(body.data.map(({ gap }) => gap)).toEqual([0, 4])
  })

  test('that is down says why the last one ended, and when', async () => {
    const { mesh } = setup.cluster.node('a2')
    mesh.peers.get('b1')!.linked = false
    mesh.peers.get('a1')!.linked = false
    const ended = { node: 'b1', address: '127.0.0.3:7411', detail: '', times: 1 }
    mesh.closedLinks.push(
      { ...ended, reason: 'heartbeat-timeout', at: realClock.wallMs() - 90_500 },
      { ...ended, reason: 'refused', at: realClock.wallMs() },
    )
    const { body } = await setup.get<PeerRow[]>('a2', '/v1/peers/a2')
    expect(body.data).toMatchObject([
      { peer: 'a1', linked: false, linkedForS: null, closedReason: null, closedAgoS: null },
      { peer: 'b1', linked: false, linkedForS: null, closedReason: 'heartbeat-timeout', closedAgoS: 90 },
    ])
  })

  test('that was washed out by others says so still', async () => {
    const { mesh } = setup.cluster.node('a2')
    mesh.peers.get('b1')!.linked = false
    const ended = { node: 'b1', address: '127.0.0.3:7411', detail: '', times: 1 }
    mesh.lastLinks.set('b1', { ...ended, reason: 'heartbeat-timeout', at: realClock.wallMs() - 90_500 })
    mesh.closedLinks.push({ ...ended, reason: 'refused', at: realClock.wallMs() })
    const { body } = await setup.get<PeerRow[]>('a2', '/v1/peers/a2')
    expect(body.data[1]).toMatchObject({ peer: 'b1', closedReason: 'heartbeat-timeout', closedAgoS: 90 })
  })

  test('of a silent or an old node is missing, and the others are told', async () => {
    setup.cluster.node('a1').manners = 'silent'
    setup.cluster.node('a2').manners = 'old'
    const { body } = await setup.get<PeerRow[]>('b1', '/v1/peers?timeoutMs=100')
    expect(body.data.map(({ node }) => node)).toEqual(['b1', 'b1', 'b1', 'far'])
    expect(body).toMatchObject({
      complete: false,
      missing: [
        { node: 'a1', reason: 'timeout' },
        { node: 'a2', reason: 'unsupported' },
      ],
    })
  })
})

describe('one peer', () => {
  test('is told with its lanes, and with its own closed links only, newest first', async () => {
    const { closedLinks } = setup.cluster.node('a2').mesh
    const ended = { address: '127.0.0.3:7411', detail: 'd', at: 7 }
    closedLinks.push(
      { ...ended, node: 'b1', reason: 'bad-frame', times: 1 },
      { ...ended, node: 'a1', reason: 'goodbye', times: 1 },
      { ...ended, node: 'b1', reason: 'refused', times: 12 },
    )
    const { body } = await setup.get<PeerDetail>('b1', '/v1/peers/a2/b1')
    expect(body).toMatchObject({ complete: true, missing: [] })
    expect(body.data).toMatchObject({
      node: 'a2',
      peer: {
        node: 'b1',
        version: '1.2.3',
        creation: 1_002,
        queueBytes: 900,
        queueBytesByLane: { control: 100, ordinary: 200, bulk: 300 },
        queueFrames: 6,
        inFlight: { control: 1, ordinary: 5, bulk: 0 },
        gap: { control: 0, ordinary: 0, bulk: 0 },
        ledger: { bulk: laneCounts({ accepted: 7, delivered: 6, lost: 1, refusedTooBig: 1, received: 9 }) },
      },
    })
    expect(body.data.closedLinks).toEqual([
      { node: 'b1', address: '127.0.0.3:7411', reason: 'refused', detail: 'd', atMs: 7, times: 12 },
      { node: 'b1', address: '127.0.0.3:7411', reason: 'bad-frame', detail: 'd', atMs: 7, times: 1 },
    ])
    expect(closedLinks[0]!.reason).toBe('bad-frame')
  })

  test('shows the gap of the lane that has it', async () => {
    setup.cluster.node('a2').mesh.peers.get('b1')!.inFlight = [1, 2, 1]
    const { body } = await setup.get<PeerDetail>('b1', '/v1/peers/a2/b1')
    expect(body.data.peer.gap).toEqual({ control: 0, ordinary: 3, bulk: -1 })
  })

  test('of an unknown node, and one that is no peer of it, is a 404', async () => {
    expect(await setup.get('b1', '/v1/peers/nobody/b1')).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown-node', message: 'no such node: "nobody"' } },
    })
    expect(await setup.get('b1', '/v1/peers/nobody')).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown-node' } },
    })
    for (const name of ['far', 'a2', 'nobody', '__proto__']) {
      expect(await setup.get('b1', `/v1/peers/a2/${name}`)).toMatchObject({
        status: 404,
        body: { error: { code: 'unknown-peer', message: `no such peer of a2: "${name}"` } },
      })
    }
    expect((await setup.get('b1', '/v1/peers/a2/b1/more')).status).toBe(404)
    expect((await setup.get('b1', '/v1/nodes/a2/b1')).status).toBe(404)
  })

  test('of a silent node is nothing, and the answer partial', async () => {
    setup.cluster.node('a2').manners = 'silent'
    expect((await setup.get('b1', '/v1/peers/a2/b1?timeoutMs=100')).body).toEqual({
      data: null,
      complete: false,
      missing: [{ node: 'a2', reason: 'timeout' }],
    })
  })
})
