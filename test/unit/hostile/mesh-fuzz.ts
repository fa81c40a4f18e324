/**
 * Mutated bytes against one mesh, at each stage of a link's life: before the proof, in its place, and on the live link of a peer that
 * knows the secret, in each form that a live link may have. Beside it stands a healthy peer, which must not notice.
 *
 * After every input: nothing was thrown, the link is gone and was counted once with a reason, and on a live link the mesh took exactly
 * those messages, and ended it exactly then, that the protocol says (reading.ts). Replay: the seed and the number in the error give the
 * input again.
 */
import { getHeapStatistics } from 'node:v8'
import { blockOf } from '../../../transport/block.ts'
import { blocksFeature, featureMask, fragmentsFeature } from '../../../transport/features.ts'
import { Handshake } from '../../../transport/handshake.ts'
import { type CloseReason, Lane, MemoryNetwork, Mesh, Sent, TEST } from '../../../transport/index.ts'
import { headerBytes } from '../../../transport/wire.ts'
import { goldenFrames } from '../transport/golden.ts'
import { ManualClock, seededRandom } from '../transport/manual-clock.ts'
import { expectBalance, greetingOf, Stranger } from '../transport/world.ts'
import { conversation, inBlocks, message } from './conversations.ts'
import { frameMutations } from './frame-mutations.ts'
import { inherited, liveBytes } from './harm.ts'
import { Mutator } from './mutator.ts'
import { type Form, type Heard, Reading } from './reading.ts'

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
  /** Messages put together from fragments, all taken as they were sent, by the form of their link. */
  readonly long: Record<Form, number>
  readonly applied: Record<string, number>
  /** Live bytes at the end, more than at the start. */
  grownBytes: number
}

