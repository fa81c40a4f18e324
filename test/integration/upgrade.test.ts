/** A rolling upgrade of all ten nodes, one at a time, while phones talk. */
import { expect, test } from 'vitest'
import { Conversation, nothingWrong } from '../support/conversation.ts'
import { MetaCluster, until } from '../support/meta-cluster.ts'

interface NodeRow {
  readonly node: string
  readonly creation: number
  readonly state: string
}

async function creations(cluster: MetaCluster): Promise<ReadonlyMap<string, number>> {
  const rows = await cluster.read<NodeRow[]>('node', 'list')
  expect(rows.map(row => row.state)).toEqual(new Array(10).fill('ready'))
  return new Map(rows.map(row => [row.node, row.creation]))
}

test('all ten nodes are replaced under load, and nothing is lost', { timeout: 240_000 }, async () => {
  await using cluster = await MetaCluster.start()
  await using talk = await Conversation.start(cluster, 30, 8)
  await until('they talk', () => talk.counts.delivered >= 50)
  const before = await creations(cluster)
  {
    using _manager = cluster.keepRunning()
    const { code, stdout, stderr } = await cluster.wand('upgrade', '--exec', 'echo replacing {node}')
    expect({ code, output: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, output: '' })
  }
  const after = await creations(cluster)
  for (const [name, creation] of before) expect(after.get(name), name).toBeGreaterThan(creation)
  expect(await talk.verdict()).toEqual(nothingWrong)
  expect(talk.counts.acked).toBeGreaterThan(500)
})

test('an upgrade halts at a node that does not come back, and says why', { timeout: 120_000 }, async () => {
  await using cluster = await MetaCluster.start()
  const { code, stdout, stderr } = await cluster.wand('upgrade', '--exec', 'true', '--ready', '3s')
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /^wand: upgrade: halted at dc1-mailbox1, 0 of 10 nodes replaced: not done after 3.0 s/,
  )
  const running = cluster.names.filter(name => cluster.child(name).exitCode === null)
  expect({ running: running.length, stdout }).toMatchObject({ running: 9 })
})
