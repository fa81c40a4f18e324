/** The transport's only door: a mesh of byte streams between named nodes. See README.md and PROTOCOL.md. */
export { formatAddress, type HostPort, parseAddress } from './carriers/address.ts'
export { MemoryNetwork, type MemoryNetworkOptions } from './carriers/memory.ts'
export { newTcpCarrier, type TcpOptions, tcpCarrier } from './carriers/tcp.ts'
export { TlsCarrier } from './carriers/tls.ts'
export type { Credentials } from './carriers/tls-trust.ts'
export { type CloseReason, closeReasons } from './close-reason.ts'
export type { ClosedLink } from './closed-links.ts'
export { newCreation } from './creation.ts'
export { TransportError, type TransportErrorCode } from './errors.ts'
export type { Identity } from './handshake.ts'
export type { LaneLedger, Ledger } from './ledger.ts'
export { Mesh, type MeshEvents, type PeerAddress } from './mesh.ts'
export { LAN, type MeshOptions, TEST, WAN } from './options.ts'
export type { Peer } from './peer.ts'
export {
  type Carrier,
  type Clock,
  type Listener,
  type Ports,
  type Random,
  realClock,
  realPorts,
  realRandom,
  realTimers,
  type Stream,
  type StreamHandler,
  type TimerHandle,
  type Timers,
} from './ports.ts'
export { type Channel, Lane, laneNames, Sent, sentName } from './sent.ts'
