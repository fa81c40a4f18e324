/** What an upgrade makes of what nodes say, and of their silence. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { GlobalOptions } from '../../../ops/cli/options.ts'
import { lookAt } from '../../../ops/upgrade/look.ts'
import type { NodeLook } from '../../../ops/upgrade/roll.ts'
import { rows } from '../ops/cli-fixtures.ts'
import { FakeAdmin, type Script } from '../ops/fake-admin.ts'

const names = rows.map(({ node }) => node)
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
  return lookAt(io, options, names, closely)
}

async function looks(...args: Parameters<typeof look>): Promise<ReadonlyMap<string, NodeLook>> {
  const looked = await look(...args)
  if ('noLook' in looked) throw new Error(looked.noLook)
  return looked
}

describe('a look', () => {
  test('says of a node that went by whom it is not seen any more', async () => {
    const looked = await looks({ '/v1/status': statusWithout('dc2-chat1') })
    const others = names.filter(name => name !== 'dc2-chat1')
    expect(looked.get('dc2-chat1')).toMatchObject({ state: 'silent', detail: 'noconnect' })
    expect(looked.get('dc2-chat1')!.unseenBy.toSorted()).toEqual(others.toSorted())
    expect(looked.get('dc1-chat2')).toMatchObject({ state: 'ready', peers: 9, unseenBy: [] })
  })

  test('says of a node that only does not answer that nobody has lost it', async () => {
    const { data } = statusWithout()
    const nodes = data.nodes.filter(({ node }) => node !== 'dc2-chat1')
    const missing = [{ node: 'dc2-chat1', reason: 'timeout' }]
    const looked = await looks({ '/v1/status': { data: { ...data, nodes }, complete: false, missing } })
    expect(looked.get('dc2-chat1')).toMatchObject({ state: 'silent', unseenBy: [], detail: 'timeout' })
  })

  test('is none when nobody is there', async () => {
    expect(await look(undefined)).toEqual({
      noLook: expect.stringMatching(/^find a node: no admin socket in /),
    })
  })

  test('is none when the asked node is too busy to answer', async () => {
    expect(await look({ '/v1/status': 'silent' })).toEqual({ noLook: 'dc1-chat1: timeout' })
  })

  test('is none when the asked node takes the connection and stays silent', async () => {
    expect(await look({ '/v1/self': 'silent', '/v1/status': whole(null) })).toEqual({
      noLook: 'dc1-chat1: timeout',
    })
  })
})
