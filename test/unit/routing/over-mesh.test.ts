/** Routing on the real transport, over streams in memory: what the small links of the other tests leave out. */
import { afterEach, expect, it } from 'vitest'
import { buildPartitionTable, Channel, Pid, Registry, Router } from '../../../routing/index.ts'
import {
  Lane,
  MemoryNetwork,
  Mesh,
  realClock,
  realRandom,
  realTimers,
  TEST,
} from '../../../transport/index.ts'

const services = new Map([
  ['mailbox', buildPartitionTable('mailbox', { partitions: 1, islands: { one: ['b', 'c'] } })],
])

interface MeshNode {
  readonly name: string
  readonly mesh: Mesh
  readonly registry: Registry
  readonly router: Router
  /** Indices of its processes that have ended. */
  readonly gone: Set<number>
  pid(index: number): Pid
}

let running: MeshNode[] = []

afterEach(async () => {
  for (const { registry, router } of running) {
    router.stop()
    registry.stop()
  }
  await Promise.all(running.map(({ mesh }) => mesh.stop()))
  running = []
})

/** Nodes a, b, ... linked with each other; every process answers calls with the message and its own pid. */
async function start(network: MemoryNetwork, ...names: string[]): Promise<MeshNode[]> {
  const peers = names.map(node => ({ node, address: `${node}:1` }))
  const nodes = names.map((name, index) => nodeOf(network, name, index + 1))
  running = nodes
  await Promise.all(nodes.map(({ mesh }) => mesh.start()))
  for (const { name, mesh } of nodes) mesh.configure(peers.filter(({ node }) => node !== name))
  await until(() => nodes.every(({ mesh }) => [...mesh.peers.values()].every(peer => peer.linked)))
  return nodes
}

