/** What an upgrade makes of what nodes say, and of their silence. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { GlobalOptions } from '../../../ops/cli/options.ts'
import { lookAt } from '../../../ops/upgrade/look.ts'
import type { NodeLook } from '../../../ops/upgrade/roll.ts'
import type { Shape } from '../../../ops/upgrade/shape.ts'
import { rows } from '../ops/cli-fixtures.ts'
import { FakeAdmin, type Script } from '../ops/fake-admin.ts'

const names = rows.map(({ node }) => node)
const island = ['dc1-mailbox1', 'dc1-mailbox2']
const shape: Shape = {
  nodes: names.map(node => ({ node, datacenter: node.slice(0, 3), islands: [] })),
  islandGroups: new Map([
    ['mailbox/0', island],
    ['mailbox/0/replica', island],
  ]),
}
const whole = (data: unknown) => ({ data, complete: true, missing: [] })

let directory: string
let admin: FakeAdmin | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wand-'))
})
afterEach(async () => {
  await admin?.close()
  admin = undefined
  rmSync(directory, { recursive: true })
})

/** All ten nodes; `absent` do not answer, and nobody is linked with them. */
function statusWithout(...absent: readonly string[]) {
  const there = rows.filter(({ node }) => !absent.includes(node))
  const down = there.flatMap(({ node }) => absent.map(peer => ({ node, peer, reason: 'goodbye' })))
  return {
    data: {
      nodes: there.map(row => ({ ...row, linked: 9 - absent.length, peers: 9 })),
      links: { up: 90 - down.length, configured: 90, down },
      troubles: [],
    },
    complete: absent.length === 0,
    missing: absent.map(node => ({ node, reason: 'noconnect' })),
  }
}

/** Looks through dc1-chat1, or through nobody without a script. */
async function look(script: Script | undefined, closely: readonly string[] = []) {
  if (script) admin = await FakeAdmin.listen(join(directory, 'dc1-chat1.sock'), script)
  const io = { env: { WAND_RUN_DIR: directory } } as never
  const options = { timeout: 500, runDir: directory } as GlobalOptions
  return lookAt(io, options, shape, closely)
}

async function looks(...args: Parameters<typeof look>): Promise<ReadonlyMap<string, NodeLook>> {
  const looked = await look(...args)
  if ('noLook' in looked) throw new Error(looked.noLook)
  return looked
}

/** Everybody is there; so many are in the island's groups, and this is what its nodes say of what is left. */
function islandWith(members: readonly [number, number], ...left: readonly (object | undefined)[]): Script {
  const script: Script = {
    '/v1/status': statusWithout(),
    '/v1/nodes/dc1-chat1': whole(null),
    '/v1/groups': whole([
      { scope: 'main', group: 'mailbox/0', members: members[0], byDatacenter: {} },
      { scope: 'main', group: 'mailbox/0/replica', members: members[1], byDatacenter: {} },
    ]),
  }
  for (const [at, node] of island.entries()) {
    const missing = [{ node, reason: 'timeout' }]
    script[`/v1/nodes/${node}`] = left[at]
      ? whole({ node, left: left[at] })
      : { data: null, complete: false, missing }
  }
  return script
}

describe('an island in a look', () => {
  const settled = { unconfirmed: 0 }

  test.for<[string, Script, readonly [boolean, boolean]]>([
    ['is in sync when all are in its groups and confirm', islandWith([2, 2], settled, settled), [true, true]],
    ['may be a few changes behind', islandWith([2, 2], { unconfirmed: 100 }, settled), [true, true]],
    ['is not when a partner is far behind', islandWith([2, 2], { unconfirmed: 101 }, settled), [false, true]],
    ['is not when a node says nothing of itself', islandWith([2, 2], undefined, settled), [false, true]],
    ['is not when a node does not count what is unconfirmed', islandWith([2, 2], {}, settled), [false, true]],
    ['is not when only one serves', islandWith([1, 2], settled, settled), [false, false]],
    ['is not when only one replicates', islandWith([2, 1], settled, settled), [false, false]],
    [
      'is not when nobody is in its groups',
      { ...islandWith([2, 2], settled, settled), '/v1/groups': whole([]) },
      [false, false],
    ],
  ])('%s', async ([_what, script, inSync]) => {
    const looked = await looks(script, [...island, 'dc1-chat1'])
    expect(island.map(node => looked.get(node)?.inSync)).toEqual(inSync)
    // No island, nothing to be in sync with.
    expect(looked.get('dc1-chat1')?.inSync).toBe(true)
  })
})

describe('a look', () => {
  test('says of a node that went by whom it is not seen any more', async () => {
    const looked = await looks({ '/v1/groups': whole([]), '/v1/status': statusWithout('dc2-chat1') })
    const others = names.filter(name => name !== 'dc2-chat1')
    expect(looked.get('dc2-chat1')).toMatchObject({ state: 'silent', detail: 'noconnect' })
    expect(looked.get('dc2-chat1')!.unseenBy.toSorted()).toEqual(others.toSorted())
    expect(looked.get('dc1-chat2')).toMatchObject({ state: 'ready', peers: 9, unseenBy: [] })
  })

  test('says of a node that only does not answer that nobody has lost it', async () => {
    const { data } = statusWithout()
    const nodes = data.nodes.filter(({ node }) => node !== 'dc2-chat1')
    const missing = [{ node: 'dc2-chat1', reason: 'timeout' }]
    const looked = await looks({
      '/v1/groups': whole([]),
      '/v1/status': { data: { ...data, nodes }, complete: false, missing },
    })
    expect(looked.get('dc2-chat1')).toMatchObject({ state: 'silent', unseenBy: [], detail: 'timeout' })
  })

  test('is none when nobody is there', async () => {
    expect(await look(undefined)).toEqual({
      noLook: expect.stringMatching(/^find a node: no admin socket in /),
    })
  })

  test('is none when the asked node is too busy to answer', async () => {
    expect(await look({ '/v1/groups': whole([]), '/v1/status': 'silent' })).toEqual({
      noLook: 'dc1-chat1: timeout',
    })
  })

  test('is none when the asked node takes the connection and stays silent', async () => {
    expect(await look({ '/v1/self': 'silent', '/v1/status': whole(null) })).toEqual({
      noLook: 'dc1-chat1: timeout',
    })
  })
})
