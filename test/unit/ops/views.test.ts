/** Views beside what their owners say: what is wrong, what only travels, and who could not be asked. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { ViewDiff } from '../../../ops/admin/diff-routes.ts'
import type { GroupHistory } from '../../../ops/admin/history-routes.ts'
import type { ViewRow } from '../../../ops/admin/queries.ts'
import { isLasting, type ViewPair, whyWrong } from '../../../ops/admin/views.ts'
import { parseMoment, printMoment } from '../../../ops/cli/moment.ts'
import { type DigestRow, Pid } from '../../../routing/index.ts'
import { realClock } from '../../../transport/index.ts'
import { AdminSetup } from './admin-setup.ts'

const row = (number: number, digest: string, other: Partial<ViewRow> = {}): ViewRow => ({
  ...{ scope: 'main', node: 'a', creation: 1, audience: 'cluster', number, digest, members: number },
  ...{ isSuspect: false, forMs: 0, ...other },
})

/** A view at a look: what the owner says, and what is held. */
const pair = (own: ViewRow, held: ViewRow | null, noLink: string | null = null): ViewPair => ({
  ...{ scope: 'main', owner: 'a', holder: 'b', audience: 'cluster', own, held, noLink },
})

describe('a view that is wrong at the second look', () => {
  test('stays wrong when nothing has moved', () => {
    const same = pair(row(5, 'aa'), row(4, 'bb'))
    expect(isLasting(same, same)).toBe(true)
  })

  test('stays wrong when the owner goes on and the holder does not', () => {
    expect(isLasting(pair(row(9, 'cc'), row(4, 'bb')), pair(row(5, 'aa'), row(4, 'bb')))).toBe(true)
  })

  test('stays wrong at the same number, however far both have come', () => {
    expect(isLasting(pair(row(9, 'cc'), row(9, 'dd')), pair(row(5, 'aa'), row(5, 'bb')))).toBe(true)
  })

  test('stays wrong when there is no view at all', () => {
    expect(isLasting(pair(row(9, 'cc'), null), pair(row(9, 'cc'), null))).toBe(true)
  })

  test('is on its way while it moves, and when it has come to where the owner was', () => {
    expect(isLasting(pair(row(9, 'cc'), row(5, 'dd')), pair(row(6, 'aa'), row(4, 'bb')))).toBe(false)
    expect(isLasting(pair(row(9, 'cc'), row(5, 'aa')), pair(row(5, 'aa'), row(4, 'bb')))).toBe(false)
    expect(isLasting(pair(row(9, 'cc'), row(7, 'ee')), pair(row(5, 'aa'), row(4, 'bb')))).toBe(false)
  })

  test('is on its way when it was right a moment ago', () => {
    expect(isLasting(pair(row(9, 'cc'), row(8, 'bb')), undefined)).toBe(false)
  })
})

test('what is wrong is said in words', () => {
  expect(whyWrong(pair(row(5, 'aa'), null))).toBe('nothing heard')
  expect(whyWrong(pair(row(5, 'aa'), null, 'refused'))).toBe('no link (refused)')
  expect(whyWrong(pair(row(5, 'aa'), row(3, 'bb')))).toBe('behind by 2')
  expect(whyWrong(pair(row(5, 'aa'), row(3, 'bb'), 'refused'))).toBe('no link (refused), behind by 2')
  expect(whyWrong(pair(row(5, 'aa'), row(7, 'bb')))).toBe('ahead by 2')
  expect(whyWrong(pair(row(5, 'aa'), row(5, 'bb')))).toBe('not what it was told')
  expect(whyWrong(pair(row(5, 'aa'), row(5, 'aa', { creation: 2 })))).toBe('of an earlier start')
})

