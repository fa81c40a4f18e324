/**
 * An address: `host:port`, the one way in which the configuration says where something listens.
 *
 * The host is a name, an IPv4 address, or an IPv6 address in brackets. Two spellings of one address have one key, so
 * that no two nodes can be given the same place by a difference in case.
 */

/** The two halves of an address; an IPv6 host stands without its brackets. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** What the schema, and with it an editor, can check; {@link parseAddress} also checks the port's range. */
export const addressPattern = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):[0-9]{1,5}$/

/** Splits `host:port`; `undefined` when the text is no address or the port is above 65535. */
export function parseAddress(text: string): Address | undefined {
  if (!addressPattern.test(text)) return undefined
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  if (port > 65_535) return undefined
  const host = text.slice(0, colon)
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port }
}

/** One text for all spellings of an address, to compare by. */
export function addressKey(address: Address): string {
  return `${address.host.toLowerCase()}:${address.port}`
}
