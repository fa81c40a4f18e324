/** The door of routing: names to addresses, and messages to processes in one hop. See README.md. */
export { type GroupTarget, type PickPolicy, Pid, type ServiceTarget, type Target } from './address.ts'
export type { CallOptions } from './calling.ts'
export type { CastOptions } from './casting.ts'
export type { Envelope, Refusal } from './envelope.ts'
export { RoutingError, type RoutingErrorCode } from './error.ts'
export type { Candidate, ExplainedService, Explanation } from './explain.ts'
export type { Gathered, GatheredAnswer, GatherMissing } from './gather.ts'
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
  HeldMembers,
  MemberBefore,
  PeerEvent,
  RegistryCounts,
  RegistryEvents,
} from './registry-events.ts'
export { Router, type RouterOptions } from './router.ts'
