/** What a process says of itself in its groups, and what becomes of a node's members and messages, on real nodes over memory. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Node, Pid, Sent, Server, startNode } from '../../../node/index.ts'
import { MemoryNetwork, realPorts, realTimers } from '../../../transport/index.ts'
import { until } from '../../support/until.ts'

class Worker extends Server<unknown, string> {
  readonly got: string[] = []
  override handleCast(message: string) {
    this.got.push(message)
  }
}

const nodes: Node[] = []
let [a, b]: Node[] = []
beforeEach(async () => {
  const network = new MemoryNetwork({ timers: realTimers })
  const config = { id: 'demo', timing: 'test' as const, nodes: { a: { mesh: 'a:1' }, b: { mesh: 'b:1' } } }
  for (const name of ['a', 'b'])
    nodes.push(
      await startNode({
        name,
        config,
        secret: 'x',
        logLevel: 'silent',
        ports: { ...realPorts, carrier: network.carrier(name) },
      }),
    )
  ;[a, b] = nodes as [Node, Node]
  await until(() => a!.mesh.peer('b')!.linked && b!.mesh.peer('a')!.linked)
})
afterEach(async () => {
  await Promise.all(nodes.splice(0).map(node => node.stop()))
})

test('a process that drains is passed over on every node, and chosen again when it says otherwise', async () => {
  const [steady, draining] = [new Worker(), new Worker()]
  a!.spawn(steady, { groups: ['work'] })
  const process = b!.runtime.spawn(draining)
  process.join('work', { draining: true })
  await until(() => a!.registry.members('work').length === 2)
  for (let count = 0; count < 10; count++) b!.cast({ group: 'work', pick: 'round-robin' }, 'one')
  await until(() => steady.got.length === 10)
  expect(draining.got).toEqual([])
  process.update('work', undefined)
  await until(() => a!.registry.meta('work', process.self) === undefined)
  for (let count = 0; count < 10; count++) a!.cast({ group: 'work', pick: 'round-robin' }, 'two')
  await until(() => draining.got.length > 0 && steady.got.length > 10)
})

test('a pid of a worker that there is not reaches nobody', async () => {
  const worker = new Worker()
  const self = a!.spawn(worker)
  const astray = new Pid(self.node, self.creation, 9, self.index)
  expect(a!.cast(astray, 'for worker 9')).toBe(Sent.noconnect)
  expect(a!.cast(self, 'for you')).toBe(Sent.ok)
  await until(() => worker.got.length > 0)
  expect(worker.got).toEqual(['for you'])
})

test('the journal names the start of the node whose link has ended', async () => {
  const { creation } = b!
  await b!.stop()
  await until(() => !a!.mesh.peer('b')!.linked)
  const downs = [...a!.journal.links.newestFirst()].filter(({ kind }) => kind === 'link-down')
  expect(downs.map(({ node, creation }) => ({ node, creation }))).toEqual([{ node: 'b', creation }])
})
