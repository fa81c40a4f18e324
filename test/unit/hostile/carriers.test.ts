/**
 * What every carrier owes its users on a bad day, run unchanged over each of them; the good day is in test/unit/transport/carriers.test.ts.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { type Carrier, MemoryNetwork, realTimers, TlsCarrier, tcpCarrier } from '../../../transport/index.ts'
import { Authority } from '../../support/certificates.ts'
import { type Ear, Ears, type Joined } from '../../support/ears.ts'
import { FaultProxy } from '../../support/fault-proxy.ts'
import type { Faults } from '../../support/fault-way.ts'
import { until } from '../../support/until.ts'
import { seededRandom } from '../transport/manual-clock.ts'

const ears = new Ears()
afterEach(() => ears.close())

/** The carrier, with a faulty line before each address that is listened on. */
function through(carrier: Carrier, faults: Partial<Faults>): Carrier {
  return {
    dial: address => carrier.dial(address),
    listen: async (address, accept) => {
      const listener = await carrier.listen(address, accept)
      const proxy = await FaultProxy.start(listener.address)
      proxy.setBoth(faults)
      return {
        address: proxy.address,
        close: async () => {
          await proxy[Symbol.asyncDispose]()
          await listener.close()
        },
      }
    },
  }
}

const credentials = new Authority().issue('here')

const carriers: [string, () => Carrier][] = [
  ['tcp', () => tcpCarrier],
  ['tls', () => new TlsCarrier(credentials)],
  ['tls, in slices', () => through(new TlsCarrier(credentials), { sliceBytes: 1_000 })],
  ['tcp, in slices', () => through(tcpCarrier, { sliceBytes: 1_000 })],
  ['tcp, late', () => through(tcpCarrier, { latencyMs: 5, jitterMs: 5 })],
  ['memory', () => new MemoryNetwork({ timers: realTimers }).carrier('here')],
  ['memory, in slices', () => new MemoryNetwork({ timers: realTimers, sliceBytesMax: 100 }).carrier('here')],
]