describe('asked over a meta-cluster', () => {
  const setup = AdminSetup.forEachTest()
  const digest = (node: string, other: Partial<DigestRow> = {}): DigestRow => ({
    ...{ scope: 'main', node, creation: setup.cluster.node(node).creation, audience: 'cluster', number: 1 },
    ...{ digest: 'aa'.repeat(8), members: 1, isSuspect: false, sinceMs: realClock.nowMs() - 5_000, ...other },
  })

  beforeEach(() => {
    for (const node of setup.cluster.nodes.values()) {
      const peers = [...node.mesh.peers.keys()]
      const audience = (name: string) =>
        ['a1', 'a2'].includes(node.name) && name[0] === 'a' ? 'cluster' : 'far'
      node.digests = [
        digest(node.name),
        digest(node.name, { audience: 'far' }),
        ...peers.map(name => digest(name, { audience: audience(name) })),
      ]
    }
  })

  test('equal views are counted, of those that talk', async () => {
    const { body } = await setup.get<ViewDiff>('b1', '/v1/diff')
    expect(body.data).toMatchObject({ nodes: 4, owners: 4, views: 8, scopes: 1, settled: 0, wrong: [] })
    expect(body.complete).toBe(true)
  })

  test('a silent node is named, and the rest compared in time', async () => {
    setup.cluster.node('a2').manners = 'silent'
    const startMs = performance.now()
    const { body } = await setup.get<ViewDiff>('b1', '/v1/diff?timeoutMs=600')
    expect(performance.now() - startMs).toBeLessThan(1_500)
    expect(body.missing).toEqual([{ node: 'a2', reason: 'timeout' }])
    expect(body.data).toMatchObject({ nodes: 3, views: 4, wrong: [] })
  })

  test('a wrong view has an owner, a holder and an age', async () => {
    const a1 = setup.cluster.node('a1')
    a1.digests = a1.digests.map(row => (row.node === 'b1' ? { ...row, digest: 'bb'.repeat(8) } : row))
    const { body } = await setup.get<ViewDiff>('b1', '/v1/diff?timeoutMs=1000')
    expect(body.data.wrong).toMatchObject([
      { owner: 'b1', holder: 'a1', lasting: true, why: 'not what it was told', missing: [], tooMany: [] },
    ])
    const agoMs = realClock.wallMs() - body.data.wrong[0]!.sinceMs
    expect(agoMs).toBeGreaterThan(4_900)
    expect(agoMs).toBeLessThan(8_000)
  })

  test('a view of an earlier start is wrong, whatever its digest', async () => {
    const a1 = setup.cluster.node('a1')
    a1.digests = a1.digests.map(row => (row.node === 'b1' ? { ...row, creation: 7 } : row))
    const { body } = await setup.get<ViewDiff>('b1', '/v1/diff?timeoutMs=1000')
    expect(body.data.wrong).toMatchObject([{ owner: 'b1', holder: 'a1', why: 'of an earlier start' }])
  })

  test('what a far node is not told it does not lack', async () => {
    const a1 = setup.cluster.node('a1')
    const of = (index: number) => members([new Pid('a1', a1.creation, 0, index)])
    a1.held.set('main a1', {
      size: 2,
      groups: () => ['open', 'private'].values(),
      members: group => of(group === 'open' ? 64 : 65),
    })
    for (const name of ['a2', 'b1']) {
      const holder = setup.cluster.node(name)
      holder.digests = holder.digests.map(row =>
        row.node === 'a1' ? { ...row, digest: 'bb'.repeat(8) } : row,
      )
    }
    const { wrong } = (await setup.get<ViewDiff>('b1', '/v1/diff?timeoutMs=1000')).body.data
    const lacks = wrong.map(({ holder, missing }) => [holder, missing?.map(({ group }) => group)])
    expect(lacks).toEqual([
      ['a2', ['open', 'private']],
      ['b1', ['open']],
    ])
  })

  test('a view that catches up meanwhile is not wrong', async () => {
    const a1 = setup.cluster.node('a1')
    const right = a1.digests
    a1.digests = right.map(row => (row.node === 'b1' ? { ...row, digest: 'bb'.repeat(8) } : row))
    const asked = setup.get<ViewDiff>('b1', '/v1/diff?timeoutMs=2000')
    setTimeout(() => {
      a1.digests = right
    }, 100)
    expect((await asked).body.data).toMatchObject({ settled: 1, wrong: [] })
  })

  test('nothing held of an owner that has nobody is right; a scope that one has not opened it need not know', async () => {
    const empty = '0'.repeat(16)
    for (const node of setup.cluster.nodes.values()) {
      const own = (row: DigestRow) => row.node === node.name
      node.digests = node.digests.filter(own).map(row => ({ ...row, digest: empty }))
    }
    const a1 = setup.cluster.node('a1')
    a1.digests = [...a1.digests, digest('a1', { scope: 'side' })]
    expect((await setup.get<ViewDiff>('b1', '/v1/diff')).body.data).toMatchObject({ views: 8, wrong: [] })
  })

  test('history says who did not answer, and times that are none are refused', async () => {
    setup.cluster.node('a2').manners = 'silent'
    const { body } = await setup.get<GroupHistory>(
      'b1',
      `/v1/history?group=x&atMs=${Date.now()}&timeoutMs=200`,
    )
    expect(body.missing).toEqual([{ node: 'a2', reason: 'timeout' }])
    expect(body.data.journals.map(({ node }) => node)).toEqual(['a1', 'b1', 'far'])
    expect((await setup.get('b1', '/v1/history?group=x&atMs=soon')).body.error.code).toBe('bad-time')
  })

  test('history is not known from those who could not see it', async () => {
    setup.cluster.node('far').manners = 'silent'
    await new Promise(resolve => setTimeout(resolve, 5))
    const unknown = async (group: string) => {
      const path = `/v1/history?group=${group}&atMs=${Date.now()}&timeoutMs=200`
      return (await setup.get<GroupHistory>('b1', path)).body.data.unknown
    }
    // b1 is the only one that talks with far, and in another cluster.
    expect(await unknown('open')).toEqual([])
    expect(await unknown('private')).toEqual([{ node: 'far', why: 'no answer, and nobody else remembers' }])
  })

  test('history of an owner that is gone is what the others saw, each once', async () => {
    const gone = new Pid('a2', 1_001, 0, 64)
    for (const name of ['a1', 'b1']) {
      const { journal, held } = setup.cluster.node(name)
      held.set('main a2', { size: 1, groups: () => ['x'].values(), members: () => members([gone]) })
      journal.ears.changed({
        node: 'a2',
        creation: 1_001,
        scope: 'main',
        before: [{ group: 'x', pid: gone, times: 0 }],
      })
    }
    setup.cluster.node('a2').manners = 'silent'
    const sinceMs = Math.max(...['a1', 'b1'].map(name => setup.cluster.node(name).journal.startedAtMs))
    await new Promise(resolve => setTimeout(resolve, 5))
    const path = `/v1/history?group=x&atMs=${Date.now()}&sinceMs=${sinceMs}&timeoutMs=400`
    const { data } = (await setup.get<GroupHistory>('b1', path)).body
    expect(data.members).toMatchObject([{ node: 'a2', pid: String(gone), saidBy: ['a1', 'b1'] }])
    expect(data.unknown).toEqual([])
    expect(data.events.filter(({ kind }) => kind === 'join')).toHaveLength(data.events.length)
  })
})

