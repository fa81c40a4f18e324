/** The fault proxy itself: each fault does what it says, in one direction, and ends when it is told to. */
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FaultProxy, type FaultProxyOptions } from '../../support/fault-proxy.ts'
import { until } from '../../support/until.ts'

/** One end of a connection, and what it was told. */
class End {
  readonly socket: Socket
  readonly reads: Buffer[] = []
  closed: 'no' | 'end' | 'reset' = 'no'

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => this.reads.push(bytes))
    socket.on('error', () => {
      this.closed = 'reset'
    })
    socket.on('close', () => {
      if (this.closed === 'no') this.closed = 'end'
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.reads)
  }

  get text(): string {
    return this.bytes.toString()
  }
}

let server: net.Server
let far: End[]
let proxy: FaultProxy

async function start(options: FaultProxyOptions = {}): Promise<void> {
  const { port } = server.address() as AddressInfo
  proxy = await FaultProxy.start(`127.0.0.1:${port}`, options)
}

async function dial(): Promise<End> {
  const [host, port] = proxy.address.split(':')
  const near = new End(net.connect(Number(port), host))
  await once(near.socket, 'connect')
  return near
}

async function connection(): Promise<[near: End, far: End]> {
  const count = far.length
  const near = await dial()
  await until(() => far.length > count)
  return [near, far.at(-1)!]
}

beforeEach(async () => {
  far = []
  server = net.createServer(socket => far.push(new End(socket))).listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  await proxy[Symbol.asyncDispose]()
  for (const { socket } of far) socket.destroy()
  server.close()
})

describe('without faults', () => {
  test('bytes pass both ways, and an end passes behind the last of them', async () => {
    await start()
    const [near, far] = await connection()
    near.socket.end(Buffer.alloc(3_000_000, 'there'))
    far.socket.write('back')
    await until(() => near.closed === 'end' && far.closed === 'end')
    expect(far.bytes.equals(Buffer.alloc(3_000_000, 'there'))).toBe(true)
    expect(near.text).toBe('back')
    await until(() => proxy.connections === 0)
    expect(proxy.passedBytes('there')).toBe(3_000_000)
  })

  test('a target that is not there is a reset for the dialler', async () => {
    await start()
    server.close()
    const near = await dial()
    await until(() => near.closed === 'reset')
  })
})

test('latency with jitter delays one direction, and keeps the order', async () => {
  await start()
  const [near, far] = await connection()
  proxy.set('there', { latencyMs: 60, jitterMs: 60 })
  const startMs = performance.now()
  far.socket.write('quick')
  for (let at = 0; at < 20; at++) {
    near.socket.write(`${at},`)
    await sleep(1)
  }
  await until(() => near.text === 'quick')
  const backMs = performance.now() - startMs
  await until(() => far.text.endsWith('19,'))
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(60)
  expect(backMs).toBeLessThan(performance.now() - startMs)
  expect(far.text).toBe(Array.from({ length: 20 }, (_, at) => `${at},`).join(''))
})

test('a bandwidth lets bytes through at its rate, and the rest at once when it is lifted', async () => {
  await start()
  const [near, far] = await connection()
  proxy.set('there', { bytesPerSecond: 20_000 })
  near.socket.write(Buffer.alloc(100_000))
  await sleep(300)
  expect(far.bytes.length).toBeGreaterThan(0)
  expect(far.bytes.length).toBeLessThan(40_000)
  proxy.set('there', {})
  await until(() => far.bytes.length === 100_000)
})

test('a slow line is felt by its sender, and holds a bounded number of bytes', async () => {
  await start()
  const [near] = await connection()
  proxy.set('there', { bytesPerSecond: 1_000 })
  const sent = 64_000_000
  near.socket.write(Buffer.alloc(sent))
  await sleep(100)
  expect(near.socket.bytesWritten).toBe(sent)
  expect(near.socket.writableLength).toBeGreaterThan(sent / 2)
})

