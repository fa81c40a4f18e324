/** The service on real nodes: two processes' worth of mesh, registry and router over TCP, and SQLite below. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Node, startNode } from '../../../node/index.ts'
import { until } from '../storage/until.ts'

const config = {
  id: 'accounts-test',
  timing: 'test',
  nodes: {
    one: { mesh: '127.0.0.1:17481', roles: ['accounts'] },
    two: { mesh: '127.0.0.1:17482', roles: ['accounts'] },
  },
  services: { accounts: { partitions: 2, islands: { island: ['one', 'two'] }, pin: 'reply' } },
} as const

describe('the accounts service on two nodes', () => {
  let directory: string
  let nodes: Node[]
  const start = async (name: 'one' | 'two') => {
    const node = await startNode({
      name,
      config,
      secret: 'a secret of the test',
      dataDirectory: directory,
      logLevel: 'silent',
    })
    nodes.push(node)
    return node
  }
  const ask = (node: Node, message: { op: string; user: string; pin?: string; key?: string }) =>
    node.call({ service: 'accounts', key: message.user }, message) as Promise<Record<string, string>>
  const enroll = async (node: Node, user: string) => {
    const { pin } = await ask(node, { op: 'register', user })
    const { key } = await ask(node, { op: 'confirm', user, pin: pin! })
    return { user, key: key! }
  }

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'wandist-accounts-'))
    nodes = []
  })
  afterEach(async () => {
    for (const node of nodes) await node.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it('keeps users through the replacement of both nodes, one after the other', async () => {
    const [one, two] = await Promise.all([start('one'), start('two')])
    await until(
      () => [0, 1].every(n => one.members(`accounts/${n}`).length === 2),
      'both serve both partitions',
    )
    const users = await Promise.all(['ann', 'bob', 'cyd', 'dan'].map(user => enroll(one, user)))

    await one.drain()
    const eve = await enroll(two, 'eve')
    const oneAgain = await start('one')
    await two.drain()
    for (const { user, key } of [...users, eve]) {
      expect(await ask(oneAgain, { op: 'verify', user, key })).toMatchObject({ session: expect.any(Number) })
    }
    expect(oneAgain.services!.accounts!.stats).toMatchObject({ users: 5, unconfirmed: 0 })
  })

  it('keeps users on disk when both nodes stop', async () => {
    const both = await Promise.all([start('one'), start('two')])
    const ann = await enroll(both[0], 'ann')
    await Promise.all(both.map(node => node.stop()))
    const [one] = await Promise.all([start('one'), start('two')])
    expect(await ask(one, { op: 'verify', ...ann })).toMatchObject({ session: expect.any(Number) })
  })
})
