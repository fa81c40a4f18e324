/** Where a carrier's reads go: the shared buffer, or the room that the stream's owner gives, on dialled and accepted streams alike. */
import { expect, test } from 'vitest'
import { newTcpCarrier } from '../../../transport/carriers/tcp.ts'
import { type Carrier, MemoryNetwork, realTimers, type Stream } from '../../../transport/index.ts'

const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251))

/** Reads all into rooms of 10,000 bytes after the first 1,000; tells what came, and how much of it lay in a room. */
function reader(stream: Stream): Promise<{ got: Buffer; inRoom: number; longest: number }> {
  const { promise, resolve } = Promise.withResolvers<{ got: Buffer; inRoom: number; longest: number }>()
  const got: Buffer[] = []
  let [size, inRoom, longest] = [0, 0, 0]
  let room: Buffer | undefined
  stream.attach({
    onOpen() {},
    room() {
      room = size < 1_000 ? undefined : Buffer.alloc(10_000)
      return room
    },
    onData(read) {
      got.push(Buffer.from(read))
      size += read.length
      longest = Math.max(longest, read.length)
      if (room !== undefined && read.buffer === room.buffer && read.byteOffset === room.byteOffset)
        inRoom += read.length
      if (size >= bytes.length) resolve({ got: Buffer.concat(got), inRoom, longest })
    },
    onDrain() {},
    onClose() {},
  })
  return promise
}

function writer(stream: Stream): void {
  stream.attach({ onOpen() {}, onData() {}, onDrain() {}, onClose() {} })
  stream.write([bytes.subarray(0, 150_000), bytes.subarray(150_000)])
}

const carriers: [string, () => { carrier: Carrier; address: string }][] = [
  ['tcp', () => ({ carrier: newTcpCarrier({ readBytes: 4_096 }), address: '127.0.0.1:0' })],
  [
    'memory',
    () => ({
      carrier: new MemoryNetwork({ timers: realTimers, sliceBytesMax: 4_096 }).carrier('a'),
      address: 'a:1',
    }),
  ],
]

test.each(carriers)('%s: an accepted stream reads where it is told to', async (_name, make) => {
  const { carrier, address } = make()
  const accepted = Promise.withResolvers<Awaited<ReturnType<typeof reader>>>()
  const listener = await carrier.listen(address, stream => void reader(stream).then(accepted.resolve))
  const dialled = carrier.dial(listener.address)
  const { promise: open, resolve: opened } = Promise.withResolvers<void>()
  dialled.attach({ onOpen: opened, onData() {}, onDrain() {}, onClose() {} })
  await open
  dialled.write([bytes])
  const { got, inRoom } = await accepted.promise
  expect(got.equals(bytes)).toBe(true)
  expect(inRoom).toBeGreaterThan(200_000)
  dialled.destroy()
  await listener.close()
})

test.each(carriers)('%s: a dialled stream reads where it is told to', async (_name, make) => {
  const { carrier, address } = make()
  const listener = await carrier.listen(address, writer)
  const dialled = carrier.dial(listener.address)
  const { got, inRoom } = await reader(dialled)
  expect(got.equals(bytes)).toBe(true)
  expect(inRoom).toBeGreaterThan(200_000)
  dialled.destroy()
  await listener.close()
})

test('no read is longer than the carrier’s read buffer, or the room', async () => {
  const carrier = newTcpCarrier({ readBytes: 4_096 })
  const listener = await carrier.listen('127.0.0.1:0', writer)
  const dialled = carrier.dial(listener.address)
  expect((await reader(dialled)).longest).toBeLessThanOrEqual(10_000)
  dialled.destroy()
  await listener.close()
})

test('a server waits for its accepted streams when it closes', async () => {
  const carrier = newTcpCarrier({ readBytes: 4_096 })
  const { promise, resolve } = Promise.withResolvers<Stream>()
  const listener = await carrier.listen('127.0.0.1:0', stream => {
    writer(stream)
    resolve(stream)
  })
  const dialled = carrier.dial(listener.address)
  await reader(dialled)
  let isClosed = false
  const closed = listener.close().then(() => {
    isClosed = true
  })
  await new Promise(setImmediate)
  expect(isClosed).toBe(false)
  ;(await promise).destroy()
  await closed
})