describe('a black hole', () => {
  test('lets nothing through one way, not even an end, and gives all of it back when it is over', async () => {
    await start()
    const [near, far] = await connection()
    proxy.set('there', { blackHole: true })
    near.socket.end('lost?')
    far.socket.write('heard')
    await until(() => near.text === 'heard')
    await sleep(50)
    expect([far.text, far.closed]).toEqual(['', 'no'])
    proxy.set('there', {})
    await until(() => far.text === 'lost?' && far.closed === 'end')
  })

  test('from the start is half-open: accepted, never read, and the target hears nothing', async () => {
    await start()
    proxy.setBoth({ blackHole: true })
    const near = await dial()
    near.socket.write('anybody?')
    await sleep(50)
    expect([far.length, proxy.accepted, near.closed]).toEqual([0, 1, 'no'])
    proxy.setBoth({})
    await until(() => far[0]?.text === 'anybody?')
  })
})

test('slices arrive one by one, and add up', async () => {
  await start()
  const [near, far] = await connection()
  proxy.set('there', { sliceBytes: 1 })
  near.socket.write('in many little reads')
  await until(() => far.text === 'in many little reads')
  expect(far.reads.length).toBeGreaterThan(5)
})

describe('damage', () => {
  test('turns single bits over, and never the length', async () => {
    await start()
    const [near, far] = await connection()
    proxy.set('there', { flipEveryBytes: 100 })
    near.socket.write(Buffer.alloc(10_000))
    await until(() => far.bytes.length === 10_000)
    const bits = far.bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
    expect(bits).toBe(proxy.flippedBits('there'))
    expect(bits).toBeGreaterThan(50)
    expect(bits).toBeLessThan(200)
  })

  test('comes at the same places from the same seed', async () => {
    const results: Buffer[] = []
    for (const seed of [7, 7, 8]) {
      await start({ seed })
      const [near, far] = await connection()
      proxy.set('there', { flipEveryBytes: 50 })
      near.socket.write(Buffer.alloc(1_000))
      await until(() => far.bytes.length === 1_000)
      results.push(far.bytes)
      await proxy[Symbol.asyncDispose]()
    }
    await start()
    expect(results[0]!.equals(results[1]!)).toBe(true)
    expect(results[0]!.equals(results[2]!)).toBe(false)
  })

  test('loses bytes out of the middle, and goes on behind them', async () => {
    await start()
    const [near, far] = await connection()
    near.socket.write('one ')
    await until(() => far.text === 'one ')
    proxy.lose('there', 4)
    near.socket.write('two three')
    await until(() => far.text === 'one three')
  })
})

describe('an ending', () => {
  test('by reset reaches both ends, once', async () => {
    await start()
    const [near, far] = await connection()
    proxy.reset()
    await until(() => near.closed === 'reset' && far.closed === 'reset')
    const [again] = await connection()
    expect(again.closed).toBe('no')
  })

  test('of one end by reset is a reset for the other', async () => {
    await start()
    const [near, far] = await connection()
    near.socket.resetAndDestroy()
    await until(() => far.closed === 'reset')
  })

  test('comes after a limit of bytes, on every connection', async () => {
    await start()
    proxy.set('there', { limitBytes: 10 })
    for (let time = 0; time < 2; time++) {
      const [near, far] = await connection()
      near.socket.write('0123456789abcdef')
      await until(() => near.closed !== 'no' && far.closed !== 'no')
      expect(far.text).toBe('0123456789')
    }
  })

  test('can be slow', async () => {
    await start()
    const [near, far] = await connection()
    proxy.set('there', { closeDelayMs: 100 })
    const startMs = performance.now()
    near.socket.end('last')
    await until(() => far.text === 'last')
    await until(() => far.closed === 'end')
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(95)
  })

  test('can come at once, by refusal', async () => {
    await start()
    proxy.refusing = true
    const near = new End(net.connect(Number(proxy.address.split(':')[1]), '127.0.0.1'))
    await until(() => near.closed === 'reset')
    expect([proxy.accepted, far.length]).toEqual([0, 0])
  })
})
