/**
 * What a receiver must make of the bytes on a live link: transport/PROTOCOL.md once more, as simply as it can be said, for comparison.
 *
 * It shares no code with what it judges, but for the bodies of heartbeats and goodbyes, which have tests of their own. It reads for an
 * end that has written no messages: totals that are not 0 cannot be.
 */
import { crc32 } from 'node:zlib'
import { decodeBeat, decodeGoodbye } from '../../../transport/wire.ts'

/** How what is on a link travels: whole frames, fragments too, or all of it in blocks. */
export type Form = 'whole' | 'fragments' | 'blocks'

export interface Heard {
  readonly lane: number
  readonly channel: number
  readonly body: Buffer
  /** It came in more than one fragment. */
  readonly isLong: boolean
}

/** How it ends: nothing wrong so far, something wrong, or a goodbye. */
export type End = 'open' | 'bad' | 'goodbye'

interface Long {
  readonly channel: number
  readonly total: number
  readonly pieces: Buffer[]
  bytes: number
}

const longestFrame = { fragments: 8 + 65_536 + 256, blocks: 12 + 8 + 65_536 + 256 }

export class Reading {
  readonly heard: Heard[] = []
  end: End = 'open'
  readonly #form: Form
  /** Longest message taken, as a frame with its header. */
  readonly #messageBytesMax: number
  readonly #long = new Map<number, Long>()

  constructor(bytes: Buffer, form: Form, messageBytesMax: number) {
    this.#form = form
    this.#messageBytesMax = messageBytesMax
    this.#read(bytes)
  }

  #read(bytes: Buffer): void {
    for (let at = 0; this.end === 'open' && at + 8 <= bytes.length; ) {
      const bodyBytes = bytes.readUInt32BE(at)
      if (!this.#isHeader(bytes, at)) this.end = 'bad'
      else if (at + 8 + bodyBytes > bytes.length) return
      else if (this.#form === 'blocks')
        this.#outside(bytes[at + 4]!, bytes.subarray(at + 8, at + 8 + bodyBytes))
      else this.#frame(bytes.subarray(at, at + 8 + bodyBytes))
      at += 8 + bodyBytes
    }
  }

  #isHeader(bytes: Buffer, at: number): boolean {
    const bodyBytes = bytes.readUInt32BE(at)
    const longest = this.#form === 'whole' ? this.#messageBytesMax : longestFrame[this.#form]
    if (8 + bodyBytes > longest || bytes[at + 7] !== 0) return false
    if (this.#form !== 'blocks' || bytes[at + 4] === 19) return true
    const halves = bytes.readUInt16BE(at) ^ bytes.readUInt16BE(at + 2)
    return bytes[at + 4] === 21 && bytes.readUInt16BE(at + 5) === 0xffff - halves
  }

  /** A block; or a goodbye from before the link was up, at whose totals nobody looks. */
  #outside(kind: number, body: Buffer): void {
    if (kind === 21) this.#block(body)
    else this.end = decodeGoodbye(body) === undefined ? 'bad' : 'goodbye'
  }

  #block(body: Buffer): void {
    const frames = body.subarray(4)
    if (body.length < 12 || body.readUInt32BE(0) !== crc32(frames)) {
      this.end = 'bad'
      return
    }
    for (let at = 0; this.end === 'open' && at < frames.length; ) {
      const isWhole = at + 8 <= frames.length && at + 8 + frames.readUInt32BE(at) <= frames.length
      if (!isWhole || frames[at + 7] !== 0) {
        this.end = 'bad'
        return
      }
      const next = at + 8 + frames.readUInt32BE(at)
      this.#frame(frames.subarray(at, next))
      at = next
    }
  }

  #frame(frame: Buffer): void {
    const [kind, lane, channel] = [frame[4]!, frame[5]!, frame[6]!]
    const body = frame.subarray(8)
    if (kind === 16 && lane <= 2 && !this.#long.has(lane))
      this.heard.push({ lane, channel, body, isLong: false })
    else if (kind === 20) this.#fragment(lane, channel, body)
    else if (kind === 17 || kind === 18) this.end = isNothing(decodeBeat(body)) ? 'open' : 'bad'
    else if (kind === 19) this.end = isNothing(decodeGoodbye(body)) ? 'goodbye' : 'bad'
    else this.end = 'bad'
  }

  #fragment(lane: number, channel: number, body: Buffer): void {
    if ((lane !== 1 && lane !== 2) || body.length < 9) {
      this.end = 'bad'
      return
    }
    const [total, offset] = [body.readUInt32BE(0), body.readUInt32BE(4)]
    const long = this.#long.get(lane) ?? { channel, total, pieces: [], bytes: 0 }
    this.#long.set(lane, long)
    long.bytes += body.length - 8
    const fits = offset + body.length - 8 === long.bytes && long.bytes <= total
    if (!fits || long.channel !== channel || long.total !== total || total > this.#messageBytesMax - 8) {
      this.end = 'bad'
      return
    }
    long.pieces.push(body.subarray(8))
    if (long.bytes < total) return
    this.#long.delete(lane)
    this.heard.push({ lane, channel, body: Buffer.concat(long.pieces), isLong: long.pieces.length > 1 })
  }
}

/** Whether something was read, with totals of nothing. */
function isNothing(read: { readonly received: readonly number[] } | undefined): boolean {
  return read?.received.every(total => total === 0) ?? false
}
