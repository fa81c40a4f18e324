/** Meshes over real sockets on loopback. */
import { execFile } from 'node:child_process'
import net from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import {
  LAN,
  Lane,
  Mesh,
  newCreation,
  parseAddress,
  realPorts,
  Sent,
  TEST,
} from '../../../transport/index.ts'

interface Node {
  readonly mesh: Mesh
  readonly log: string[]
  readonly bodies: string[]
}

const meshes: Mesh[] = []

async function node(name: string, options = TEST): Promise<Node> {
  const log: string[] = []
  const bodies: string[] = []
  const mesh = new Mesh(
    { clusterId: 'tcp', node: name, creation: newCreation(realPorts.clock), version: '1' },
    { ...options, listen: '127.0.0.1:0', secrets: ['secret'] },
    realPorts,
    {
      up: peer => log.push(`up ${peer.node}`),
      down: (peer, reason) => log.push(`down ${peer.node} ${reason}`),
      message: (_peer, _channel, body) => bodies.push(Buffer.from(body).toString('latin1')),
    },
  )
  await mesh.start()
  meshes.push(mesh)
  return { mesh, log, bodies }
}

async function pair(options = TEST): Promise<[Node, Node]> {
  const a = await node('a', options)
  const b = await node('b', options)
  a.mesh.configure([{ node: 'b', address: b.mesh.address }])
  b.mesh.configure([{ node: 'a', address: a.mesh.address }])
  await until(() => a.mesh.peer('b')!.linked && b.mesh.peer('a')!.linked)
  return [a, b]
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${condition}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

afterEach(async () => {
  await Promise.all(meshes.splice(0).map(mesh => mesh.stop()))
})

test('20,000 frames of all sizes go each way, intact and in order', async () => {
  const [a, b] = await pair(LAN)
  const count = 20_000
  const text = (at: number) => `${at}:`.padEnd(at % 1_000 === 0 ? 70_000 : (at * 37) % 300, String(at % 10))
  let sentByA = 0
  let sentByB = 0
  const more = (from: Node, to: string, sent: number): number => {
    const until = Math.min(count, sent + 500)
    let at = sent
    while (
      at < until &&
      from.mesh.peer(to)!.send(2, Lane.ordinary, Buffer.from(text(at)), undefined) === Sent.ok
    )
      at++
    return at
  }
  while (sentByA < count || sentByB < count) {
    sentByA = more(a, 'b', sentByA)
    sentByB = more(b, 'a', sentByB)
    await new Promise(resolve => setImmediate(resolve))
  }
  await until(() => a.bodies.length === count && b.bodies.length === count)
  for (const { bodies } of [a, b])
    for (let at = 0; at < count; at++) if (bodies[at] !== text(at)) expect(bodies[at]).toBe(text(at))
})

test('a big payload passes by reference and arrives whole', async () => {
  const [a, b] = await pair(LAN)
  const payload = Buffer.alloc(8_000_000, 'abcdefghij')
  expect(a.mesh.peer('b')!.send(2, Lane.bulk, Buffer.from('head'), payload)).toBe(Sent.ok)
  await until(() => b.bodies.length === 1)
  expect(b.bodies[0] === `head${payload.toString('latin1')}`).toBe(true)
})

test('a slow reader fills its own queue only, and everything accepted arrives', async () => {
  const [a, b] = await pair()
  const peer = a.mesh.peer('b')!
  const payload = Buffer.alloc(50_000)
  let accepted = 0
  let refused = 0
  for (let count = 0; count < 2_000; count++) {
    if (peer.send(2, Lane.ordinary, Buffer.alloc(4), payload) === Sent.ok) accepted++
    else refused++
    expect(peer.queueBytes).toBeLessThanOrEqual(TEST.queueBytesMax)
    if (count % 10 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  expect(accepted + refused).toBe(2_000)
  await until(() => b.bodies.length === accepted && peer.ledger.ordinary.delivered === accepted)
  expect(peer.inFlightFrames).toBe(0)
})

test('garbage on the port harms nothing', async () => {
  const [a, b] = await pair()
  const { host, port } = parseAddress(a.mesh.address)
  const garbage = ['GET / HTTP/1.1\r\n\r\n', '\0'.repeat(100_000), 'x'.repeat(100_000), '', '\xff'.repeat(9)]
  const closed = garbage.map(
    bytes =>
      new Promise<void>(resolve => {
        const socket = net.connect(port, host, () => socket.write(bytes, 'latin1'))
        socket.on('error', () => {})
        socket.on('close', () => resolve())
        socket.resume()
      }),
  )
  await Promise.all(closed)
  await until(() => a.mesh.openLinks === 1)
  expect(a.mesh.closedCounts.get('bad-frame')).toBe(4)
  expect(a.mesh.closedCounts.get('handshake-timeout')).toBe(1)
  expect([a.log, b.log]).toEqual([['up b'], ['up a']])
  a.mesh.peer('b')!.send(2, Lane.ordinary, Buffer.from('still here'), undefined)
  await until(() => b.bodies.length === 1)
})

test('a node that stops is told apart from one that dies, and found again', async () => {
  const [a, b] = await pair()
  const address = b.mesh.address
  await b.mesh.stop()
  await until(() => a.log.length === 2)
  expect(a.log).toEqual(['up b', 'down b goodbye'])
  const again = new Mesh(
    { clusterId: 'tcp', node: 'b', creation: newCreation(realPorts.clock) + 1, version: '2' },
    { ...TEST, listen: address, secrets: ['secret'] },
    realPorts,
    { up() {}, down() {}, message() {} },
  )
  meshes.push(again)
  await again.start()
  again.configure([{ node: 'a', address: a.mesh.address }])
  await until(() => a.mesh.peer('b')!.linked && again.peer('a')!.linked)
  expect(a.mesh.peer('b')!.version).toBe('2')
})

test('a process whose mesh has stopped exits by itself', async () => {
  const door = join(import.meta.dirname, '../../../transport/index.ts')
  const program = `
    import { LAN, Mesh, newCreation, realPorts } from ${JSON.stringify(door)}
    const nodes = ['a', 'b'].map(node => new Mesh(
      { clusterId: 'c', node, creation: newCreation(realPorts.clock), version: '1' },
      { ...LAN, listen: '127.0.0.1:0' }, realPorts,
      { up: () => void (++up === 2 && stop()), down() {}, message() {} }))
    let up = 0
    for (const mesh of nodes) await mesh.start()
    const peers = nodes.map(mesh => ({ node: mesh.identity.node, address: mesh.address }))
    for (const mesh of nodes) mesh.configure(peers)
    async function stop() {
      await Promise.all(nodes.map(mesh => mesh.stop()))
      console.log('stopped', nodes.map(mesh => mesh.openLinks).join(), process.getActiveResourcesInfo().filter(kind => /TCP|Timeout/.test(kind)).join())
    }`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 10_000,
  })
  expect(stdout.trim()).toBe('stopped 0,0')
})

test('a port in use is an error with a code', async () => {
  const a = await node('a')
  const second = new Mesh(
    { clusterId: 'tcp', node: 'x', creation: 1, version: '1' },
    { ...TEST, listen: a.mesh.address },
    realPorts,
    { up() {}, down() {}, message() {} },
  )
  await expect(second.start()).rejects.toMatchObject({ code: 'address-in-use', name: 'TransportError' })
  await second.stop()
})
