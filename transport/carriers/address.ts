/** Reads and writes addresses: `host:port`, with an IPv6 host in brackets. */
import { TransportError } from '../errors.ts'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** The parts of `host:port` or `[v6]:port`. @throws TransportError `bad-address` */
export function parseAddress(address: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535)
    throw new TransportError(
      'bad-address',
      `an address must be host:port or [v6]:port: ${JSON.stringify(address)}`,
    )
  return { host, port }
}

/** `host:port`, in brackets where the host has colons. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
