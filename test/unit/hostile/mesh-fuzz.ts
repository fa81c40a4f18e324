/**
 * Mutated bytes against one mesh, at each stage of a link's life: before the proof, in its place, and on the live link of a peer that
 * knows the secret. Beside it stands a healthy peer, which must not notice.
 *
 * After every input: nothing was thrown, the link is gone and was counted once with a reason, and what the mesh took for a message
 * stood, byte for byte, in what was sent. Replay: the seed and the number in the error give the input again.
 */
import { getHeapStatistics } from 'node:v8'
import { Handshake } from '../../../transport/handshake.ts'
import { type CloseReason, Lane, MemoryNetwork, Mesh, Sent, TEST } from '../../../transport/index.ts'
import { headerBytes } from '../../../transport/wire.ts'
import { goldenFrames, messageFrame } from '../transport/golden.ts'
import { ManualClock, seededRandom } from '../transport/manual-clock.ts'
import { expectBalance, greetingOf, Stranger } from '../transport/world.ts'
import { inherited, liveBytes } from './harm.ts'
import { Mutator } from './mutator.ts'

/** What became of the inputs. */
export interface MeshFuzz {
  readonly inputs: number
  /** Links that came up before their input. */
  up: number
  /** Ended by the mesh, by reason. */
  readonly ended: Partial<Record<CloseReason, number>>
  /** Took the input, and the good message behind it. */
  survived: number
  /** Still waits for the rest of a frame. */
  waiting: number
  readonly applied: Record<string, number>
  /** Live bytes at the end, more than at the start. */
  grownBytes: number
}

/** `good` is the live link of an honest peer: nothing is mutated, and everything must arrive. */
type Stage = 'hello' | 'proof' | 'live' | 'good'
const stages: readonly Stage[] = ['hello', 'hello', 'proof', 'live', 'live', 'live', 'live', 'good']
/** Far above what one unfinished frame may take, far below what four bytes of length can ask for. */
const pendingBytesMax = 16 * 1024 * 1024
const checkEvery = 1_000
const nowhere = 'nowhere:1'

/** Lets `count` inputs loose on a mesh. @throws Error that names the seed and the input, when one of them does harm */
export async function fuzzMesh(
  seed: number,
  count: number,
  progress: (at: number) => void = () => {},
): Promise<MeshFuzz> {
  const siege = await Siege.start(seed)
  const result: MeshFuzz = {
    inputs: count,
    up: 0,
    ended: {},
    survived: 0,
    waiting: 0,
    applied: siege.mutator.applied,
    grownBytes: 0,
  }
  const before = inherited()
  let startBytes = 0
  for (let at = 0; at < count; at++) {
    // Once everything has run: what is compiled and cached then is no leak.
    if (at === Math.min(checkEvery, count - 1)) startBytes = liveBytes()
    siege.input(at, result)
    if (at % checkEvery !== 0) continue
    siege.checkHealthy()
    progress(at)
  }
  siege.checkHealthy()
  result.grownBytes = liveBytes() - startBytes
  if (inherited() !== before) throw new Error('what all objects inherit has changed')
  await siege.stop()
  return result
}

class Siege {
  readonly mutator: Mutator
  readonly clock = new ManualClock()
  readonly network = new MemoryNetwork({ timers: this.clock })
  readonly #seed: number
  readonly #corpus: Record<Stage, Uint8Array[]>
  readonly #log: string[] = []
  readonly #bodies: Buffer[] = []
  #victim!: Mesh
  #healthy!: Mesh
  #healthyBodies: string[] = []
  #endings = 0
  #rounds = 0
  readonly #startBytes = getHeapStatistics().external_memory
  #vainDials = 0

