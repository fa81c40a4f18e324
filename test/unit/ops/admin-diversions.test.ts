/** Tees and diverts by way of the admin socket: on which nodes they come into force, and what is refused before any has them. */
import { afterEach, describe, expect, test } from 'vitest'
import type { DiversionRow } from '../../../ops/admin/diversion-routes.ts'
import type { PeerDetail } from '../../../ops/peer-report.ts'
import { AdminSetup, type Body } from './admin-setup.ts'
import { ask } from './request.ts'

const setup = AdminSetup.forEachTest()

afterEach(() => {
  for (const node of setup.cluster.nodes.values()) node.diversions.stop()
})

async function post<T>(path: string, parameters: Record<string, string> = {}, through = 'a1') {
  const query = new URLSearchParams({ ...parameters, timeoutMs: '500' })
  const { status, text } = await ask(setup.socket(through), `/v1/diversions${path}?${query}`, {
    method: 'POST',
  })
  return { status, body: JSON.parse(text) as Body<T> }
}

function add(changes: Record<string, string> = {}) {
  const rule = { kind: 'tee', of: 'group', source: 'room', fraction: '0.1', target: 'b1', forMs: '60000' }
  return post<DiversionRow[]>('', { ...rule, ...changes })
}

const having = () =>
  [...setup.cluster.nodes.values()].filter(node => node.diversions.rules.length > 0).map(node => node.name)

describe('a tee', () => {
  test('comes into force on every node that talks with the target, under one id', async () => {
    const { status, body } = await add()
    expect(status).toBe(200)
    expect(body.data.map(({ node }) => node)).toEqual(['a1', 'a2'])
    expect(body.missing).toEqual([{ node: 'far', reason: 'not-linked' }])
    expect(new Set(body.data.map(({ id }) => id)).size).toBe(1)
    expect(body.data[0]).toMatchObject({ kind: 'tee', source: 'room', fraction: 0.1, target: 'b1', seen: 0 })
    expect(having()).toEqual(['a1', 'a2'])
  })

  test('of a peer does not come into force on that peer', async () => {
    await add({ of: 'peer', source: 'a2' })
    expect(having()).toEqual(['a1'])
  })

  test('on one node comes into force there alone', async () => {
    const { body } = await add({ on: 'a2' })
    expect(body).toMatchObject({ data: [{ node: 'a2' }], complete: true })
    expect(having()).toEqual(['a2'])
  })

  test('that a node cannot take is said to be missing there', async () => {
    for (let n = 0; n < 16; n++) await add({ on: 'a2', source: `room${n}` })
    const { body } = await add({ on: 'a2' })
    expect(body).toMatchObject({
      data: [],
      complete: false,
      missing: [{ node: 'a2', reason: 'failed: add diversion: 16 rules are in force already' }],
    })
  })

  test('on an older node is said to be missing there', async () => {
    setup.cluster.node('a2').manners = 'old'
    expect((await add()).body.missing).toContainEqual({ node: 'a2', reason: 'unsupported' })
  })
})

describe('the list', () => {
  test('has what is in force everywhere, and not what has ended', async () => {
    const { id } = (await add({ on: 'a1' })).body.data[0]!
    await add({ on: 'a2', kind: 'divert' })
    const { body } = await setup.get<DiversionRow[]>('b1', '/v1/diversions?timeoutMs=500')
    expect(body.data.map(({ node, kind }) => `${node} ${kind}`)).toEqual(['a2 divert', 'a1 tee'])
    expect((await post(`/${id}/remove`)).body).toMatchObject({ data: [{ id, node: 'a1' }] })
    expect(having()).toEqual(['a2'])
  })

  test('and a peer shows what was teed to it', async () => {
    await add({ on: 'a1' })
    const { diversions } = setup.cluster.node('a1')
    diversions.took(diversions.rules[0]!, 'a2')
    const { body } = await setup.get<PeerDetail>('a1', '/v1/peers/a1/b1')
    expect(body.data.peer.diversions).toEqual({ teedTo: 1, divertedTo: 0, teedFrom: 0, divertedFrom: 0 })
  })
})

describe('refused with one line, before any node has it, is', () => {
  const cases: [changes: Record<string, string>, status: number, says: string][] = [
    [{ kind: 'drain' }, 400, 'neither tee nor divert: drain'],
    [{ of: 'service' }, 400, 'neither of a group nor of a peer: service'],
    [{ fraction: 'half' }, 400, 'a fraction is above 0 and at most 1: NaN'],
    [{ forMs: '86400001' }, 400, 'it lasts a day at most: 86400001 ms'],
    [{ target: '__proto__' }, 400, 'no such node: "__proto__"'],
    [{ source: 'mailbox/1' }, 400, '"mailbox/1" is of the service mailbox, whose keys have one owner'],
    [{ on: 'b1' }, 400, 'b1 sends nothing that this is about to b1'],
    [{ on: 'nobody' }, 404, 'no such node: "nobody"'],
  ]
  for (const [changes, status, says] of cases) {
    test(JSON.stringify(changes), async () => {
      const answer = await add(changes)
      expect([answer.status, answer.body.error.message]).toEqual([status, says])
      expect(having()).toEqual([])
    })
  }

  test('an id that nobody has, and a path that is none', async () => {
    for (const path of ['/tee-1/remove', '/tee-1/keep', '/tee-1', '/tee-1/remove/now']) {
      expect([path, (await post(path, {}, 'b1')).status]).toEqual([path, 404])
    }
  })

  test('an order by HTTP address, or of a browser', async () => {
    const path = '/v1/diversions?kind=tee'
    expect((await ask(setup.http('a1'), path, { method: 'POST' })).status).toBe(405)
    const headers = { origin: 'https://example.org' }
    expect((await ask(setup.socket('a1'), path, { method: 'POST', headers })).status).toBe(403)
  })
})
