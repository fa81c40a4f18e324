/** Deliveries to a phone, cut so that no frame is longer than the protocol allows. */
import type { StoredMessage } from '../services/mailbox/messages.ts'
import { encodeFrame, FRAME_BYTES_MAX } from './frames.ts'
import type { DeliveredMessage } from './protocol.ts'

/** What a message takes beside its texts, at most: field names, numbers, headers. */
const MESSAGE_BYTES = 80
/** Keeps a frame well below the number of values that a reader takes. */
const MESSAGES_MAX = 256

/** The frames for these messages, in order; each message whole. */
export function deliverFrames(messages: readonly StoredMessage[]): readonly Uint8Array[] {
  const frames: Uint8Array[] = []
  let batch: DeliveredMessage[] = []
  let bytes = MESSAGE_BYTES
  for (const { from, number, body, sentAtMs, late } of messages) {
    const size = MESSAGE_BYTES + from.length + Buffer.byteLength(body)
    if (batch.length === MESSAGES_MAX || (batch.length > 0 && bytes + size > FRAME_BYTES_MAX)) {
      frames.push(encodeFrame({ t: 'deliver', messages: batch }))
      batch = []
      bytes = MESSAGE_BYTES
    }
    batch.push({ from, number, body, sentAtMs, late })
    bytes += size
  }
  if (batch.length > 0) frames.push(encodeFrame({ t: 'deliver', messages: batch }))
  return frames
}
