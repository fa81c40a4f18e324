/**
 * Turns good frames into bad ones: a seeded mutator. Each of its ways to be wrong is one entry below; one to three of them are applied
 * to a sequence of frames.
 *
 * What comes out may still be good, and is then to be treated so. The same seed gives the same inputs for ever.
 * Source: OTP's bad_dist_structure and bad_dist_fragments; the operators and the dictionary of AFL's havoc stage.
 */
import type { Random } from '../../../transport/index.ts'
import { seededRandom } from '../transport/manual-clock.ts'

/** Numbers that break arithmetic: signs, edges of widths, more than memory. */
export const edges = [
  0, 1, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
]

/** Spoils one or more of some frames, of which there is at least one. */
export type Mutation = (mutator: Mutator, frames: Uint8Array[]) => void

const mutations: Record<string, Mutation> = {
  truncate: (m, frames) => m.change(frames, bytes => bytes.subarray(0, m.below(bytes.length))),
  behead: (m, frames) => m.change(frames, bytes => bytes.subarray(m.below(bytes.length))),
  flip: (m, frames) =>
    m.change(frames, bytes => {
      for (let bits = 1 + m.below(8); bits > 0 && bytes.length > 0; bits--)
        bytes[m.below(bytes.length)]! ^= 1 << m.below(8)
      return bytes
    }),
  overwrite: (m, frames) =>
    m.change(frames, bytes => {
      const width = 1 + m.below(4)
      if (bytes.length >= width)
        bytes.writeUIntBE(m.pick(edges) % 2 ** (8 * width), m.below(bytes.length - width + 1), width)
      return bytes
    }),
  extend: (m, frames) => m.change(frames, bytes => Buffer.concat([bytes, m.bytes(1 + m.below(64))])),
  insert: (m, frames) =>
    m.change(frames, bytes => {
      const at = m.below(bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, at), m.bytes(1 + m.below(16)), bytes.subarray(at)])
    }),
  /** Bytes that mean something to the reader, in a place where they may not. */
  token: (m, frames) =>
    m.change(frames, bytes => {
      const token = m.pick(m.dictionary)
      const at = m.below(bytes.length + 1)
      const behind = at + (m.below(2) === 0 ? 0 : token.length)
      return Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(behind)])
    }),
  /** Arrays in arrays in arrays, where CBOR is; for the rest it is an insertion of 0x81. */
  nest: (m, frames) =>
    m.change(frames, bytes => {
      const at = m.below(bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + m.below(600), 0x81), bytes.subarray(at)])
    }),
  repeat: (m, frames) => {
    const at = m.below(frames.length)
    frames.splice(at, 0, ...Array.from({ length: 1 + m.below(8) }, () => frames[at]!))
  },
  reorder: (m, frames) => {
    for (let at = frames.length - 1; at > 0; at--) {
      const other = m.below(at + 1)
      const frame = frames[at]!
      frames[at] = frames[other]!
      frames[other] = frame
    }
  },
  /** The front of one frame, the back of another. */
  splice: (m, frames) => {
    const other = m.pick(frames)
    m.change(frames, bytes =>
      Buffer.concat([
        bytes.subarray(0, m.below(bytes.length + 1)),
        other.subarray(m.below(other.length + 1)),
      ]),
    )
  },
}

/** Those that every mutator has. */
export const mutationNames = Object.keys(mutations)

export class Mutator {
  /** How often each mutation was applied. */
  readonly applied: Record<string, number>
  /** What means something to the reader, for the mutation `token`. */
  readonly dictionary: readonly Uint8Array[]
  readonly #random: Random
  readonly #mutations: Record<string, Mutation>
  readonly #names: readonly string[]

  /** `more` are mutations that only this reader's input can have. */
  constructor(seed: number, dictionary: readonly Uint8Array[], more: Record<string, Mutation> = {}) {
    this.#random = seededRandom(seed)
    this.dictionary = dictionary
    this.#mutations = { ...mutations, ...more }
    this.#names = Object.keys(this.#mutations)
    this.applied = Object.fromEntries(this.#names.map(name => [name, 0]))
  }

  /** One to four frames of the corpus, mutated. */
  mutate(corpus: readonly Uint8Array[]): Buffer[] {
    return this.spoil(Array.from({ length: 1 + this.below(4) }, () => this.pick(corpus)))
  }

  /** A sequence of frames, mutated as a whole. */
  spoil(sequence: readonly Uint8Array[]): Buffer[] {
    const frames: Uint8Array[] = [...sequence]
    for (let times = 1 + this.below(3); times > 0; times--) {
      const name = this.pick(this.#names)
      this.#mutations[name]!(this, frames)
      this.applied[name]! += 1
    }
    return frames.map(frame => Buffer.from(frame))
  }

  /** A whole number in [0, limit); 0 for a limit of 0. */
  below(limit: number): number {
    return Math.floor(this.#random.next() * limit)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  bytes(count: number): Buffer {
    return Buffer.from(this.#random.bytes(count))
  }

  /** Puts what `by` makes of a copy of one frame in its place. */
  change(frames: Uint8Array[], by: (bytes: Buffer) => Uint8Array): void {
    const at = this.below(frames.length)
    frames[at] = by(Buffer.from(frames[at]!))
  }
}
