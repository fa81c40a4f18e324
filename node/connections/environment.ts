/** What all connections of a node share; the listener provides it. */
import type { Stream } from '../../transport/index.ts'
import type { Log } from '../log.ts'
import type { AttachmentEnvironment } from './attachment.ts'
import type { Connection } from './connection.ts'
import type { OutboxEnvironment } from './outbox.ts'
import type { Flusher } from './output.ts'

export interface ConnectionEnvironment extends OutboxEnvironment, AttachmentEnvironment {
  /** Name of this node. */
  readonly node: string
  readonly log: Log
  readonly flusher: Flusher
  /** The phone is logged in. */
  proven(connection: Connection): void
  /** We closed our side; the stream is to be gone soon. */
  lingering(stream: Stream): void
  /** The connection has ended; `isStreamGone` when its stream has, too. */
  ended(connection: Connection, stream: Stream, isStreamGone: boolean): void
}
