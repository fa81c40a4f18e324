/** Many nodes that come back at once: a slope, not a wall. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeGreeting } from '../../../transport/greeting.ts'
import { type Carrier, TEST } from '../../../transport/index.ts'
import { FrameKind } from '../../../transport/wire.ts'
import { closedFor, greetingOf, Stranger, type TestNode, World } from './world.ts'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.end())

/** The carrier, with the addresses that it was asked to dial. */
function noting(carrier: Carrier, dialled: string[]): Carrier {
  return {
    listen: (address, accept) => carrier.listen(address, accept),
    dial: address => {
      dialled.push(address)
      return carrier.dial(address)
    },
  }
}

const names = Array.from({ length: 40 }, (_, at) => `peer${at}`)
const addresses = names.map(node => ({ node, address: `${node}:1` }))

test('a node has at most dialsMax dials under way, also when nobody answers', async () => {
  const dialled: string[] = []
  const a = await world.node('a', {}, { carrier: noting(world.network.carrier('a'), dialled) })
  for (const name of names) world.network.blackHole('a', `${name}:1`)
  a.mesh.configure(addresses)
  for (let passedMs = 0; passedMs < 3 * TEST.handshakeTimeoutMs; passedMs += 10) {
    world.clock.advance(10)
    expect(a.mesh.openLinks).toBeLessThanOrEqual(TEST.dialsMax)
  }
  expect(dialled.length).toBeGreaterThan(2 * TEST.dialsMax)
})

test('the order is random, another one on each node, and everybody has a turn', async () => {
  const orders: string[][] = []
  for (const name of ['a', 'b']) {
    const dialled: string[] = []
    const node = await world.node(name, {}, { carrier: noting(world.network.carrier(name), dialled) })
    node.mesh.configure(addresses)
    world.clock.until(() => new Set(dialled).size === names.length, 30_000)
    orders.push(dialled)
  }
  const first = orders.map(order => order.slice(0, 10))
  expect(first[0]).not.toEqual(addresses.map(({ address }) => address).slice(0, 10))
  expect(first[0]).not.toEqual(first[1])
})

test('thirty nodes that start together are all linked, and nobody is turned away as busy', async () => {
  const nodes: TestNode[] = []
  for (let at = 0; at < 30; at++) nodes.push(await world.node(`n${at}`, { handshakesMax: 30 }))
  world.introduce(...nodes)
  const isDone = () => nodes.every(({ mesh }) => [...mesh.peers.values()].every(peer => peer.linked))
  world.clock.until(isDone, 10_000)
  for (const node of nodes) expect(closedFor(node, 'busy')).toBe(0)
})

test('a stranger in its handshake costs less than 16 KiB, whatever it sends', async () => {
  const strangers = 2_000
  const a = await world.node('a', { handshakesMax: strangers })
  a.mesh.configure([{ node: 'b', address: 'nowhere:1' }])
  const hello = encodeGreeting(FrameKind.hello, greetingOf('b', { version: 'x'.repeat(255) }))
  /** Half of them stop inside their hello; the others have said it all, and wait with the challenge. */
  const come = () => {
    for (let at = 0; at < strangers; at++)
      new Stranger(world.network.carrier('far').dial('a:1'), at % 2 === 0 ? hello : hello.subarray(0, -1))
    world.clock.settle()
    expect(a.mesh.openLinks).toBeGreaterThanOrEqual(strangers)
  }
  // Once for what is only compiled and allocated the first time; then for the figure.
  come()
  world.clock.until(() => a.mesh.openLinks <= 1, 10_000)
  const before = await bytesInUse()
  come()
  const grown = ((await bytesInUse()) - before) / strangers
  // Both ends are in this process: the stranger's half is counted, too.
  expect(grown).toBeGreaterThan(1024)
  expect(grown).toBeLessThan(16 * 1024)
})

/** What this process has allocated and not given up, inside V8's heap and outside. */
async function bytesInUse(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // What buffers held is given back some time after they are found dead.
  for (let turns = 0; turns < 3; turns++) {
    collect()
    await new Promise(resolve => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
