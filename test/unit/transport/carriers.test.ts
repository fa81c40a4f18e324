/** What every carrier owes its users, run unchanged over each of them; the bad day is in test/unit/hostile/carriers.test.ts. */
import net from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type Carrier,
  formatAddress,
  MemoryNetwork,
  parseAddress,
  realTimers,
  TlsCarrier,
  tcpCarrier,
} from '../../../transport/index.ts'
import { Authority } from '../../support/certificates.ts'
import { areClosed, Ears } from '../../support/ears.ts'
import { until } from '../../support/until.ts'

const ears = new Ears()
afterEach(() => ears.close())

const authority = new Authority()
const credentials = authority.issue('here')

const carriers: [string, () => Carrier][] = [
  ['tcp', () => tcpCarrier],
  ['tls', () => new TlsCarrier(credentials)],
  ['memory', () => new MemoryNetwork({ timers: realTimers }).carrier('here')],
  ['memory, in slices', () => new MemoryNetwork({ timers: realTimers, sliceBytesMax: 3 }).carrier('here')],
]

describe.each(carriers)('the %s carrier', (_name, make) => {
  test('opens the dialled end, and carries bytes both ways', async () => {
    const joined = await ears.join(make())
    const { address, near, far } = joined
    expect(near.heard).toEqual(['open'])
    expect(far.heard).toEqual([])
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/)
    near.stream.write([Buffer.from('one '), Buffer.from('two '), Buffer.from('three')])
    far.stream.write([Buffer.from('back')])
    await until(() => far.text === 'one two three' && near.text === 'back')
    near.stream.end()
    await until(() => areClosed(joined))
  })

  test('writes out what was queued before an end, and closes both ends once', async () => {
    const joined = await ears.join(make())
    const { near, far } = joined
    near.stream.write([Buffer.alloc(3_000_000)])
    near.stream.end()
    await until(() => areClosed(joined))
    expect(far.bytes).toBe(3_000_000)
    expect(far.heard).toEqual(['close'])
    expect(near.heard.filter(line => line === 'close')).toHaveLength(1)
  })

  test('says full and, later, drain', async () => {
    const joined = await ears.join(make())
    const { near, far } = joined
    far.stream.pause()
    let written = 0
    const drains = () => near.heard.filter(line => line === 'drain').length
    // Full may pass while the machine's own buffers take what is written; with an end that does not read, it stays.
    for (let before = -1; drains() > before; await new Promise(resolve => setTimeout(resolve, 20))) {
      before = drains()
      for (let room = true; room; written += 100_000) room = near.stream.write([Buffer.alloc(100_000)])
      if (written > 200_000_000) throw new Error('never full')
    }
    const before = drains()
    far.stream.resume()
    await until(() => drains() > before && far.bytes === written)
    near.stream.destroy()
    await until(() => areClosed(joined))
  })

  test('destroy closes at once, and the other end hears of it', async () => {
    const joined = await ears.join(make())
    const { near, far } = joined
    far.stream.destroy()
    await until(() => areClosed(joined))
    expect(far.heard).toEqual(['close'])
    near.stream.write([Buffer.from('into the void')])
    near.stream.destroy()
  })

  test('a refused dial is a close, not an exception', async () => {
    const carrier = make()
    const listener = await carrier.listen('127.0.0.1:0', () => {})
    await listener.close()
    const ear = ears.hear(carrier.dial(listener.address))
    expect(ear.heard).toEqual([])
    await until(() => ear.closed > 0)
    expect(ear.heard[0]).toMatch(/^close .*REFUSED/i)
  })

  test('an address can be had once at a time', async () => {
    const carrier = make()
    const listener = await carrier.listen('127.0.0.1:0', () => {})
    await expect(carrier.listen(listener.address, () => {})).rejects.toMatchObject({ code: 'address-in-use' })
    await listener.close()
    await (await carrier.listen(listener.address, () => {})).close()
  })
})

describe('a TCP address', () => {
  test.each([
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['localhost:0', 'localhost', 0],
    ['[::1]:7411', '::1', 7411],
    ['chat-1.dc1.example:65535', 'chat-1.dc1.example', 65_535],
  ])('%s', (address, host, port) => {
    expect(parseAddress(address)).toEqual({ host, port })
    expect(formatAddress(host, port)).toBe(address)
  })

  test.each([
    '',
    'host',
    'host:',
    ':80',
    'host:65536',
    'host:-1',
    'host:8o',
    '::1:80',
    '[::1]',
    'a b:1',
    'a:1\n',
    'http://a:1',
  ])('%j is none', address => {
    expect(() => parseAddress(address)).toThrow(expect.objectContaining({ code: 'bad-address' }))
  })

  test('that is none makes listen reject, and a dial close', async () => {
    await expect(tcpCarrier.listen('nonsense', () => {})).rejects.toMatchObject({ code: 'bad-address' })
    const ear = ears.hear(tcpCarrier.dial('nonsense'))
    await until(() => ear.closed > 0)
    expect(ear.heard[0]).toContain('host:port')
  })

  test('that is not of this machine cannot be listened on', async () => {
    await expect(tcpCarrier.listen('192.0.2.1:0', () => {})).rejects.toMatchObject({
      code: 'address-unavailable',
    })
  })
})

test('a TCP read does not disturb what another stream of the thread has read', async () => {
  const { near, far } = await ears.join(tcpCarrier)
  const other = await ears.join(tcpCarrier)
  for (let count = 0; count < 200; count++) {
    far.stream.write([Buffer.from(`a${count % 10}`)])
    other.far.stream.write([Buffer.from(`b${count % 10}`)])
  }
  await until(() => near.text.length === 400 && other.near.text.length === 400)
  expect(near.text).toBe('a0a1a2a3a4a5a6a7a8a9'.repeat(20))
  expect(other.near.text).toBe('b0b1b2b3b4b5b6b7b8b9'.repeat(20))
})

test('a TCP listener takes a connection that says nothing and leaves', async () => {
  const { address, near, far } = await ears.join(tcpCarrier)
  const { host, port } = parseAddress(address)
  const visitor = net.connect(port, host)
  visitor.on('error', () => {})
  await new Promise(resolve => visitor.once('connect', resolve))
  visitor.resetAndDestroy()
  near.stream.write([Buffer.from('still here')])
  await until(() => far.text === 'still here')
})
