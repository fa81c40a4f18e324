/**
 * The transport's only thrown error. Control plane only: starting, configuring, parsing an address.
 * The data plane answers with {@link Sent}, and a link that ends carries a {@link CloseReason}.
 */

/**
 * What a caller may act on differently:
 * - `address-in-use`: another process listens there;
 * - `address-unavailable`: not an address of this machine, or not allowed;
 * - `bad-address`: not `host:port`;
 * - `bad-identity`: a node name, cluster id or version that does not fit the handshake;
 * - `bad-options`: limits that contradict each other;
 * - `peer-gone`: nobody is configured under that name any more, or this mesh stops: waiting is in vain;
 * - `bad-certificate`: a certificate, key or authority that cannot be used.
 */
export type TransportErrorCode =
  | 'address-in-use'
  | 'address-unavailable'
  | 'bad-address'
  | 'bad-identity'
  | 'bad-options'
  | 'peer-gone'
  | 'bad-certificate'

/** An expected failure on the control plane; act on `code`, show `message`. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly code: TransportErrorCode

  constructor(code: TransportErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
