/**
 * One process of our side: a mesh and nothing above it. Takes orders from its parent, one at a time.
 *
 * Channel 1 is counted by the sink, channel 2 goes back to its sender, channel 3 asks the sink for its count.
 */
import {
  LAN,
  Lane,
  Mesh,
  newCreation,
  type Peer,
  realClock,
  realPorts,
  Sent,
} from '../../../transport/index.ts'

export interface Order {
  readonly do: 'listen' | 'send' | 'echo'
  readonly as?: 'sink' | 'source'
  readonly sinkPort?: number
  readonly bytes?: number
  readonly seconds?: number
  readonly warmUpSeconds?: number
}

export interface Report {
  readonly port: number
  readonly perSecond: number
  readonly microseconds: number
}

const nothing = { port: 0, perSecond: 0, microseconds: 0 }
const header = new Uint8Array(28)
let mesh: Mesh
let received = 0
let onUp: (peer: Peer) => void = () => {}
let onAnswer: (body: Uint8Array) => void = () => {}

process.on('message', async (order: Order) => {
  if (order.do === 'listen') process.send!({ ...nothing, port: await listen(order) })
  if (order.do === 'send') process.send!({ ...nothing, perSecond: await send(order) })
  if (order.do === 'echo') process.send!({ ...nothing, microseconds: await echo(order) })
})

async function listen({ as, sinkPort }: Order): Promise<number> {
  mesh = new Mesh(
    { clusterId: 'bench', node: as!, creation: newCreation(realClock), version: '0' },
    { ...LAN, listen: '127.0.0.1:0', secrets: ['bench'] },
    realPorts,
    {
      up: peer => onUp(peer),
      down: () => {},
      message: (peer, channel, body) => {
        if (channel === 1) received += 1
        else if (as === 'source') onAnswer(body)
        else if (channel === 2) peer.send(2, Lane.ordinary, header, body.slice(header.length))
        else peer.send(3, Lane.ordinary, header, Buffer.from(String(received)))
      },
    },
  )
  await mesh.start()
  if (as === 'sink') {
    mesh.configure([{ node: 'source', address: '127.0.0.1:1' }])
    return Number(mesh.address.split(':').at(-1))
  }
  const up = new Promise<Peer>(resolve => {
    onUp = resolve
  })
  mesh.configure([{ node: 'sink', address: `127.0.0.1:${sinkPort}` }])
  await up
  return 0
}

/** Sends for the time given; what the sink counted in that time, per second. */
async function send({ bytes, seconds, warmUpSeconds }: Order): Promise<number> {
  const payload = new Uint8Array(bytes!)
  await blast(payload, warmUpSeconds!)
  const [startCount, startMs] = [await askCount(), performance.now()]
  await blast(payload, seconds!)
  const [endCount, endMs] = [await askCount(), performance.now()]
  return ((endCount - startCount) / (endMs - startMs)) * 1000
}

function blast(payload: Uint8Array, seconds: number): Promise<void> {
  const peer = mesh.peer('sink')!
  const endMs = performance.now() + seconds * 1000
  return new Promise(resolve => {
    const turn = () => {
      for (let i = 0; i < 2000; i++) if (peer.send(1, Lane.ordinary, header, payload) !== Sent.ok) break
      if (performance.now() < endMs) setImmediate(turn)
      else resolve()
    }
    turn()
  })
}

/** The sink's count, once all that was sent before has arrived: frames of one lane stay in order. */
async function askCount(): Promise<number> {
  const answer = new Promise<number>(resolve => {
    onAnswer = body => resolve(Number(Buffer.from(body.subarray(header.length)).toString()))
  })
  while (mesh.peer('sink')!.send(3, Lane.ordinary, header, undefined) !== Sent.ok) {
    await new Promise(resolve => setImmediate(resolve))
  }
  return answer
}

/** One message at a time, there and back; the median in microseconds. */
function echo({ bytes, seconds, warmUpSeconds }: Order): Promise<number> {
  const peer = mesh.peer('sink')!
  const payload = new Uint8Array(bytes!)
  const startMs = performance.now() + warmUpSeconds! * 1000
  const endMs = startMs + seconds! * 1000
  const times: number[] = []
  return new Promise(resolve => {
    let sentMs = performance.now()
    onAnswer = () => {
      const nowMs = performance.now()
      if (nowMs > startMs) times.push(nowMs - sentMs)
      if (nowMs > endMs) return resolve(times.sort((a, b) => a - b)[times.length >> 1]! * 1000)
      sentMs = nowMs
      peer.send(2, Lane.ordinary, header, payload)
    }
    peer.send(2, Lane.ordinary, header, payload)
  })
}
