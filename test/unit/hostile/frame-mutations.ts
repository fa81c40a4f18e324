/**
 * Ways to be wrong that only frames have: each leaves the others' framing as it was, so that what it breaks is found out further inside.
 * Source: OTP's bad_dist_fragments.
 */
import { edges, type Mutation } from './mutator.ts'

/** Where numbers are in a frame's header and in what a fragment begins with: length, kind, lane, channel, reserved, total, offset. */
const fields = [
  { at: 0, width: 4 },
  { at: 4, width: 1 },
  { at: 5, width: 1 },
  { at: 6, width: 1 },
  { at: 7, width: 1 },
  { at: 8, width: 4 },
  { at: 12, width: 4 },
]

export const frameMutations: Record<string, Mutation> = {
  drop: (m, frames) => {
    if (frames.length > 1) frames.splice(m.below(frames.length), 1)
  },
  /** Two neighbours change places. */
  swap: (m, frames) => {
    const at = m.below(frames.length - 1)
    if (frames.length > 1) frames.splice(at, 2, frames[at + 1]!, frames[at]!)
  },
  /** A frame of another length, and its header says so: cut, or grown by what it ends with. */
  resize: (m, frames) =>
    m.change(frames, bytes => {
      if (bytes.length < 8) return bytes
      const resized =
        m.below(2) === 0
          ? bytes.subarray(0, 8 + m.below(bytes.length - 7))
          : Buffer.concat([bytes, bytes.subarray(Math.max(8, bytes.length - 1 - m.below(64)))])
      resized.writeUInt32BE(resized.length - 8)
      return resized
    }),
  /** One number, a little off or far off. */
  field: (m, frames) =>
    m.change(frames, bytes => {
      const { at, width } = m.pick(fields)
      if (bytes.length < at + width) return bytes
      const [near, limit] = [bytes.readUIntBE(at, width) + m.pick([-1, 1]), 2 ** (8 * width)]
      bytes.writeUIntBE((m.below(2) === 0 ? near + limit : m.pick(edges)) % limit, at, width)
      return bytes
    }),
}
