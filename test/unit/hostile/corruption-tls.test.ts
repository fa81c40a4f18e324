/** Bits turned over under TLS: whatever happens to the line, what arrives is what was sent. */
import { afterEach, expect, test } from 'vitest'
import {
  Lane,
  Mesh,
  newCreation,
  realPorts,
  Sent,
  type Stream,
  TEST,
  TlsCarrier,
} from '../../../transport/index.ts'
import { Authority } from '../../support/certificates.ts'
import { FaultProxy } from '../../support/fault-proxy.ts'
import { until } from '../../support/until.ts'

const authority = new Authority()
const meshes: Mesh[] = []
const proxies: FaultProxy[] = []

function node(name: string, message: (text: string) => void = () => {}): Mesh {
  const mesh = new Mesh(
    { clusterId: 'damage', node: name, creation: newCreation(realPorts.clock), version: '1' },
    { ...TEST, listen: '127.0.0.1:0' },
    { ...realPorts, carrier: new TlsCarrier(authority.issue(name)) },
    { up() {}, down() {}, message: (_peer, _channel, body) => message(Buffer.from(body).toString()) },
  )
  meshes.push(mesh)
  return mesh
}

afterEach(async () => {
  await Promise.all(meshes.splice(0).map(mesh => mesh.stop()))
  await Promise.all(proxies.splice(0).map(proxy => proxy[Symbol.asyncDispose]()))
})

test('no message is ever another one, and the links come back', async () => {
  const sent = new Set<string>()
  const got: string[] = []
  const a = node('a')
  const b = node('b', text => got.push(text))
  await Promise.all([a.start(), b.start()])
  const line = await FaultProxy.start(b.address, { seed: 11 })
  proxies.push(line)
  // b knows a, but not where it is: only a dials, through the bad line.
  a.configure([{ node: 'b', address: line.address }])
  b.configure([{ node: 'a', address: '127.0.0.1:1' }])
  line.set('there', { flipEveryBytes: 20_000 })
  const endMs = performance.now() + 2_000
  for (let count = 0; performance.now() < endMs; count++) {
    const text = `message ${count} `.repeat(8)
    if (a.peer('b')!.send(2, Lane.ordinary, Buffer.from(text), undefined) === Sent.ok) sent.add(text)
    if (count % 10 === 0) await new Promise(resolve => setTimeout(resolve, 2))
  }
  expect(line.flippedBits('there')).toBeGreaterThan(1)
  line.set('there', {})
  await until(() => a.peer('b')!.linked && b.peer('a')!.linked)
  expect(got.length).toBeGreaterThan(50)
  for (const text of got) if (!sent.has(text)) expect(text, 'a message that was never sent').toBe('')
  expect(new Set(got).size).toBe(got.length)
})

// Node emits `error` for a record that cannot be read, and for the alert at the other end, and leaves both sockets open.
test('a damaged record closes both ends at once, not at the heartbeat', async () => {
  const closed: string[] = []
  const streams: Stream[] = []
  let greeted = false
  const keep = (name: string, stream: Stream) => {
    streams.push(stream)
    stream.attach({
      onOpen: () => void stream.write([Buffer.from('hello')]),
      onData: () => {
        greeted = true
      },
      onDrain() {},
      onClose: () => closed.push(name),
    })
  }
  const carrier = new TlsCarrier(authority.issue('here'))
  const listener = await carrier.listen('127.0.0.1:0', stream => keep('far', stream))
  const line = await FaultProxy.start(listener.address)
  proxies.push(line)
  keep('near', carrier.dial(line.address))
  await until(() => greeted)
  line.set('there', { flipEveryBytes: 500 })
  streams[0]!.write([Buffer.alloc(20_000)])
  try {
    await until(() => closed.length === 2, 1_000)
  } finally {
    for (const stream of streams) stream.destroy()
    await listener.close()
  }
})
