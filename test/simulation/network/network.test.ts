/** The simulated network does to bytes what TCP may do, and nothing else. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Stream } from '../../../transport/index.ts'
import { EventHash } from '../world/event-hash.ts'
import { Loop } from '../world/loop.ts'
import { Machine } from '../world/machine.ts'
import { Network } from './network.ts'
import { calm, type Weather } from './path.ts'

/** One end of a stream, as its owner hears it. */
class Ear {
  text = ''
  opened = 0
  drains = 0
  closed: string[] = []
  stream!: Stream

  hang(stream: Stream): this {
    this.stream = stream
    stream.attach({
      onOpen: () => this.opened++,
      onData: bytes => {
        this.text += Buffer.from(bytes).toString('latin1')
      },
      onDrain: () => this.drains++,
      onClose: error => this.closed.push(error ?? 'end'),
    })
    return this
  }

  say(text: string): boolean {
    return this.stream.write([Buffer.from(text)])
  }
}

let loop: Loop
let network: Network
let one: Machine
let two: Machine
let accepted: Ear[]
const address = Network.address('two')

async function world(weather: Partial<Weather> = {}, seed = 1): Promise<void> {
  loop = new Loop(new EventHash())
  network = new Network(seed, { ...calm, ...weather }, loop)
  one = new Machine('one', 0, seed, loop)
  two = new Machine('two', 0, seed, loop)
  accepted = []
  await network.carrier(two).listen(address, stream => accepted.push(new Ear().hang(stream)))
}

const dial = () => new Ear().hang(network.carrier(one).dial(address))
const pass = (ms: number) => loop.run(loop.nowMs + ms)

/** A stream that is open at both ends. */
async function pair(): Promise<[near: Ear, far: Ear]> {
  const near = dial()
  await pass(100)
  expect(near.opened).toBe(1)
  return [near, accepted.at(-1)!]
}

describe('the network of the simulation', () => {
  beforeEach(() => world())

  test('bytes arrive in order, whatever the jitter, and in slices of any size', async () => {
    await world({ jitterMs: 50, sliceBytesMax: 3 })
    const [near, far] = await pair()
    let said = ''
    for (let i = 0; i < 50; i++) {
      near.say(`${i},`)
      said += `${i},`
      await pass(5)
    }
    await pass(100)
    expect(far.text).toBe(said)
  })

  test('bytes take as long as the path: its latency, and its bandwidth', async () => {
    await world({ latencyMsMin: 10, latencyMsMax: 10, bytesPerMs: 1 })
    const [near, far] = await pair()
    near.say('x'.repeat(50))
    await pass(59)
    expect(far.text).toBe('')
    await pass(2)
    expect(far.text.length).toBe(50)
  })

  test('a black hole keeps bytes, one way only, and heals without loss', async () => {
    const [near, far] = await pair()
    network.path('one', 'two').holes++
    near.say('held')
    far.say('heard')
    await pass(1_000)
    expect([near.text, far.text]).toEqual(['heard', ''])
    network.path('one', 'two').holes--
    network.healed('one', 'two')
    await pass(200)
    expect(far.text).toBe('held')
  })

  test('a dial into a black hole comes through when it is healed', async () => {
    network.path('one', 'two').holes++
    const near = dial()
    await pass(1_000)
    expect([near.opened, near.closed]).toEqual([0, []])
    network.path('one', 'two').holes--
    await pass(500)
    expect(near.opened).toBe(1)
  })

  test('a dial where nobody listens is refused, and so is one that a fault refuses', async () => {
    network.path('one', 'two').refusals++
    const refused = dial()
    await pass(100)
    network.path('one', 'two').refusals--
    network.crash(two, false)
    const gone = dial()
    await pass(100)
    expect([refused.closed, gone.closed]).toEqual([['refused'], ['refused']])
  })

  test('an end is heard behind all bytes, and ends the other side', async () => {
    const [near, far] = await pair()
    near.say('last words')
    near.stream.end()
    await pass(100)
    expect([far.text, far.closed, near.closed]).toEqual(['last words', ['end'], ['end']])
    expect(network.openEnds('one', 'two') + network.openEnds('two', 'one')).toBe(0)
  })

  test('a reset may lose the tail of what was written, and never the middle', async () => {
    const texts = new Set<string>()
    for (let seed = 0; seed < 100; seed++) {
      await world({ tailLossChance: 0.7 }, seed)
      const [near, far] = await pair()
      for (const part of ['a', 'b', 'c']) near.say(part)
      network.reset('one', 'two')
      await pass(100)
      texts.add(far.text)
      expect([near.closed, far.closed]).toEqual([['reset'], ['reset']])
    }
    expect([...texts].sort()).toEqual(['', 'a', 'ab', 'abc'])
  })

  test('a stream that is not read fills up, and drains when it is', async () => {
    await world({ bufferBytes: 100 })
    const [near, far] = await pair()
    far.stream.pause()
    expect(near.say('x'.repeat(60))).toBe(true)
    expect(near.say('x'.repeat(60))).toBe(false)
    await pass(1_000)
    expect([near.drains, far.text]).toEqual([0, ''])
    far.stream.resume()
    await pass(100)
    expect([near.drains, far.text.length]).toEqual([1, 120])
  })

  test('who loses power is not heard of until something answers there again', async () => {
    const [near] = await pair()
    network.crash(two, true)
    near.say('anybody there?')
    await pass(5_000)
    expect(near.closed).toEqual([])
    network.powerOn('two')
    await pass(300)
    expect(near.closed).toEqual(['reset'])
  })

  test('who is killed says so', async () => {
    const [near] = await pair()
    network.crash(two, false)
    await pass(100)
    expect(near.closed).toEqual(['reset'])
  })

  test('a paused machine hears nothing, and everything in order when it goes on', async () => {
    const [near, far] = await pair()
    two.pausedUntilMs = loop.nowMs + 500
    for (const word of ['one ', 'two ', 'three']) {
      near.say(word)
      await pass(100)
    }
    expect(far.text).toBe('')
    await pass(300)
    expect(far.text).toBe('one two three')
  })
})
