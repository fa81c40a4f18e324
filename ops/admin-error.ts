/**
 * Why a node's admin endpoint cannot be had:
 * - `in-use`: a live node has the socket, or something else the HTTP address;
 * - `bad-run-directory`: the run directory cannot be used;
 * - `bad-address`: the HTTP address is not one of this machine's.
 */
export type AdminErrorCode = 'in-use' | 'bad-run-directory' | 'bad-address'

/** The one error of this folder that its callers act on. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
  readonly code: AdminErrorCode

  constructor(code: AdminErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
