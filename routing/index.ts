/** The door of routing: names to addresses, and messages to processes in one hop. See README.md. */
export { type GroupTarget, Pid, type ServiceTarget, type Target } from './address.ts'
export type { Envelope, Refusal } from './envelope.ts'
export { RoutingError, type RoutingErrorCode } from './error.ts'
export type { GroupEvent } from './group-events.ts'
export type { Groups, Snapshot } from './groups.ts'
export { Channel, type Link, type Place } from './link.ts'
export type { GroupListener } from './listeners.ts'
export type { MemberMeta } from './meta.ts'
export { type RoutingOptions, routingDefaults, routingForTests } from './options.ts'
export {
  buildPartitionTable,
  type Owners,
  PartitionTable,
  type PlacementOptions,
  partitionOf,
} from './placement.ts'
export { type LinkEnd, mainScope, Registry, type RegistryOptions } from './registry.ts'
export type {
  CutOffReason,
  Difference,
  DigestRow,
  GoneReason,
  PeerEvent,
  RegistryCounts,
  RegistryEvents,
} from './registry-events.ts'
export { type CallOptions, type CastOptions, Router, type RouterOptions } from './router.ts'
