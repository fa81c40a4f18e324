/** Why a call, or a use of routing, failed: one class, with a code where callers act differently. */

export type RoutingErrorCode =
  /** No answer before the deadline; the call may or may not have been handled. */
  | 'timeout'
  /** No link to the node, or it was lost before the answer came; in the latter case the call may have been handled. */
  | 'noconnect'
  /** The peer's queue is full: nothing was sent. */
  | 'nosuspend'
  /** No process of that address (any more). */
  | 'noprocess'
  /** Nobody is in the group, or nobody owns the key. */
  | 'no-member'
  /** The process sheds load, or too many calls are pending here. */
  | 'overload'
  /** The process failed on the message, or the message or answer cannot be encoded. */
  | 'failed'
  /** The message is larger than a frame may be. */
  | 'tooBig'
  /** This node's router has stopped. */
  | 'stopped'
  /** The caller's signal was aborted. */
  | 'aborted'

export class RoutingError extends Error {
  override readonly name = 'RoutingError'
  readonly code: RoutingErrorCode
  /** What the other end said, for people. */
  readonly detail: string | undefined

  constructor(code: RoutingErrorCode, attempt: string, detail?: string) {
    super(detail === undefined ? `${attempt}: ${code}` : `${attempt}: ${code}: ${detail}`)
    this.code = code
    this.detail = detail
  }
}
