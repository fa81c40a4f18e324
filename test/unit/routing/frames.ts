/** Messages as bytes, for tests that send what no router would, or look at what was sent. */
import { decode } from '../../../routing/codec.ts'
import { Channel, type Pid } from '../../../routing/index.ts'
import { type Header, headerBytes, newHeader, readHeader, writeHeader } from '../../../routing/message.ts'
import type { World } from './world.ts'

/** The bytes of a message as a peer would send it. */
export function bytesOf(header: Partial<Header>, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = new Uint8Array(headerBytes)
  writeHeader(new DataView(head.buffer), { ...newHeader(), ...header })
  return Buffer.concat([head, payload])
}

/** The message frames that were carried so far, oldest first. */
export function messagesOf(world: World): { from: string; to: string; header: Header; payload: Buffer }[] {
  return world.carried
    .filter(({ channel }) => channel === Channel.message)
    .map(({ from, to, body }) => {
      const header = newHeader()
      if (!readHeader(body, header)) throw new Error('carried: no header')
      return { from, to, header, payload: Buffer.from(body.subarray(headerBytes)) }
    })
}

/** Those frames as texts: `a>b cast 1`. */
export function printMessages(world: World): string[] {
  const names = ['', 'cast', 'call', 'reply', 'refusal', 'fanout', 'moved', 'kinds']
  return messagesOf(world).map(({ from, to, header, payload }) => {
    const name = `${from}>${to} ${names[header.kind]}${header.flags === 0 ? '' : ` flags ${header.flags}`}`
    const text =
      payload.length === 0 || names[header.kind] === 'fanout' ? '' : ` ${JSON.stringify(decode(payload))}`
    return name + text
  })
}

/** The list of a fan-out as bytes. */
export function listOf(...pids: Pid[]): Buffer {
  return Buffer.concat(
    pids.map(({ worker, index }) => {
      const bytes = Buffer.alloc(5)
      bytes.writeUInt8(worker)
      bytes.writeUInt32BE(index, 1)
      return bytes
    }),
  )
}
