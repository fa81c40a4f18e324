/** Asking all nodes through one: whole answers, partial ones, and what they are put together to. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Status } from '../../../ops/admin/status.ts'
import type { NodeRow } from '../../../ops/report.ts'
import { Pid } from '../../../routing/index.ts'
import { AdminSetup } from './admin-setup.ts'

const setup = AdminSetup.forEachTest()

describe('asking all nodes', () => {
  test('each node answers for itself, in order of name', async () => {
    const { status, body } = await setup.get<NodeRow[]>('b1', '/v1/nodes')
    expect(status).toBe(200)
    expect(body).toMatchObject({ complete: true, missing: [] })
    expect(body.data.map(row => row.node)).toEqual(['a1', 'a2', 'b1', 'far'])
    expect(body.data[1]).toEqual({
      node: 'a2',
      datacenter: 'dc1',
      cluster: 'main',
      roles: ['mailbox'],
      state: 'ready',
      version: '1.2.3',
      creation: 1_001,
      connections: 0,
      uptimeS: 61,
    })
  })

  test('a silent node makes the answer partial, not late', async () => {
    setup.cluster.node('a2').manners = 'silent'
    const startMs = performance.now()
    const { body } = await setup.get('b1', '/v1/nodes?timeoutMs=150')
    expect(performance.now() - startMs).toBeLessThan(1_000)
    expect(body.complete).toBe(false)
    expect(body.missing).toEqual([{ node: 'a2', reason: 'timeout' }])
    expect(body.data).toHaveLength(3)
  })

  test('a node without a link is missing at once, and so is one that the configuration does not link', async () => {
    setup.cluster.cut('a2', 'stream-closed')
    const { body } = await setup.get('a1', '/v1/nodes?timeoutMs=10000')
    expect(body.missing).toEqual([
      { node: 'a2', reason: 'noconnect' },
      { node: 'far', reason: 'not-linked' },
    ])
  })

  test('a node of a version that does not know the question says so and lives', async () => {
    setup.cluster.node('a2').manners = 'old'
    expect((await setup.get('b1', '/v1/nodes')).body.missing).toEqual([{ node: 'a2', reason: 'unsupported' }])
    setup.cluster.node('a2').manners = 'answers'
    expect((await setup.get('b1', '/v1/nodes')).body.complete).toBe(true)
  })

  test('a node that fails on the question says why', async () => {
    setup.cluster.node('a2').runtime.stats = () => {
      throw new Error('no figures today')
    }
    expect((await setup.get('b1', '/v1/samples')).body.missing).toEqual([
      { node: 'a2', reason: 'failed: no figures today' },
    ])
  })

  test('one node is asked alone; an unknown one is a 404', async () => {
    setup.cluster.node('a1').manners = 'silent'
    const { body } = await setup.get('b1', '/v1/nodes/a2?timeoutMs=100')
    expect(body).toMatchObject({
      complete: true,
      data: { node: 'a2', processes: 7, peers: [{ node: 'a1' }, { node: 'b1' }] },
    })
    expect((await setup.get('b1', '/v1/nodes/a1?timeoutMs=100')).body).toEqual({
      data: null,
      complete: false,
      missing: [{ node: 'a1', reason: 'timeout' }],
    })
    expect(await setup.get('b1', '/v1/nodes/nobody')).toEqual({
      status: 404,
      body: { error: { code: 'unknown-node', message: 'no such node: "nobody"' } },
    })
  })

  test('a process tree is had of one node, and of a node that is not configured not', async () => {
    const { body } = await setup.get('b1', '/v1/processes/a2')
    expect(body).toMatchObject({ data: { kind: 'supervisor', name: 'node' }, complete: true })
    expect((await setup.get('b1', '/v1/processes/nobody')).status).toBe(404)
    expect((await setup.get('b1', '/v1/processes')).status).toBe(404)
  })

  test('samples are had of all nodes and of one', async () => {
    expect((await setup.get('b1', '/v1/samples')).body.data).toHaveLength(4)
    expect((await setup.get('b1', '/v1/samples/a2')).body.data).toMatchObject([
      { node: 'a2', handled: 1_000 },
    ])
  })
})

describe('the overview', () => {
  test('counts states, versions, links and groups', async () => {
    setup.cluster.node('a2').state = 'draining'
    setup.cluster.node('a1').groups.main!.chat = [new Pid('a1', 1_000, 0, 70)]
    setup.cluster.node('b1').groups.main!.chat = [new Pid('b1', 1_002, 0, 70)]
    setup.cluster.node('b1').trouble = 'a peer refused us'
    const { body } = await setup.get('b1', '/v1/status')
    expect(body.data).toMatchObject({
      id: 'demo',
      configured: 4,
      states: { ready: 3, draining: 1 },
      versions: { '1.2.3': 4 },
      groups: 1,
      links: { up: 8, configured: 8, down: [] },
      troubles: [{ node: 'b1', trouble: 'a peer refused us' }],
    })
  })

  test('says which link is down, and why it ended, whatever was dialled in vain since', async () => {
    const { peers, closedLinks } = setup.cluster.node('b1').mesh
    const ended = (node: string, reason: string) =>
      closedLinks.push({ node, address: '127.0.0.2:7411', reason, detail: '', at: 0, times: 1 })
    for (const name of ['a1', 'a2', 'far']) peers.get(name)!.linked = false
    ended('a1', 'bad-frame')
    ended('a1', 'heartbeat-timeout')
    ended('a1', 'refused')
    ended('a2', 'refused')
    const { body } = await setup.get<Status>('a2', '/v1/status')
    expect(body.data.links).toEqual({
      up: 4,
      configured: 7,
      down: [
        { node: 'b1', peer: 'a1', reason: 'heartbeat-timeout' },
        { node: 'b1', peer: 'a2', reason: 'refused' },
        { node: 'b1', peer: 'far', reason: 'never linked' },
      ],
    })
  })
})

describe('groups', () => {
  beforeEach(() => {
    const groupsOf = (name: string) => setup.cluster.node(name).groups
    groupsOf('a1').main!['mailbox/10'] = [new Pid('a1', 1_000, 0, 64), new Pid('a1', 1_000, 0, 65)]
    groupsOf('a2').main!['mailbox/2'] = [new Pid('a2', 1_001, 0, 64)]
    groupsOf('b1').main!['mailbox/10'] = [new Pid('b1', 1_002, 0, 64)]
    groupsOf('b1').own = { 'private things': [new Pid('b1', 1_002, 0, 66)] }
    setup.cluster.node('b1').othersGroups.push('mailbox/2', 'somebody-elses')
  })

  test('are counted where their members live, and sorted as people count', async () => {
    const { body } = await setup.get('b1', '/v1/groups')
    expect(body.data).toEqual([
      { scope: 'main', group: 'mailbox/2', members: 1, byDatacenter: { dc1: 1 } },
      { scope: 'main', group: 'mailbox/10', members: 3, byDatacenter: { dc1: 2, dc2: 1 } },
      { scope: 'own', group: 'private things', members: 1, byDatacenter: { dc2: 1 } },
    ])
  })

  test('show each member, and whether far clusters see it', async () => {
    expect((await setup.get('b1', '/v1/groups/mailbox%2F10')).body.data).toEqual([
      { group: 'mailbox/10', node: 'a1', datacenter: 'dc1', pid: 'a1/1000/0/64', published: false },
      { group: 'mailbox/10', node: 'a1', datacenter: 'dc1', pid: 'a1/1000/0/65', published: false },
      { group: 'mailbox/10', node: 'b1', datacenter: 'dc2', pid: 'b1/1002/0/64', published: false },
    ])
    expect((await setup.get('b1', '/v1/groups/private%20things')).body.data).toMatchObject([
      { published: false },
    ])
  })

  test('an unknown group is a 404, unless somebody who may know it is missing', async () => {
    expect((await setup.get('b1', '/v1/groups/nothing')).body.error.code).toBe('unknown-group')
    setup.cluster.node('a1').manners = 'silent'
    expect((await setup.get('b1', '/v1/groups/nothing?timeoutMs=50')).body).toEqual({
      data: [],
      complete: false,
      missing: [{ node: 'a1', reason: 'timeout' }],
    })
  })

  test('more of them than an answer carries make it partial', async () => {
    const many = Array.from({ length: 10_001 }, (_, index) => new Pid('a2', 1_001, 0, index))
    setup.cluster.node('a2').groups.main!.many = many
    const { body } = await setup.get('b1', '/v1/groups/many')
    expect(body.data).toHaveLength(10_000)
    expect(body.missing).toEqual([{ node: 'a2', reason: 'truncated' }])
  })
})
