/** The state of a world for people: one status row (ops/row.ts) for each node that lives. */
import { printRow, printRowHeader, type Row, rowOf } from '../../ops/row.ts'
import type { LinkTotals, Sample } from '../../ops/sample.ts'
import type { Peer } from '../../transport/index.ts'
import { clusterOf } from './script.ts'
import type { SimNode } from './world/node.ts'
import type { World } from './world/world.ts'

/** Prints rows, each for the time since the one before. */
export class Status {
  readonly #last = new Map<string, Sample>()
  readonly #print: (line: string) => void
  #rows = 0

  constructor(print: (line: string) => void) {
    this.#print = print
  }

  /** One row for each node. */
  rows(world: World): void {
    const seconds = `${(world.nowMs / 1_000).toFixed(0)}s${world.nowMs > world.healedAtMs ? '*' : ''}`
    if (this.#rows++ % 10 === 0)
      for (const line of printRowHeader('*: healed', 'time and node')) this.#print(line)
    for (const name of world.script.nodes) {
      const node = world.nodes.get(name)
      this.#print(
        node === undefined ? `${`${seconds} ${name}`.padEnd(14)} | down` : this.#row(world, node, seconds),
      )
    }
  }

  #row(world: World, node: SimNode, seconds: string): string {
    const sample = sampleOf(world, node)
    const row: Row = rowOf(this.#last.get(node.name), sample)
    this.#last.set(node.name, sample)
    return printRow(row, `${seconds} ${node.name}`)
  }
}

function sampleOf(world: World, node: SimNode): Sample {
  const stats = node.wires.runtime.stats()
  const peers = [...node.wires.mesh.peers.values()]
  const cluster = clusterOf(world.script, node.name)
  const isOwn = (peer: Peer) => clusterOf(world.script, peer.node) === cluster
  return {
    node: node.name,
    creation: node.creation,
    wallMs: node.machine.clock.wallMs(),
    uptimeMs: world.nowMs - node.startedAtMs,
    queueLength: stats.queueLength,
    queueLengthMax: stats.queueLengthMax,
    queuesNotEmpty: stats.queuesNotEmpty,
    handled: stats.handled,
    own: totalsOf(peers.filter(isOwn)),
    wan: totalsOf(peers.filter(peer => !isOwn(peer))),
    dropped: sum(
      peers,
      lane => lane.lost + lane.shed + lane.expired + lane.refusedNosuspend + lane.refusedNoconnect,
    ),
    // A virtual loop is never busy and never late.
    loop: { activeMs: 0, idleMs: 0, delayCounts: [], delayMs: 0, gcRuns: 0 },
    residentBytes: 0,
    connections: 0,
  }
}

function totalsOf(peers: readonly Peer[]): LinkTotals {
  return {
    nodes: peers.filter(peer => peer.linked).length,
    received: sum(peers, lane => lane.received),
    written: sum(peers, lane => lane.written),
    queueBytes: peers.reduce((bytes, peer) => bytes + peer.queueBytes, 0),
  }
}

function sum(peers: readonly Peer[], count: (lane: Peer['ledger']['lanes'][number]) => number): number {
  let total = 0
  for (const { ledger } of peers) for (const lane of ledger.lanes) total += count(lane)
  return total
}
