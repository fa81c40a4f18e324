/**
 * node: what a node runs. The folder's door, and the package's: `import { startNode, Server } from 'wandist'`.
 */
export { type ClusterConfig, type ClusterConfigInput, ConfigError } from '../cluster-config/index.ts'
export {
  type Gathered,
  type MemberMeta,
  type PickPolicy,
  Pid,
  RoutingError,
  type Target,
} from '../routing/index.ts'
export { Sent, sentName, TransportError } from '../transport/index.ts'
export type { DiversionReport, PeerDiversions } from './diversion/diversions.ts'
export { type DiversionRule, diversionMsDefault, diversionProblem } from './diversion/rule.ts'
export {
  type HistoryAnswer,
  type HistoryQuestion,
  history,
  type PastChange,
  type PastMember,
} from './journal/history.ts'
export { Journal, type LinkEntry, type RingStats } from './journal/journal.ts'
export { type JournalOptions, journalDefaults } from './journal/options.ts'
export { type Log, makeLog } from './log.ts'
export { Node, type NodeState, startNode, type WhatIsLeft } from './node.ts'
export { NodeError, type NodeErrorCode, type NodeOptions } from './options.ts'
export type { ProcessContext } from './runtime/context.ts'
export {
  type Ask,
  type CallOf,
  type CastOf,
  type DeclaredService,
  declareService,
  type Handle,
  handle,
  type ReplyTo,
  type Sender,
} from './runtime/handle.ts'
export type { Down } from './runtime/info.ts'
export type { Overflow } from './runtime/overflow.ts'
export type { Process } from './runtime/process.ts'
export type { ProcessLeaf, ProcessTree } from './runtime/process-tree.ts'
export { Runtime, type RuntimeStats, type RuntimeTotals, type SpawnOptions } from './runtime/runtime.ts'
export { type Caller, later, Server } from './runtime/server.ts'
export { type Strategy, Supervisor, type SupervisorOptions } from './runtime/supervisor.ts'
export type { RunningServices } from './services/services.ts'
export { StoreError } from './storage/store.ts'
export { version } from './version.ts'
