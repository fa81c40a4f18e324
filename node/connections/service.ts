/**
 * The door of the folder for `node/`: starts to take phones, and hands back what a node does with its connections.
 */
import { type ConnectionsDrain, type ListenerEnvironment, PhoneListener } from './listener.ts'
import { type ConnectionsOptions, defaultConnectionsOptions } from './options.ts'
import type { ConnectionsStats } from './stats.ts'

/** What `startConnections` takes: the surroundings, and where to listen. */
export interface ConnectionsEnvironment extends ListenerEnvironment {
  /** Where phones connect, `host:port`; port 0 takes a free one. */
  readonly address: string
  readonly options?: ConnectionsOptions
}

/** The connections of a running node. */
export interface Connections {
  /** Where phones connect, with the real port. */
  readonly address: string
  /** Counted on, live. */
  readonly stats: Readonly<ConnectionsStats>
  /** Sends phones elsewhere at a measured pace; resolves when none is left, or the deadline cut them off. Again is no error. */
  drain(how: ConnectionsDrain): Promise<void>
  /** Looks at every phone's mailbox owner again; for a changed partition table, which no group event announces. */
  recheckOwners(): void
  /** Stops listening and ends all connections at once. Again is no error. */
  stop(): Promise<void>
}

/**
 * Starts to take phones; resolves when it listens and stands in group `chat`.
 * @throws TransportError when the address cannot be had
 */
export async function startConnections(environment: ConnectionsEnvironment): Promise<Connections> {
  const listener = new PhoneListener(environment, environment.options ?? defaultConnectionsOptions)
  const address = await listener.open(environment.address)
  const process = environment.runtime.spawn(listener, { name: 'phones' })
  return {
    address,
    stats: listener.stats,
    drain: how => listener.drain(how),
    recheckOwners: () => listener.recheckOwners(),
    stop: () => process.end('stop'),
  }
}
