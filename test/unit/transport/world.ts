/** A few meshes on one memory network and one manual clock, with a log of what each was told. */
import { expect } from 'vitest'
import { type Greeting, handshakeFrameBytesMax } from '../../../transport/greeting.ts'
import { protocolMax, protocolMin } from '../../../transport/handshake.ts'
import {
  type Carrier,
  type CloseReason,
  Lane,
  MemoryNetwork,
  Mesh,
  type MeshOptions,
  type Peer,
  type Ports,
  type Stream,
  type StreamHandler,
  TEST,
} from '../../../transport/index.ts'
import { Splitter } from '../../../transport/splitter.ts'
import { ManualClock, seededRandom } from './manual-clock.ts'

export interface WorldOptions {
  readonly seed?: number
  readonly latencyMs?: number
  readonly sliceBytesMax?: number
}

/** One mesh and what it was told, in order: 'up b', 'down b goodbye', 'refused b duplicate-name'. */
export interface TestNode {
  readonly name: string
  readonly mesh: Mesh
  readonly log: string[]
  readonly details: string[]
  readonly received: { from: string; channel: number; text: string }[]
  readonly drained: string[]
  readonly alarms: string[]
}

export class World {
  readonly clock = new ManualClock()
  readonly network: MemoryNetwork
  readonly nodes = new Map<string, TestNode>()
  #seed: number

  constructor(options: WorldOptions = {}) {
    this.#seed = options.seed ?? 1
    this.network = new MemoryNetwork({ ...options, timers: this.clock })
  }

  /** A mesh that is started and configured for nobody yet. `host` differs from `name` when two processes claim one name. */
  async node(
    name: string,
    options: Partial<MeshOptions> = {},
    identity: { clusterId?: string; creation?: number; host?: string; carrier?: Carrier } = {},
  ): Promise<TestNode> {
    const host = identity.host ?? name
    const log: string[] = []
    const details: string[] = []
    const received: TestNode['received'] = []
    const drained: string[] = []
    const alarms: string[] = []
    const ports: Ports = {
      clock: this.clock,
      timers: this.clock,
      random: seededRandom(this.#seed++),
      carrier: identity.carrier ?? this.network.carrier(host),
    }
    const mesh = new Mesh(
      {
        clusterId: identity.clusterId ?? 'test',
        node: name,
        creation: identity.creation ?? 1,
        version: '1.2.3',
      },
      { ...TEST, listen: `${host}:1`, secrets: ['secret'], ...options },
      ports,
      {
        up: peer => log.push(`up ${peer.node}`),
        down: (peer, reason) => log.push(`down ${peer.node} ${reason}`),
        message: (peer, channel, body) =>
          received.push({ from: peer.node, channel, text: Buffer.from(body.subarray(0, 100)).toString() }),
        drained: peer => drained.push(peer.node),
        alarm: (peer, detail) => alarms.push(`${peer.node} ${detail}`),
        refused: (node, reason, detail) => {
          log.push(`refused ${node} ${reason}`)
          details.push(detail)
        },
      },
    )
    const node = { name, mesh, log, details, received, drained, alarms }
    await mesh.start()
    this.nodes.set(host, node)
    return node
  }

  /** Two nodes that know each other, and are linked. */
  async pair(options: Partial<MeshOptions> = {}): Promise<[TestNode, TestNode]> {
    const pair: [TestNode, TestNode] = [await this.node('a', options), await this.node('b', options)]
    this.introduce(...pair)
    this.clock.until(() => linked(...pair))
    return pair
  }

  introduce(...nodes: TestNode[]): void {
    const addresses = nodes.map(({ name }) => ({ node: name, address: `${name}:1` }))
    for (const { mesh } of nodes) mesh.configure(addresses)
  }

  /** Ends every mesh, and checks that nothing stays behind. */
  async end(): Promise<void> {
    const stopped = [...this.nodes.values()].map(({ mesh }) => mesh.stop())
    for (let turns = 0; turns < 20; turns++) {
      await Promise.resolve()
      this.clock.advance(50)
    }
    await Promise.all(stopped)
    expect(this.clock.pendingTimers).toBe(0)
    expect(this.network.openStreams).toBe(0)
    expect(this.network.listening).toEqual([])
  }
}

export function linked(one: TestNode, other: TestNode): boolean {
  return one.mesh.peer(other.name)!.linked && other.mesh.peer(one.name)!.linked
}

export function send(node: TestNode, target: string, text: string, lane: Lane = Lane.ordinary): number {
  return node.mesh.peer(target)!.send(2, lane, Buffer.from(text), undefined)
}

/** The closed links of a node as 'node reason', oldest first. */
export function closings(node: TestNode): string[] {
  return node.mesh.closedLinks.map(({ node, reason }) => `${node} ${reason}`)
}

export function closedFor(node: TestNode, reason: CloseReason): number {
  return node.mesh.closedCounts.get(reason)!
}

/** accepted = delivered + expired + shed + lost + in flight, for one peer, by lane and in sum. Asserts only what is wrong: it runs a hundred thousand times. */
export function expectBalance(peer: Peer): void {
  let accepted = 0
  let settled = 0
  for (const [at, lane] of peer.ledger.lanes.entries()) {
    const { delivered, expired, shed, lost } = lane
    const laneSettled = delivered + expired + shed + lost
    const inFlight = peer.inFlightFramesOf(at as Lane)
    accepted += lane.accepted
    settled += laneSettled
    if (inFlight < 0 || lane.accepted !== laneSettled + inFlight)
      expect({ ...lane, inFlight }, `balance of ${peer.node}, lane ${at}`).toBe(undefined)
  }
  if (accepted !== settled + peer.inFlightFrames)
    expect({ accepted, settled, inFlight: peer.inFlightFrames }, `balance of ${peer.node}`).toBe(undefined)
}

/** Somebody at the other end of a stream who is no mesh: sends what the test likes, and keeps what comes. */
export class Stranger implements StreamHandler {
  readonly frames: { kind: number; body: Uint8Array }[] = []
  readonly stream: Stream
  closed: string | undefined | false = false
  /** Called for every frame that comes. */
  hears: (kind: number, body: Uint8Array) => void = () => {}
  readonly #splitter = new Splitter(
    {
      frame: (kind, _lane, _channel, body) => {
        this.frames.push({ kind, body: body.slice() })
        this.hears(kind, body)
      },
    },
    handshakeFrameBytesMax,
  )
  #first: Uint8Array | undefined

