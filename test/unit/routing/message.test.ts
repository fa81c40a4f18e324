/** Routed messages on the wire: every offset, golden bytes, and what is no header. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../../routing/codec.ts'
import { indexAt, targetBytes, workerAt, writeTargets } from '../../../routing/fanout.ts'
import { Pid } from '../../../routing/index.ts'
import {
  Flag,
  type Header,
  headerBytes,
  Kind,
  newHeader,
  offsets,
  readHeader,
  writeHeader,
} from '../../../routing/message.ts'

interface Golden {
  readonly name: string
  readonly header: Header
  /** Of a fan-out: worker and index of its processes. */
  readonly targets?: readonly (readonly [worker: number, index: number])[]
  /** Left out where there is no payload. */
  readonly message?: unknown
  readonly bytes: string
  readonly payload: string
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/routing/messages.json', import.meta.url), 'utf8'),
) as Golden[]

function bytesOf(header: Partial<Header>): Buffer {
  const bytes = Buffer.alloc(headerBytes, 0xff)
  writeHeader(new DataView(bytes.buffer, bytes.byteOffset), { ...newHeader(), ...header })
  return bytes
}

describe('the header of a routed message', () => {
  it('has 32 bytes, and its fields stand where PROTOCOL.md draws them', () => {
    expect(headerBytes).toBe(32)
    expect(offsets).toEqual({
      kind: 0,
      flags: 1,
      targetWorker: 2,
      sourceWorker: 3,
      targetCreation: 4,
      targetIndex: 8,
      sourceIndex: 12,
      reference: 16,
      deadlineLeftMs: 20,
      trace: 24,
    })
    const bytes = bytesOf({
      kind: Kind.call,
      flags: 0x0f,
      targetWorker: 0x12,
      sourceWorker: 0x13,
      targetCreation: 0x2122_2324,
      targetIndex: 0x3132_3334,
      sourceIndex: 0x4142_4344,
      reference: 0x5152_5354,
      deadlineLeftMs: 0x6162_6364,
    })
    expect(bytes.toString('hex')).toBe(`020f12132122232431323334414243445152535461626364${'00'.repeat(8)}`)
  })

  it('numbers its kinds for good', () => {
    expect(Kind).toEqual({ cast: 1, call: 2, reply: 3, refusal: 4, fanout: 5, moved: 6, kinds: 7 })
    expect(Flag).toEqual({ toOwner: 1, forwarded: 2 })
    expect(Math.max(...Object.values(Flag))).toBeLessThan(0x10)
  })

  it.each(golden)('$name: golden bytes', ({ header, targets = [], bytes, message, payload }) => {
    expect(bytesOf(header).toString('hex')).toBe(bytes)
    const list = new Uint8Array(targets.length * targetBytes)
    const pids = targets.map(([worker, index]) => new Pid('b', 1, worker, index))
    writeTargets(list, 0, pids, 0, pids.length)
    const encoded = message === undefined ? Buffer.alloc(0) : encode(message)
    expect(Buffer.concat([list, encoded]).toString('hex')).toBe(payload)
    const read = newHeader()
    expect(readHeader(Buffer.from(bytes + payload, 'hex'), read)).toBe(true)
    expect(read).toEqual(header)
    const body = Buffer.from(payload, 'hex')
    expect(targets.map((_, n) => [workerAt(body, n * targetBytes), indexAt(body, n * targetBytes)])).toEqual(
      targets,
    )
    if (message !== undefined) expect(decode(body.subarray(list.length))).toEqual(message)
  })

  it('carries the largest numbers', () => {
    const most = { ...newHeader(), targetWorker: 0xff, sourceWorker: 0xff }
    for (const field of [
      'targetCreation',
      'targetIndex',
      'sourceIndex',
      'reference',
      'deadlineLeftMs',
    ] as const) {
      most[field] = 0xffff_ffff
    }
    const read = newHeader()
    expect(readHeader(bytesOf(most), read)).toBe(true)
    expect(read).toEqual(most)
  })

  it('is refused when it is short, of an unknown kind, or carries a flag that must be understood', () => {
    const read = newHeader()
    expect(readHeader(bytesOf({}).subarray(0, 31), read)).toBe(false)
    for (const kind of [0, 8, 255]) expect(readHeader(bytesOf({ kind: kind as Kind }), read)).toBe(false)
    for (const flag of [0x10, 0x20, 0x40, 0x80])
      expect(readHeader(bytesOf({ flags: flag }), read)).toBe(false)
    for (const flag of [0x01, 0x02, 0x04, 0x08]) expect(readHeader(bytesOf({ flags: flag }), read)).toBe(true)
  })
})
