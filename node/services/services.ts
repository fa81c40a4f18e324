/**
 * Which of the product's services a node runs, and how they are started, opened, drained and closed together.
 *
 * The configuration decides: an island's node runs that service's partitions, a node of role `chat` takes phones. An
 * island's services catch up before phones are let in; a drain lets phones go before it hands mailboxes over.
 */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Service, Topology } from '../../cluster-config/index.ts'
import { buildPartitionTable, type PartitionTable, type Registry, type Router } from '../../routing/index.ts'
import type { Ports } from '../../transport/index.ts'
import { type Connections, startConnections } from '../connections/service.ts'
import type { Log } from '../log.ts'
import { NodeError } from '../options.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Supervisor } from '../runtime/supervisor.ts'
import { openMemoryStore } from '../storage/memory-store.ts'
import { checkPlacement } from '../storage/placement.ts'
import { openSqliteStore } from '../storage/sqlite-store.ts'
import type { Store } from '../storage/store.ts'
import { type AccountsService, startAccountsService } from './accounts/service.ts'
import type { ServiceEnvironment } from './environment.ts'
import { type MailboxService, startMailboxService } from './mailbox/service.ts'

/** How long a partition waits for its partner before it serves alone. */
const PARTNER_WAIT_MS = 3_000

/** The node, as its services see it. */
export interface ServicesHost {
  readonly name: string
  readonly topology: Topology
  readonly ports: Ports
  readonly registry: Registry
  readonly router: Router
  readonly runtime: Runtime
  readonly supervisor: Supervisor
  readonly log: Log
}

/** The services of one node, as the node sees them. */
export interface RunningServices {
  readonly mailbox: MailboxService | undefined
  readonly accounts: AccountsService | undefined
  readonly connections: Connections | undefined
  /** True once every island service holds what its partner held. */
  readonly caughtUp: boolean
  /** Phones connected now. */
  readonly sessions: number
  /** Changes that partners have not confirmed yet. */
  readonly unconfirmed: number
  /** Lets phones in. */
  open(): Promise<void>
  /** Hands everything over: phones first, then what the islands keep. */
  drain(deadlineMs: number): Promise<void>
  /** Ends connections at once. */
  stop(): Promise<void>
  /** Closes the stores; last, when no process is left. */
  close(): Promise<void>
}

/** Starts what the configuration gives to this node; resolves when stores are open and partitions are catching up. */
export async function startServices(
  node: ServicesHost,
  dataDirectory: string | undefined,
): Promise<RunningServices> {
  const { topology } = node
  const me = topology.node(node.name)!
  if (dataDirectory !== undefined) makeDirectory(dataDirectory)
  const stores: Store[] = []
  const environmentOf = async (service: Service): Promise<ServiceEnvironment | undefined> => {
    if (topology.islandOf(service, node.name) === undefined) return undefined
    const store = await openStore(node, service, dataDirectory)
    stores.push(store)
    const table = buildPartitionTable(service, topology.service(service)!)
    const held = partitionsOf(table, node.name)
    await checkPlacement(store, service, { partitions: table.partitions, held })
    return environment(node, service, topology, store)
  }
  const closeStores = async () => {
    for (const store of stores) {
      await store.close().catch(error => node.log.error({ err: error }, 'close store'))
    }
  }
  let mailboxEnvironment: ServiceEnvironment | undefined
  let accountsEnvironment: ServiceEnvironment | undefined
  try {
    mailboxEnvironment = await environmentOf('mailbox')
    accountsEnvironment = await environmentOf('accounts')
  } catch (error) {
    await closeStores()
    throw error
  }
  const mailbox =
    mailboxEnvironment &&
    startMailboxService(mailboxEnvironment, node.supervisor, {
      acknowledge: topology.config.services.mailbox!.acknowledge,
    })
  const accounts =
    accountsEnvironment &&
    startAccountsService(accountsEnvironment, node.supervisor, {
      pin: topology.config.services.accounts!.pin,
    })
  let connections: Connections | undefined

  return {
    mailbox,
    accounts,
    get connections() {
      return connections
    },
    get caughtUp() {
      return (mailbox?.caughtUp ?? true) && (accounts?.caughtUp ?? true)
    },
    get sessions() {
      return connections?.stats.connections ?? 0
    },
    get unconfirmed() {
      return (mailbox?.stats.unacknowledgedOps ?? 0) + (accounts?.stats.unconfirmed ?? 0)
    },
    async open() {
      if (!me.roles.includes('chat') || me.phones === undefined) return
      connections = await startConnections({
        node: node.name,
        address: me.phones,
        ports: node.ports,
        router: node.router,
        registry: node.registry,
        runtime: node.runtime,
        log: node.log,
        alternatives: () => otherDoors(node),
      })
    },
    async drain(deadlineMs) {
      await connections?.drain({ deadlineMs })
      await Promise.all([mailbox?.drain(), accounts?.drain()])
    },
    async stop() {
      await connections?.stop()
    },
    close: closeStores,
  }
}

/** Makes the directory in one that is there: a missing one before it is more likely a typing error than a wish. */
function makeDirectory(path: string): void {
  try {
    if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
    accessSync(path, constants.W_OK)
  } catch (error) {
    throw new NodeError('no-data-directory', `open data directory: ${(error as Error).message}`)
  }
}

async function openStore(
  node: ServicesHost,
  service: Service,
  dataDirectory: string | undefined,
): Promise<Store> {
  if (dataDirectory === undefined) {
    node.log.warn({ service }, 'no data directory: records are kept in memory, and end with this node')
    return openMemoryStore()
  }
  return openSqliteStore({ directory: join(dataDirectory, node.name, service), ports: node.ports })
}

function environment(
  node: ServicesHost,
  service: Service,
  topology: Topology,
  store: Store,
): ServiceEnvironment {
  const table = buildPartitionTable(service, topology.service(service)!)
  const partitions = partitionsOf(table, node.name)
  return {
    node: node.name,
    partner: topology.partnerOf(service, node.name),
    partitions,
    primaryOf: partition => table.owners(partition)[0],
    store,
    clock: node.ports.clock,
    log: node.log.child({ service }),
    partnerWaitMs: PARTNER_WAIT_MS,
    onGroupChange: (group, listener) => {
      listener(node.registry.members(group))
      return node.registry.monitor(group, () => listener(node.registry.members(group)))
    },
  }
}

/** Where phones can go instead: the chat nodes that we see, those of the own datacenter first. */
function otherDoors(node: ServicesHost): readonly string[] {
  const here = node.topology.place(node.name)?.datacenter
  const open = new Set(node.registry.members('chat').map(pid => pid.node))
  return node.topology
    .withRole('chat')
    .filter(other => other.name !== node.name && open.has(other.name) && other.phones !== undefined)
    .sort((one, other) => Number(other.datacenter === here) - Number(one.datacenter === here))
    .map(other => other.phones!)
}

/** The partitions that a node holds, in rising order. */
function partitionsOf(table: PartitionTable, node: string): number[] {
  return Array.from({ length: table.partitions }, (_, n) => n).filter(n => table.owners(n).includes(node))
}