  /** @param first sent as soon as the stream is open */
  constructor(stream: Stream, first?: Uint8Array) {
    this.stream = stream
    this.#first = first
    stream.attach(this)
  }

  onOpen(): void {
    if (this.#first !== undefined) this.stream.write([this.#first])
  }

  onData(bytes: Uint8Array): void {
    this.#splitter.push(bytes)
  }

  onDrain(): void {}

  onClose(error: string | undefined): void {
    this.closed = error
  }
}

/** What a well-behaved stranger says of itself; tests bend it. */
export function greetingOf(node: string, bent: Partial<Greeting> = {}): Greeting {
  return {
    protocolMin,
    protocolMax,
    features: 0,
    featuresRequired: 0,
    frameBytesMax: 65_536,
    creation: 7,
    nonce: new Uint8Array(32).fill(5),
    clusterId: 'test',
    node,
    target: 'a',
    version: '9.9.9',
    ...bent,
  }
}

/** The carrier, with every write of its dialled and accepted streams noted. */
export function watched(carrier: Carrier, writes: Uint8Array[][]): Carrier {
  const watch = (stream: Stream): Stream => ({
    remoteAddress: stream.remoteAddress,
    attach: handler => stream.attach(handler),
    write: chunks => {
      writes.push([...chunks])
      return stream.write(chunks)
    },
    end: () => stream.end(),
    destroy: () => stream.destroy(),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  })
  return {
    listen: (address, accept) => carrier.listen(address, stream => accept(watch(stream))),
    dial: address => watch(carrier.dial(address)),
  }
}
