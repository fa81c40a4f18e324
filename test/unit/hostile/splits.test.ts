/** A whole conversation, handshake and all, cut into two reads at every byte of it, and into reads of one byte. */
import { expect, test } from 'vitest'
import { blockOf } from '../../../transport/block.ts'
import { blocksFeature, featureMask, fragmentsFeature } from '../../../transport/features.ts'
import { Handshake } from '../../../transport/handshake.ts'
import { Lane } from '../../../transport/index.ts'
import { encodeBeat, encodeGoodbye, FrameKind } from '../../../transport/wire.ts'
import { fragmentFrame } from '../transport/golden.ts'
import { greetingOf, Stranger, type TestNode, World } from '../transport/world.ts'
import { message } from './conversations.ts'

/** One conversation in each form; the messages that it holds are the same, whatever they travel in. */
const said = [
  message(2, Lane.ordinary, Buffer.from('first')),
  message(1, Lane.control, Buffer.alloc(0)),
  encodeBeat(FrameKind.ping, { timeMs: 1, received: [0, 0, 0] }),
  message(2, Lane.bulk, Buffer.from('head tail')),
  message(2, Lane.ordinary, Buffer.alloc(90, 'x')),
  encodeGoodbye({ received: [0, 0, 0], reason: 'goodbye', detail: 'that is all' }),
]
const saidInPieces = said.flatMap((frame, at) =>
  at === 3 ? inPieces('head tail', 4) : at === 4 ? inPieces('x'.repeat(90), 40) : [frame],
)
const forms: Record<string, { features: number; live: Uint8Array }> = {
  'in whole frames': { features: 0, live: Buffer.concat(said) },
  'in fragments': { features: featureMask([fragmentsFeature]), live: Buffer.concat(saidInPieces) },
  'in blocks': {
    features: featureMask([fragmentsFeature, blocksFeature]),
    live: Buffer.concat([
      blockOf(Buffer.concat(saidInPieces.slice(0, 5))),
      ...saidInPieces.slice(5).map(blockOf),
    ]),
  },
}

/** A body as the fragments of a message. */
function inPieces(text: string, pieceBytes: number): Uint8Array[] {
  const body = Buffer.from(text)
  const lane = text.startsWith('x') ? Lane.ordinary : Lane.bulk
  const starts = Array.from({ length: Math.ceil(body.length / pieceBytes) }, (_, at) => at * pieceBytes)
  return starts.map(at => fragmentFrame(2, lane, body.length, at, body.subarray(at, at + pieceBytes)))
}

/** What a node made of the conversation when `cut` put each of a dialler's writes into reads. */
async function converse(
  { features, live }: { features: number; live: Uint8Array },
  cut: (bytes: Uint8Array, write: number) => readonly Uint8Array[],
): Promise<object> {
  const world = new World()
  const a = await world.node('a')
  a.mesh.configure([{ node: 'b', address: 'b:1' }])
  const stranger = new Stranger(world.network.carrier('b').dial('a:1'))
  const handshake = new Handshake(
    { greeting: greetingOf('b', { features }), secrets: ['secret'] },
    'a',
    () => undefined,
  )
  let writes = 0
  const write = (bytes: Uint8Array) => {
    for (const part of cut(bytes, writes)) stranger.stream.write([part])
    writes++
  }
  stranger.hears = (kind, body) => {
    if (kind > FrameKind.welcome) return
    const step = handshake.receive(kind, body)
    if (step.do === 'send') write(step.frame)
    else if (step.do === 'open') write(live)
  }
  world.clock.settle()
  write(handshake.hello())
  world.clock.settle()
  const heard = stranger.frames.map(({ kind, body }) => `${kind} ${Buffer.from(body).toString('hex')}`)
  const made = { log: a.log, received: a.received, closed: closedOf(a), heard, writes }
  await world.end()
  return made
}

function closedOf(node: TestNode): string[] {
  return node.mesh.closedLinks
    .map(({ reason, detail }) => `${reason} ${detail}`)
    .filter(line => !line.startsWith('refused'))
}

test.each(Object.entries(forms))(
  'a conversation %s is the same wherever its bytes are cut',
  async (_name, form) => {
    const whole = await converse(form, bytes => [bytes])
    expect(whole).toMatchObject({
      log: ['up b', 'down b goodbye'],
      received: [
        { channel: 2, text: 'first' },
        { channel: 1, text: '' },
        { channel: 2, text: 'head tail' },
        { channel: 2, text: 'x'.repeat(90) },
      ],
      closed: ['goodbye that is all'],
      writes: 3,
    })
    const lengths: number[] = []
    await converse(form, (bytes, write) => {
      lengths[write] = bytes.length
      return [bytes]
    })
    for (const [cutWrite, length] of lengths.entries())
      for (let at = 1; at < length; at++) {
        const cut = await converse(form, (bytes, write) =>
          write === cutWrite ? [bytes.subarray(0, at), bytes.subarray(at)] : [bytes],
        )
        expect(cut, `write ${cutWrite}, byte ${at}`).toEqual(whole)
      }
    const bytewise = await converse(form, bytes => Array.from(bytes, byte => Uint8Array.of(byte)))
    expect(bytewise).toEqual(whole)
  },
)