describe.each(carriers)('the %s carrier', (_name, make) => {
  test('tells its owner nothing from inside a call', async () => {
    let inside = false
    let told = 0
    const { near, far } = await ears.join(make(), () => {
      told++
      if (inside) near.heard.push('from inside a call')
    })
    const call = (act: () => void) => {
      inside = true
      act()
      inside = false
    }
    for (const { stream } of [near, far]) {
      call(() => stream.write([Buffer.alloc(300_000)]))
      call(() => stream.pause())
      call(() => stream.resume())
    }
    await until(() => near.bytes === 300_000 && far.bytes === 300_000)
    call(() => near.stream.end())
    call(() => far.stream.destroy())
    await until(() => near.closed > 0 && far.closed > 0)
    expect(told).toBeGreaterThan(4)
    expect(near.heard).not.toContain('from inside a call')
  })

  test('carries everything both ways at once, in order, to readers that pause again and again', async () => {
    const { near, far } = await ears.join(make())
    const random = seededRandom(4)
    const sent = [near, far].map(({ stream, heard }) => {
      const hash = createHash('sha256')
      let bytes = 0
      const writeMore = () => {
        heard.length = 0
        for (let room = true; room && bytes < 1_500_000; ) {
          const chunks = [1, 2, 3].map(() =>
            Buffer.from(random.bytes(Math.floor(random.next() ** 4 * 20_000))),
          )
          for (const chunk of chunks) {
            hash.update(chunk)
            bytes += chunk.length
          }
          room = stream.write(chunks)
        }
      }
      writeMore()
      return { hash, writeMore, bytes: () => bytes }
    })
    for (const [at, end] of [near, far].entries())
      end.read = () => {
        if (random.next() > 0.1) return
        end.stream.pause()
        setImmediate(() => {
          end.stream.resume()
          sent[at]!.writeMore()
        })
      }
    await until(() => {
      for (const [at, { heard }] of [near, far].entries()) if (heard.includes('drain')) sent[at]!.writeMore()
      return near.bytes === sent[1]!.bytes() && far.bytes === sent[0]!.bytes()
    })
    expect(far.hash.digest('hex')).toBe(sent[0]!.hash.digest('hex'))
    expect(near.hash.digest('hex')).toBe(sent[1]!.hash.digest('hex'))
  })

  // The memory carrier hands on the other slices of the write that it is at.
  test('reads nothing while it is paused, from inside a read, too', async () => {
    const { near, far } = await ears.join(make())
    let paused = 0
    far.read = () => {
      far.stream.pause()
      paused ||= far.bytes
    }
    for (let count = 0; count < 20; count++) {
      near.stream.write([Buffer.alloc(100_000)])
      await sleep(1)
    }
    await until(() => paused > 0)
    await sleep(30)
    expect(far.bytes).toBe(paused)
    far.read = () => {}
    far.stream.resume()
    await until(() => far.bytes === 2_000_000)
  })

  test('gives an owner that destroys it in a read nothing more but its close', async () => {
    const { near, far } = await ears.join(make())
    far.read = () => far.stream.destroy()
    near.stream.write([Buffer.alloc(500_000)])
    near.stream.write([Buffer.alloc(500_000)])
    await until(() => far.closed > 0 && near.closed > 0)
    const { bytes } = far
    await sleep(20)
    expect(far.bytes).toBe(bytes)
    expect(bytes).toBeLessThan(1_000_000)
    expect(far.heard).toEqual(['close'])
  })

  test.each<[string, (joined: Joined) => void]>([
    ['both end', ({ near, far }) => [near, far].map(({ stream }) => stream.end())],
    ['both destroy', ({ near, far }) => [near, far].map(({ stream }) => stream.destroy())],
    ['one ends, one destroys', ({ near, far }) => [near.stream.end(), far.stream.destroy()]],
    ['one ends twice', ({ near }) => [near.stream.end(), near.stream.end()]],
    ['one ends, then destroys', ({ near }) => [near.stream.end(), near.stream.destroy()]],
    [
      'one destroys, then ends and writes',
      ({ far }) => [far.stream.destroy(), far.stream.end(), far.stream.write([Buffer.alloc(1)])],
    ],
    [
      'one destroys while the other writes',
      ({ near, far }) => [near.stream.write([Buffer.alloc(2_000_000)]), far.stream.destroy()],
    ],
  ])('closes each end once: %s', async (_case, act) => {
    const joined = await ears.join(make())
    const { near, far } = joined
    act(joined)
    await until(() => near.closed > 0 && far.closed > 0)
    await sleep(10)
    expect([near.closed, far.closed]).toEqual([1, 1])
    expect([...near.heard, ...far.heard]).not.toContain('something after the close')
  })

  test('takes calls after its close without a word', async () => {
    const { near, far } = await ears.join(make())
    far.stream.destroy()
    await until(() => near.closed > 0 && far.closed > 0)
    for (const { stream } of [near, far]) {
      stream.write([Buffer.from('late')])
      stream.pause()
      stream.resume()
      stream.end()
      stream.destroy()
    }
    await sleep(10)
    expect([near.closed, far.closed]).toEqual([1, 1])
  })

  test('a dial that is given up before it is connected never opens, and closes once', async () => {
    const carrier = make()
    const address = await ears.listen(carrier, stream => ears.hear(stream))
    const given = [ears.hear(carrier.dial(address)), ears.hear(carrier.dial(address))]
    given[0]!.stream.destroy()
    given[1]!.stream.end()
    await until(() => given.every(({ closed }) => closed > 0))
    await sleep(10)
    expect(given[0]!.opened).toBe(0)
    expect(given.map(({ closed }) => closed)).toEqual([1, 1])
  })

  test('a hundred dials at once keep their bytes apart', async () => {
    const carrier = make()
    const accepted: Ear[] = []
    const address = await ears.listen(carrier, stream => {
      const far = ears.hear(stream)
      accepted.push(far)
      far.read = bytes => void far.stream.write([Buffer.from(bytes)])
    })
    const dialled = Array.from({ length: 100 }, () => ears.hear(carrier.dial(address)))
    const texts = dialled.map((_, at) => `dial ${at} `.repeat(50))
    await until(() => dialled.every(each => each.opened === 1))
    for (const [at, { stream }] of dialled.entries()) stream.write([Buffer.from(texts[at]!)])
    await until(() => dialled.every(({ bytes }, at) => bytes === texts[at]!.length))
    for (const [at, { hash }] of dialled.entries())
      expect(hash.digest('hex')).toBe(createHash('sha256').update(texts[at]!).digest('hex'))
    expect(accepted).toHaveLength(100)
  })

  test('an end that does not read costs its writer no more than it has written, and can be given up', async () => {
    const { near, far } = await ears.join(make())
    far.stream.pause()
    let written = 0
    while (near.stream.write([Buffer.alloc(100_000)]) && written < 200_000_000) written += 100_000
    expect(written).toBeLessThan(200_000_000)
    near.stream.destroy()
    await until(() => near.closed > 0)
    far.stream.resume()
    await until(() => far.closed > 0)
    expect(far.closed).toBe(1)
  })
})