function nodeOf(network: MemoryNetwork, node: string, creation: number): MeshNode {
  const ports = { clock: realClock, timers: realTimers, random: realRandom, carrier: network.carrier(node) }
  const here = { cluster: 'main', datacenter: 'dc1' }
  const mesh: Mesh = new Mesh(
    { clusterId: 'test', node, creation, version: '1' },
    { ...TEST, listen: `${node}:1`, secrets: ['secret'] },
    ports,
    {
      up: peer => {
        registry.peerUp(peer)
        router.peerUp(peer)
      },
      down: peer => {
        registry.peerDown(peer)
        router.peerDown(peer)
      },
      message: (peer, channel, body) =>
        (channel === Channel.registry ? registry : router).receive(peer, body),
    },
  )
  const gone = new Set<number>()
  const registry = new Registry({ node, creation, ports, place: () => here, published: () => false })
  const router = new Router({
    node,
    creation,
    ports,
    registry,
    linkTo: other => mesh.peer(other),
    deliver: (index, _, envelope) => {
      if (gone.has(index)) return false
      setImmediate(() => envelope.reply([String(new Pid(node, creation, 0, index)), envelope.message]))
      return true
    },
    services: () => services,
  })
  return { name: node, mesh, registry, router, gone, pid: index => new Pid(node, creation, 0, index) }
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5_000
  while (!isTrue()) {
    if (performance.now() > deadlineMs) throw new Error(`not so within 5 s: ${isTrue}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

it('groups converge, calls are answered, and a cut ends both', async () => {
  const network = new MemoryNetwork({ timers: realTimers, sliceBytesMax: 7 })
  const [a, b, c] = (await start(network, 'a', 'b', 'c')) as [MeshNode, MeshNode, MeshNode]
  for (const node of [a, b, c]) node.registry.join('room', node.pid(1))
  await until(() => [a, b, c].every(({ registry }) => registry.members('room').length === 3))
  const large = { text: 'x'.repeat(20_000) }
  expect(await a.router.call(b.pid(5), large)).toEqual(['b/2/0/5', large])

  network.cut('a', 'b')
  const lost = a.router.call(b.pid(5), 1)
  await expect(lost).rejects.toMatchObject({ code: 'noconnect' })
  await until(() => a.registry.members('room').length === 2)
  expect(c.registry.members('room')).toHaveLength(3)
  network.heal('a', 'b')
  await until(() => [a, b].every(({ registry }) => registry.members('room').length === 3))
})

it('a table larger than the control lane’s room still arrives whole', async () => {
  const network = new MemoryNetwork({ timers: realTimers })
  const [a, b] = (await start(network, 'a', 'b')) as [MeshNode, MeshNode]
  for (let index = 0; index < 40_000; index++) {
    a.registry.join(`group-with-quite-a-long-name-for-its-kind-${index}`, a.pid(index + 1))
  }
  await until(() => b.registry.whichGroups().length === 40_000)
  expect(a.registry.counts.refused).toBeGreaterThan(0)
  const pids = b.registry.members('group-with-quite-a-long-name-for-its-kind-39999')
  expect(pids.map(String)).toEqual(['a/1/0/40000'])
})

it('a thousand members of a node take one frame of each cast to all, and the ledgers agree', async () => {
  const network = new MemoryNetwork({ timers: realTimers })
  const [a, b] = (await start(network, 'a', 'b')) as [MeshNode, MeshNode]
  for (let index = 1; index <= 1_000; index++) b.registry.join('room', b.pid(index))
  await until(() => a.registry.members('room').length === 1_000 && a.router.counts.kindsHeard === 1)
  const before = a.mesh.peer('b')!.ledger.lanes[Lane.ordinary]!.accepted
  expect(a.router.castAll('room', { text: 'to all' })).toBe(1_000)
  expect(a.router.castAll('room', Buffer.alloc(6_000, 1))).toBe(1_000)
  await until(() => b.router.counts.delivered === 2_000)
  expect(a.mesh.peer('b')!.ledger.lanes[Lane.ordinary]!.accepted - before).toBe(2)
  expect(b.router.counts).toMatchObject({ undelivered: 0, bad: 0, malformed: 0 })
})

it('a call to a partition that has just moved is answered by its new owner', async () => {
  const network = new MemoryNetwork({ timers: realTimers, sliceBytesMax: 7 })
  const [a, b, c] = (await start(network, 'a', 'b', 'c')) as [MeshNode, MeshNode, MeshNode]
  for (const node of [b, c]) node.registry.join('mailbox/0', node.pid(3))
  await until(() => [a, b, c].every(({ registry }) => registry.members('mailbox/0').length === 2))
  const target = { service: 'mailbox', key: 'bob' }
  const owner = a.router.choose(target)!.node === 'b' ? b : c
  const call = a.router.call(target, 'question')
  // In the same turn, before the call has left.
  owner.registry.leave('mailbox/0', owner.pid(3))
  owner.router.handedOver('mailbox/0', owner.pid(3))
  owner.gone.add(3)
  const other = owner === b ? c : b
  expect(await call).toEqual([String(other.pid(3)), 'question'])
  expect(a.router.counts.redirected).toBe(1)
})

it('a peer that sends garbage is cut off as misbehaved, and its members are there when it is back', async () => {
  const network = new MemoryNetwork({ timers: realTimers })
  const [a, b] = (await start(network, 'a', 'b')) as [MeshNode, MeshNode]
  b.registry.join('room', b.pid(1))
  await until(() => a.registry.members('room').length === 1)
  const sync = Uint8Array.of(7, 0, 0, 0, 2)
  b.mesh.peer('a')!.send(Channel.registry, Lane.control, sync, Buffer.from('garbage'))
  const isToldBy = ({ mesh }: MeshNode) => mesh.closedLinks.some(({ reason }) => reason === 'misbehaved')
  await until(() => isToldBy(a) && isToldBy(b))
  expect(a.registry.counts.cutOffGarbage).toBe(1)
  await until(() => a.mesh.peer('b')!.linked && a.registry.members('room').length === 1)
})
