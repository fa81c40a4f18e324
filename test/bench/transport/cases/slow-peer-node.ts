/** One process of the slow-peer case: `slow-peer-node.ts source|many|one PORTS`. The first port is the source's. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { type Node, Sent, Server, startNode } from 'wandist'
import { quantile } from '../../bench.ts'
import { callBytes } from '../parameters.ts'
import { load, peers } from './slow-peer.ts'

/** What the source saw in one stretch of time. */
export interface Window {
  /** Of calls to the fifteen, from when each was due, us. */
  readonly p99: number
  /** Calls to the fifteen that got no answer, for whatever reason. */
  readonly callsFailed: number
  /** Of the sixteenth: its queue's most bytes, what they may be, casts refused, and refusals that were counted. */
  readonly queueBytesMax: number
  readonly queueBytesCap: number
  readonly refused: number
  readonly refusedCounted: number
}

type Order = { readonly do: 'load' | 'await'; readonly seconds: number } | { readonly do: 'count' }

const callsPerSecond = 1000
const awaitCallMs = 250

const [role, portList] = process.argv.slice(2) as ['source' | 'many' | 'one', string]
const names = ['source', ...Array.from({ length: peers }, (_, index) => `peer-${index}`)]
const sixteenth = names.at(-1)!
const nodes = Object.fromEntries(
  portList
    .split(',')
    .map((port, index) => [names[index]!, { mesh: `127.0.0.1:${port}`, cluster: names[index]! }]),
)
// The source links with everybody, the others with nobody else.
const config = { id: 'bench', nodes, talk: names.slice(1).map(name => ['source', name] as [string, string]) }
let count = 0

class Receiver extends Server<Uint8Array, Uint8Array> {
  override handleCast() {
    count += 1
  }
  override handleCall(message: Uint8Array) {
    return message
  }
}

const own = { source: ['source'], many: names.slice(1, -1), one: [sixteenth] }[role]
const started = await Promise.all(own.map(start))
const [node] = started as [Node]
if (role === 'source') for (const name of names.slice(1)) await node.awaitMember(name, { timeoutMs: 30_000 })
process.on('message', async (order: Order) => process.send!(await obey(order)))
process.on('disconnect', () => process.exit())
process.send!('ready')

async function start(name: string): Promise<Node> {
  const one = await startNode({ name, config, secret: 'bench', logLevel: 'silent' })
  if (name !== 'source') one.spawn(new Receiver(), { groups: [name] })
  return one
}

async function obey(order: Order): Promise<object | number> {
  if (order.do === 'count') return { count, nowMs: performance.now() }
  return order.do === 'load' ? underLoad(order.seconds) : untilAnswered(order.seconds)
}

/** Casts to all sixteen at the declared rate, and calls one of the fifteen after the other. */
async function underLoad(seconds: number): Promise<Window> {
  const message = new Uint8Array(load.bytes).fill(97)
  const small = new Uint8Array(callBytes).fill(97)
  const targets = names.slice(1).map(group => ({ group }))
  const peer = node.mesh.peer(sixteenth)!
  const refusedBefore = refusedCounted()
  const times: number[] = []
  const calls: Promise<unknown>[] = []
  let [refused, queueBytesMax, sent, called, callsFailed] = [0, 0, 0, 0, 0]
  const startMs = performance.now()
  for (let elapsed = 0; elapsed < seconds; elapsed = (performance.now() - startMs) / 1000) {
    for (; sent < elapsed * load.rate; sent++)
      for (const target of targets)
        if (node.cast(target, message) !== Sent.ok && target.group === sixteenth) refused += 1
    for (; called < elapsed * callsPerSecond; called++) {
      const dueMs = startMs + (called / callsPerSecond) * 1000
      const call = node.call(targets[called % (peers - 1)]!, small)
      const took = () => times.push(performance.now() - dueMs)
      calls.push(call.then(took, () => (callsFailed += 1)))
    }
    queueBytesMax = Math.max(queueBytesMax, peer.queueBytes)
    await nextTurn()
  }
  await Promise.all(calls)
  return {
    p99: quantile(Float64Array.from(times).sort(), 0.99) * 1000,
    callsFailed,
    queueBytesMax,
    queueBytesCap: peer.queueBytesMax,
    refused,
    refusedCounted: refusedCounted() - refusedBefore,
  }
}

/** Refusals as the router counted them; the other fifteen refuse nothing. */
function refusedCounted(): number {
  const { nosuspend, noconnect } = node.router.counts
  return nosuspend + noconnect
}

/** Milliseconds until the sixteenth answers. */
async function untilAnswered(seconds: number): Promise<number> {
  const startMs = performance.now()
  while (performance.now() < startMs + seconds * 1000) {
    try {
      await node.call({ group: sixteenth }, 'there?', { timeoutMs: awaitCallMs })
      return performance.now() - startMs
    } catch {
      await sleep(10)
    }
  }
  throw new Error(`slow-peer: the one that was stopped does not answer after ${seconds} s`)
}