function members(pids: readonly Pid[]) {
  return new Map(pids.map(pid => [pid.index, { pid, times: 1, meta: undefined }]))
}

describe('a moment', () => {
  const nowMs = new Date(2026, 1, 24, 18, 30, 0).getTime()

  test('is read as ago, as a time of day that has been, or as a date', () => {
    expect(parseMoment('5m', nowMs)).toBe(nowMs - 300_000)
    expect(parseMoment('18:29', nowMs)).toBe(nowMs - 60_000)
    expect(parseMoment('18:29:59', nowMs)).toBe(nowMs - 1_000)
    expect(parseMoment('9:00', nowMs)).toBe(new Date(2026, 1, 24, 9).getTime())
    expect(parseMoment('23:00', nowMs)).toBe(new Date(2026, 1, 23, 23).getTime())
    expect(parseMoment('2026-02-24T18:00:00', nowMs)).toBe(nowMs - 1_800_000)
    expect(parseMoment('2026-02-24 18:00', nowMs)).toBe(nowMs - 1_800_000)
    expect(parseMoment('2026-02-23T18:00:00Z', nowMs)).toBe(Date.UTC(2026, 1, 23, 18))
  })

  for (const text of ['', 'soon', '5', '25:00', '2026-13-01T00:00', '2026', '2027-01-01T00:00']) {
    test(`"${text}" is none`, () => expect(() => parseMoment(text, nowMs)).toThrow())
  }

  test('is printed with its date unless that is today’s', () => {
    expect(printMoment(nowMs - 60_000, nowMs)).toBe('18:29:00')
    expect(printMoment(nowMs - 86_400_000, nowMs)).toBe('2026-02-23 18:30:00')
  })
})