  private constructor(seed: number) {
    this.#seed = seed
    const golden = Object.values(goldenFrames).map(frame => Buffer.from(frame()))
    this.mutator = new Mutator(seed, [
      ...golden.map(frame => frame.subarray(0, headerBytes)),
      Buffer.alloc(32),
    ])
    const live = [
      messageFrame(2, Lane.ordinary, Buffer.from('an ordinary message')),
      messageFrame(1, Lane.control, Buffer.alloc(0)),
      messageFrame(2, Lane.bulk, Buffer.alloc(3_000, 'bulk ')),
    ]
    // A ping and a goodbye that can be: this end has received nothing.
    const zeroed = ['ping', 'pong', 'goodbye'].map(name => {
      const frame = Buffer.from(goldenFrames[name]!())
      return frame.fill(0, name === 'goodbye' ? 8 : 16, name === 'goodbye' ? 32 : 40)
    })
    this.#corpus = {
      hello: [...golden, Buffer.from(newHandshake().hello())],
      proof: golden,
      live: [...live, ...live, ...zeroed, ...golden],
      good: [...live, ...zeroed.slice(0, 2)],
    }
  }

  static async start(seed: number): Promise<Siege> {
    const siege = new Siege(seed)
    siege.#victim = siege.#mesh('v', (from, body) => {
      if (from === 'e') siege.#bodies.push(body)
    })
    siege.#healthy = siege.#mesh('b', (_from, body) => siege.#healthyBodies.push(body.toString()))
    await Promise.all([siege.#victim.start(), siege.#healthy.start()])
    siege.#victim.configure([
      { node: 'b', address: 'b:1' },
      { node: 'e', address: nowhere },
    ])
    siege.#healthy.configure([{ node: 'v', address: 'v:1' }])
    siege.clock.until(() => siege.#victim.peer('b')!.linked && siege.#healthy.peer('v')!.linked)
    siege.#endings = siege.#strangersEnded()
    return siege
  }

  /** One connection: as far as its stage is, then mutated frames between two good messages. */
  input(at: number, result: MeshFuzz): void {
    const stage = this.mutator.pick(stages)
    const corpus = this.#corpus[stage]
    const handshake = newHandshake()
    const stranger = new Stranger(this.network.carrier('e').dial('v:1'))
    const genuine: Uint8Array[] = []
    stranger.hears = (kind, body) => {
      if (handshakeDone || stage === 'hello') return
      const step = handshake.receive(kind, body)
      if (step.do === 'open') handshakeDone = true
      if (step.do !== 'send') return
      if (stage === 'proof') genuine.push(step.frame)
      else stranger.stream.write([step.frame])
    }
    let handshakeDone = false
    const hello = handshake.hello()
    this.clock.settle()
    if (stage !== 'hello') stranger.stream.write([hello])
    this.clock.settle()
    const frames =
      stage === 'good'
        ? Array.from({ length: 4 }, () => this.mutator.pick(corpus))
        : this.mutator.mutate([...corpus, ...genuine, ...genuine, ...genuine])
    const first = `good ${at} before`
    const last = `good ${at} after`
    const sent = Buffer.concat([good(first), ...frames, good(last)])
    const bytes = stage === 'live' || stage === 'good' ? sent : Buffer.concat(frames)
    this.#bodies.length = 0
    try {
      if (bytes === sent && !handshakeDone) throw new Error('the handshake is not done')
      this.#write(stranger, bytes)
      this.clock.advance(1)
      this.#judge(stage, stranger, bytes, first, last, result)
    } catch (error) {
      const input = bytes.toString('hex').slice(0, 2_000)
      throw new Error(`seed ${this.#seed}, input ${at} (${stage}): ${error}\n${input}`, { cause: error })
    }
  }

  /** The healthy peer has its link still, and messages pass both ways. */
  checkHealthy(): void {
    this.#rounds++
    const texts = Array.from({ length: 50 }, (_, at) => `round ${this.#rounds}, message ${at}`)
    this.#healthyBodies = []
    for (const text of texts) {
      const sent = this.#victim.peer('b')!.send(2, Lane.ordinary, Buffer.from(text), undefined)
      if (sent !== Sent.ok) throw new Error(`the healthy peer: ${sent}`)
    }
    this.clock.settle()
    if (this.#healthyBodies.join() !== texts.join()) throw new Error('the healthy peer lost messages')
    if (this.#log.toSorted().join() !== 'up b,up v') throw new Error(`the healthy peer noticed: ${this.#log}`)
  }

  async stop(): Promise<void> {
    const stopped = Promise.all([this.#victim.stop(), this.#healthy.stop()])
    for (let turns = 0; turns < 20; turns++) {
      await Promise.resolve()
      this.clock.advance(50)
    }
    await stopped
    if (this.network.openStreams > 0 || this.clock.pendingTimers > 0)
      throw new Error('something stays behind')
  }

  #judge(
    stage: Stage,
    stranger: Stranger,
    sent: Buffer,
    first: string,
    last: string,
    result: MeshFuzz,
  ): void {
    const bodies = this.#bodies
    for (const body of bodies)
      if (!sent.includes(body)) throw new Error(`a message that was never sent: ${body.toString('hex')}`)
    if (stage === 'live' || stage === 'good') {
      result.up++
      if (bodies[0]?.toString() !== first)
        throw new Error(`the good message before is not the first: ${bodies[0]}`)
    }
    const tookLast = bodies.at(-1)?.toString() === last
    if (stage === 'good' && !tookLast) throw new Error('good frames were not taken')
    for (const peer of this.#victim.peers.values()) expectBalance(peer)
    // Garbage counts until it is collected.
    if (this.#pendingBytes() > pendingBytesMax) liveBytes()
    if (this.#pendingBytes() > pendingBytesMax) throw new Error('an unfinished frame takes too much memory')
    const reasons = this.#victim.closedLinks.at(-1)
    const ended = this.#strangersEnded() - this.#endings
    if (ended > 1) throw new Error(`one link ended ${ended} times`)
    if (ended === 1) {
      if (tookLast) throw new Error('a message came out of a link that had ended')
      result.ended[reasons!.reason] = (result.ended[reasons!.reason] ?? 0) + 1
    } else if (tookLast) result.survived++
    else result.waiting++
    stranger.stream.destroy()
    this.clock.settle()
    this.#endings++
    if (this.#strangersEnded() !== this.#endings) throw new Error('a link ended without being counted')
    if (stranger.closed === false || this.#victim.openLinks > 1) throw new Error('a link stays open')
  }

  /** Keeps what happened to the healthy peer's link; the evil one's comes and goes a million times. */
  #tell(event: string): void {
    if (!event.endsWith(' e')) this.#log.push(event)
  }

  /** Bytes in buffers, beyond those at the start. */
  #pendingBytes(): number {
    return getHeapStatistics().external_memory - this.#startBytes
  }

  /** Accepted links that ended: all, but for the victim's own dials to nowhere. */
  #strangersEnded(): number {
    let count = -this.#vainDials
    for (const times of this.#victim.closedCounts.values()) count += times
    return count
  }

  /** In one to four reads. */
  #write(stranger: Stranger, bytes: Buffer): void {
    let at = 0
    for (let parts = this.mutator.below(4); parts > 0; parts--) {
      const to = at + this.mutator.below(bytes.length - at)
      stranger.stream.write([bytes.subarray(at, to)])
      at = to
    }
    stranger.stream.write([bytes.subarray(at)])
  }

  #mesh(node: string, message: (from: string, body: Buffer) => void): Mesh {
    const carrier = this.network.carrier(node)
    const dial = (address: string) => {
      if (address === nowhere) this.#vainDials++
      return carrier.dial(address)
    }
    const ports = {
      clock: this.clock,
      timers: this.clock,
      random: seededRandom(this.#seed),
      carrier: { ...carrier, dial },
    }
    return new Mesh(
      { clusterId: 'test', node, creation: 1, version: '1' },
      { ...TEST, listen: `${node}:1`, secrets: ['secret'] },
      ports,
      {
        up: peer => this.#tell(`up ${peer.node}`),
        down: peer => this.#tell(`down ${peer.node}`),
        message: (peer, _channel, body) => message(peer.node, Buffer.from(body)),
      },
    )
  }
}

function newHandshake(): Handshake {
  return new Handshake({ greeting: greetingOf('e'), secrets: ['secret'] }, 'v', () => undefined)
}

function good(text: string): Buffer {
  return messageFrame(2, Lane.ordinary, Buffer.from(text))
}
