/**
 * A node of the storm, in a process of its own: `storm-node.ts NAME CONFIG`; it does what its parent orders, one thing at a time.
 *
 * Its streams pass through a cable that it can pull: all of them end at once, and none comes about until it is in again.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Node, type Process, Server, startNode } from '../../node/index.ts'
import { type Carrier, realPorts, type Stream, tcpCarrier } from '../../transport/index.ts'

export type Order =
  /** Starts processes, each in a group of its own and one that all nodes share. */
  | { readonly do: 'fill'; readonly count: number }
  /** Pulls the cable so many times, for `downMs`, and leaves it in for `upMs`. */
  | { readonly do: 'flap'; readonly times: number; readonly downMs: number; readonly upMs: number }
  /** Processes leave their groups and others join, in so many turns of the loop. */
  | { readonly do: 'change'; readonly turns: number; readonly everyMs: number }
  /** Asks a node again and again for `ms`. */
  | { readonly do: 'ask'; readonly node: string; readonly ms: number }
  | { readonly do: 'look' }

/** What a node sees, and what has happened to it since its start. */
export interface Look {
  /** Of all groups with their members. */
  readonly view: string
  /** Memberships in it. */
  readonly memberships: number
  /** Registry frames sent. */
  readonly frames: number
  /** Frames that were refused, wrong, or needed a repair. */
  readonly troubles: number
  /** Peers whose link was lost while they had members, and those that were given up. */
  readonly suspected: number
  readonly forgotten: number
  /** Whole tables that had to be sent. */
  readonly syncs: number
  readonly linked: readonly string[]
  /** Links that have ended, by peer. */
  readonly ended: Readonly<Record<string, number>>
  /** Members that left, as a monitor of all groups was told. */
  readonly left: number
}

/** Answers that came, and how long the slowest took. */
export interface Asked {
  readonly answers: number
  readonly failures: number
  readonly slowestMs: number
}

class Echo extends Server {
  override handleCall(message: unknown): unknown {
    return message
  }
}

class Waiting extends Server {}

/** All streams of a node, which end when it is pulled. */
class Cable {
  readonly #streams = new Set<Stream>()
  #isOut = false

  readonly carrier: Carrier = {
    listen: (address, accept) =>
      tcpCarrier.listen(address, stream => {
        if (this.#isOut) stream.destroy()
        this.#streams.add(stream)
        accept(stream)
      }),
    dial: address => {
      const stream = tcpCarrier.dial(this.#isOut ? '127.0.0.1:1' : address)
      this.#streams.add(stream)
      return stream
    },
  }

  pull(): void {
    this.#isOut = true
    for (const stream of this.#streams) stream.destroy()
    this.#streams.clear()
  }

  plugIn(): void {
    this.#isOut = false
  }
}

const sharedGroups = 100
const [name, config] = process.argv.slice(2) as [string, string]
const cable = new Cable()
const node: Node = await startNode({
  name,
  config: JSON.parse(config),
  secret: 'storm',
  logLevel: 'silent',
  ports: { ...realPorts, carrier: cable.carrier },
})
node.spawn(new Echo(), { groups: [`echo-${name}`] })
const members: Process[] = []
let joined = 0
let left = 0
node.registry.monitor(undefined, ({ kind, pids }) => {
  if (kind === 'leave') left += pids.length
})

process.on('message', async (order: Order) => process.send!(await obey(order)))
process.on('disconnect', () => process.exit())
process.send!('ready')

async function obey(order: Order): Promise<object> {
  switch (order.do) {
    case 'fill':
      for (let count = 0; count < order.count; count++) join()
      return {}
    case 'flap':
      for (let time = 0; time < order.times; time++) {
        cable.pull()
        await sleep(order.downMs)
        cable.plugIn()
        await sleep(order.upMs)
      }
      return {}
    case 'change':
      for (let turn = 0; turn < order.turns; turn++) {
        members.shift()?.exit('normal')
        join()
        await sleep(order.everyMs)
      }
      return {}
    case 'ask':
      return await ask(order.node, order.ms)
    case 'look':
      return look()
  }
}

function join(): void {
  joined += 1
  const groups = [`${name}-${joined}`, `shared-${joined % sharedGroups}`]
  members.push(node.runtime.spawn(new Waiting(), { groups }))
}

async function ask(other: string, ms: number): Promise<Asked> {
  let [answers, failures, slowestMs] = [0, 0, 0]
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    const startMs = performance.now()
    await node.call({ group: `echo-${other}` }, 'there?').then(
      () => answers++,
      () => failures++,
    )
    slowestMs = Math.max(slowestMs, performance.now() - startMs)
    await sleep(10)
  }
  return { answers, failures, slowestMs }
}

function look(): Look {
  const { registry, mesh } = node
  const hash = createHash('sha1')
  let memberships = 0
  for (const group of registry.whichGroups().sort()) {
    const pids = registry.members(group).map(String).sort()
    memberships += pids.length
    hash.update(`${group}: ${pids.join(' ')}\n`)
  }
  const { counts } = registry
  const ended: Record<string, number> = {}
  for (const { node: peer, times } of mesh.closedLinks) ended[peer] = (ended[peer] ?? 0) + times
  return {
    view: hash.digest('hex'),
    memberships,
    frames: counts.sent,
    troubles: counts.refused + counts.bad + counts.unknownKind + counts.damaged + counts.differences,
    suspected: counts.suspected,
    forgotten: counts.forgotten,
    syncs: counts.syncs,
    linked: [...mesh.peers.values()].filter(peer => peer.linked).map(peer => peer.node),
    ended,
    left,
  }
}
