/** Meshes over real sockets on loopback. */
import { execFile } from 'node:child_process'
import net from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { LAN, Lane, Mesh, parseAddress, realPorts, Sent, TEST } from '../../../transport/index.ts'
import { areLinked, introduce, Meshes, type MeshNode } from '../../support/meshes.ts'
import { until } from '../../support/until.ts'

const meshes = new Meshes()
afterEach(() => meshes.stop())

async function pair(preset = TEST): Promise<[MeshNode, MeshNode]> {
  const options = { ...preset, secrets: ['secret'] }
  const pair: [MeshNode, MeshNode] = [await meshes.node('a', options), await meshes.node('b', options)]
  introduce(...pair)
  await until(() => areLinked(...pair))
  return pair
}

test('20,000 frames of all sizes go each way, intact and in order', async () => {
  const [a, b] = await pair(LAN)
  const count = 20_000
  const text = (at: number) => `${at}:`.padEnd(at % 1_000 === 0 ? 70_000 : (at * 37) % 300, String(at % 10))
  let sentByA = 0
  let sentByB = 0
  const more = (from: MeshNode, to: string, sent: number): number => {
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
  await until(() => a.heard.length === count && b.heard.length === count)
  for (const { heard } of [a, b])
    for (let at = 0; at < count; at++) if (heard[at] !== text(at)) expect(heard[at]).toBe(text(at))
})

test('a big payload passes by reference and arrives whole', async () => {
  const [a, b] = await pair(LAN)
  const payload = Buffer.alloc(8_000_000, 'abcdefghij')
  expect(a.mesh.peer('b')!.send(2, Lane.bulk, Buffer.from('head'), payload)).toBe(Sent.ok)
  await until(() => b.heard.length === 1)
  expect(b.heard[0] === `head${payload.toString('latin1')}`).toBe(true)
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
  await until(() => b.heard.length === accepted && peer.ledger.ordinary.delivered === accepted)
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
  await until(() => b.heard.length === 1)
})

test('a node that stops is told apart from one that dies, and found again', async () => {
  const [a, b] = await pair()
  const address = b.mesh.address
  await b.mesh.stop()
  await until(() => a.log.length === 2)
  expect(a.log).toEqual(['up b', 'down b goodbye'])
  const before = a.mesh.peer('b')!.ledger.ordinary.received
  const again = await meshes.node('b', { listen: address })
  again.mesh.configure([{ node: 'a', address: a.mesh.address }])
  await until(() => areLinked(a, again))
  again.mesh.peer('a')!.send(2, Lane.ordinary, Buffer.from('it is me'), undefined)
  await until(() => a.mesh.peer('b')!.ledger.ordinary.received === before + 1)
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
  const a = await meshes.node('a')
  const second = new Mesh(
    { clusterId: 'test', node: 'x', creation: 1, version: '1' },
    { ...TEST, listen: a.mesh.address },
    realPorts,
    { up() {}, down() {}, message() {} },
  )
  await expect(second.start()).rejects.toMatchObject({ code: 'address-in-use', name: 'TransportError' })
  await second.stop()
})