/** `good` is the live link of an honest peer: nothing is mutated, and everything must arrive. */
type Stage = 'hello' | 'proof' | 'live' | 'good'
const stages: readonly Stage[] = ['hello', 'hello', 'proof', 'live', 'live', 'live', 'live', 'good']
/** What the hostile end says that it can do, and does. */
const featuresOf: Record<Form, number> = {
  whole: 0,
  fragments: featureMask([fragmentsFeature]),
  blocks: featureMask([fragmentsFeature, blocksFeature]),
}
const forms: readonly Form[] = ['whole', 'fragments', 'fragments', 'blocks']
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
    long: { whole: 0, fragments: 0, blocks: 0 },
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
  /** For what comes before a link is live. */
  readonly #corpus: Uint8Array[]
  readonly #log: string[] = []
  readonly #heard: Pick<Heard, 'channel' | 'body'>[] = []
  #victim!: Mesh
  #healthy!: Mesh
  #healthyBodies: string[] = []
  /** Of the input at hand, messages that came in fragments. */
  #longTaken = 0
  #endings = 0
  #rounds = 0
  readonly #startBytes = getHeapStatistics().external_memory
  #vainDials = 0

  private constructor(seed: number) {
    this.#seed = seed
    const golden = Object.values(goldenFrames).map(frame => Buffer.from(frame()))
    const tokens = [...golden.map(frame => frame.subarray(0, headerBytes)), Buffer.alloc(32)]
    this.mutator = new Mutator(seed, tokens, frameMutations)
    this.#corpus = golden
  }

  static async start(seed: number): Promise<Siege> {
    const siege = new Siege(seed)
    siege.#victim = siege.#mesh('v', (from, channel, body) => {
      if (from === 'e') siege.#heard.push({ channel, body })
    })
    siege.#healthy = siege.#mesh('b', (_from, _channel, body) => siege.#healthyBodies.push(body.toString()))
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

  /** One connection: as far as its stage is, then mutated frames, on a live link between two good messages. */
  input(at: number, result: MeshFuzz): void {
    const stage = this.mutator.pick(stages)
    const isLive = stage === 'live' || stage === 'good'
    const form = isLive ? this.mutator.pick(forms) : 'whole'
    const handshake = newHandshake(form)
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
    const bytes = isLive
      ? this.#liveBytes(form, stage === 'live', at)
      : Buffer.concat(this.mutator.mutate([...this.#corpus, hello, ...genuine, ...genuine, ...genuine]))
    this.#heard.length = 0
    const receivedBefore = this.#receivedByLane()
    try {
      if (isLive && !handshakeDone) throw new Error('the handshake is not done')
      this.#write(stranger, bytes)
      this.clock.advance(1)
      const ended = this.#ended()
      if (isLive) this.#judgeLive(new Reading(bytes, form, TEST.frameBytesMax), ended, receivedBefore)
      else
        for (const { body } of this.#heard)
          if (!bytes.includes(body)) throw new Error('a message that was never sent')
      this.#count(isLive ? form : undefined, ended, result)
      this.#checkRest()
      this.#leave(stranger)
    } catch (error) {
      const input = bytes.toString('hex').slice(0, 2_000)
      throw new Error(`seed ${this.#seed}, input ${at} (${stage}, ${form}): ${error}\n${input}`, {
        cause: error,
      })
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

  /** A conversation, spoiled or not, between two good messages. Blocks are spoiled from outside, or what is in them, which a checksum cannot know. */
  #liveBytes(form: Form, isSpoiled: boolean, at: number): Buffer {
    const m = this.mutator
    const frames = conversation(m, form)
    if (m.below(8) === 0 && isSpoiled) frames.splice(m.below(frames.length), 0, m.pick(this.#corpus))
    const isInside = form !== 'blocks' || m.below(2) === 0
    const inside = isSpoiled && isInside ? m.spoil(frames) : frames
    const whole = form === 'blocks' ? inBlocks(m, inside) : inside
    const outside = isSpoiled && !isInside ? m.spoil(whole) : whole
    const [before, after] = [good(`good ${at} before`), good(`good ${at} after`)]
    return Buffer.concat(
      form === 'blocks' ? [blockOf(before), ...outside, blockOf(after)] : [before, ...outside, after],
    )
  }

  /** What was heard, and what became of the link, against what the protocol says. */
  #judgeLive({ heard, end }: Reading, ended: string | undefined, before: readonly number[]): void {
    const lanes = [0, 0, 0]
    for (const [at, { lane, channel, body }] of heard.entries()) {
      lanes[lane]! += 1
      const own = this.#heard[at]
      if (own === undefined) throw new Error(`message ${at} of ${heard.length} was not taken`)
      if (own.channel !== channel || !own.body.equals(body))
        throw new Error(`message ${at} is not what was sent`)
    }
    if (this.#heard.length > heard.length) throw new Error(`a message that was never sent, or not in time`)
    const counted = this.#receivedByLane().map((count, lane) => count - before[lane]!)
    if (counted.join() !== lanes.join()) throw new Error(`counted by lane: ${counted}, sent: ${lanes}`)
    if (
      end === 'open' ? ended !== undefined : ended === undefined || (end === 'bad' && ended !== 'bad-frame')
    )
      throw new Error(`the link: ${ended ?? 'still there'}; it should be ${end}`)
    for (const { isLong } of heard) if (isLong) this.#longTaken++
  }

  #count(form: Form | undefined, ended: CloseReason | undefined, result: MeshFuzz): void {
    if (form !== undefined) {
      result.up++
      result.long[form] += this.#longTaken
    }
    this.#longTaken = 0
    if (ended !== undefined) result.ended[ended] = (result.ended[ended] ?? 0) + 1
    else if (this.#heard.at(-1)?.body.toString().endsWith(' after')) result.survived++
    else result.waiting++
  }

  /** Whatever came, the books are right and memory is bounded. */
  #checkRest(): void {
    for (const peer of this.#victim.peers.values()) expectBalance(peer)
    // Garbage counts until it is collected.
    if (this.#pendingBytes() > pendingBytesMax) liveBytes()
    if (this.#pendingBytes() > pendingBytesMax) throw new Error('an unfinished frame takes too much memory')
  }

  #leave(stranger: Stranger): void {
    stranger.stream.destroy()
    this.clock.settle()
    this.#endings++
    if (this.#strangersEnded() !== this.#endings) throw new Error('a link ended without being counted')
    if (stranger.closed === false || this.#victim.openLinks > 1) throw new Error('a link stays open')
  }

  /** Why the stranger's link has ended, if it has. */
  #ended(): CloseReason | undefined {
    const ended = this.#strangersEnded() - this.#endings
    if (ended > 1) throw new Error(`one link ended ${ended} times`)
    if (ended === 0) return undefined
    return this.#victim.closedLinks.findLast(({ address }) => address !== nowhere)!.reason
  }

  #receivedByLane(): number[] {
    return this.#victim.peer('e')!.ledger.lanes.map(lane => lane.received)
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

  #mesh(node: string, message: (from: string, channel: number, body: Buffer) => void): Mesh {
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
        // What may be kept as it is must stay as it is.
        message: (peer, channel, body, isOwn) =>
          message(
            peer.node,
            channel,
            isOwn ? Buffer.from(body.buffer, body.byteOffset, body.length) : Buffer.from(body),
          ),
      },
    )
  }
}

function newHandshake(form: Form): Handshake {
  const greeting = greetingOf('e', { features: featuresOf[form] })
  return new Handshake({ greeting, secrets: ['secret'] }, 'v', () => undefined)
}

function good(text: string): Buffer {
  return message(2, Lane.ordinary, Buffer.from(text))
}
