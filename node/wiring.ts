/**
 * How the rooms below hang together on a node: frames come up from the mesh to the registry or the router, envelopes
 * from the router to the runtime, and sends go down the same way.
 *
 * Invariant: a link is known to the registry before a message can be sent on it, and forgotten by registry and router
 * in the same turn in which it ends.
 */
import {
  Channel,
  type PartitionTable,
  type Place,
  Registry,
  type RegistryEvents,
  Router,
  routingDefaults,
} from '../routing/index.ts'
import {
  type Carrier,
  type CloseReason,
  type Identity,
  Mesh,
  type MeshOptions,
  type Peer,
  type Ports,
} from '../transport/index.ts'
import { Diversions } from './diversion/diversions.ts'
import { Diverter } from './diversion/diverter.ts'
import type { DiversionRule } from './diversion/rule.ts'
import { Journal } from './journal/journal.ts'
import type { JournalOptions } from './journal/options.ts'
import type { Log } from './log.ts'
import { Runtime } from './runtime/runtime.ts'
import { Strays } from './strays.ts'

/** Ends of a link after which the node is not waited for. */
const orderlyEnds: readonly CloseReason[] = ['goodbye', 'local-stop', 'removed']

/** The rooms of a node, wired. */
export interface Wires {
  readonly mesh: Mesh
  readonly registry: Registry
  readonly router: Router
  readonly runtime: Runtime
  readonly diversions: Diversions
  /** What the node's own processes send goes this way. */
  readonly diverter: Diverter
  readonly strays: Strays
  readonly journal: Journal
}

/** What the wires ask of their node. */
export interface WiresHost {
  readonly identity: Identity
  readonly ports: Ports
  /** Makes the mesh's streams; phones have their own. */
  readonly carrier: Carrier
  readonly log: Log
  readonly journal?: Partial<JournalOptions> | undefined
  place(node: string): Place | undefined
  published(group: string): boolean
  tables(): ReadonlyMap<string, PartitionTable>
  linked(peer: Peer): void
  refused(node: string, reason: CloseReason, detail: string): void
  /** Why a tee or a divert cannot be, by what is configured; any can where this is left out. */
  diversionProblem?(rule: DiversionRule): string | undefined
}

/** The registry waits and compares at the pace at which the mesh finds out about its links. */
function registryTimings({ heartbeatTimeoutMs }: MeshOptions) {
  return { ...routingDefaults, graceMs: heartbeatTimeoutMs * 0.75, digestMs: heartbeatTimeoutMs * 1.25 }
}

function registryEvents(log: Log, { ears }: Journal): RegistryEvents {
  return {
    ...ears,
    suspected: event => {
      log.info(event, 'members are suspect')
      ears.suspected(event)
    },
    gone: event => {
      log.info(event, 'members are gone')
      ears.gone(event)
    },
    differed: event => log.warn(event, 'members differ from what their node says'),
    repaired: event => log.warn(event, 'members agree again with what their node says'),
    cutOff: event => log.error(event, 'peer does what no honest peer does'),
  }
}

/** @throws TransportError for an identity or options that cannot be */
export function wire(host: WiresHost, options: MeshOptions): Wires {
  const { identity, ports, log } = host
  const here = { node: identity.node, creation: identity.creation, ports }
  const journal = new Journal(identity.node, ports.clock, host.journal)
  const registry = new Registry({
    ...here,
    place: node => host.place(node),
    published: (_scope, group) => host.published(group),
    limits: registryTimings(options),
    events: registryEvents(log, journal),
  })
  const router = new Router({
    ...here,
    registry,
    linkTo: node => linked(mesh.peer(node)),
    // All processes live on the main thread: another worker's are none.
    deliver: (index, worker, envelope) => worker === 0 && runtime.deliver(index, envelope),
    queueLength: index => runtime.process(index)?.queueLength ?? 0,
    services: () => host.tables(),
  })
  const diversions = new Diversions({
    node: identity.node,
    problem: rule => host.diversionProblem?.(rule),
    clock: ports.clock,
    timers: ports.timers,
    log,
  })
  const isOwned = (group: string) =>
    host
      .tables()
      .keys()
      .some(service => group.startsWith(`${service}/`))
  const diverter = new Diverter({
    diversions,
    router,
    members: group => registry.members(group),
    isLinked: node => linked(mesh.peer(node)) !== undefined,
    isOwned,
  })
  const strays = new Strays(log)
  const runtime = new Runtime({
    ...here,
    clock: ports.clock,
    timers: ports.timers,
    log,
    routing: {
      cast: (target, message, from) => diverter.cast(target, message, from),
      call: (target, message, call) => diverter.call(target, message, call),
      castAll: (group, message, from) => router.castAll(group, message, from),
      join: (group, pid, meta) => registry.join(group, pid, meta),
      update: (group, pid, meta) => void registry.update(group, pid, meta),
      leave: (group, pid) => {
        // Whoever has joined more than once is still there after one leave.
        if (!registry.leave(group, pid) || !isOwned(group)) return
        if (!registry.localMembers(group).some(member => member.equals(pid))) router.handedOver(group, pid)
      },
      leaveAll: pid => registry.leaveAll(pid),
      members: group => registry.members(group),
    },
  })
  const meshPorts = { ...ports, carrier: host.carrier }
  const mesh = new Mesh(identity, options, meshPorts, {
    up: peer => {
      log.info({ peer: peer.node, creation: peer.creation, version: peer.version }, 'link up')
      host.linked(peer)
      journal.linkUp(peer)
      registry.peerUp(peer)
      router.peerUp(peer)
    },
    down: (peer, reason, creation) => {
      log.info({ peer: peer.node, reason }, 'link down')
      journal.linkDown({ node: peer.node, creation }, reason)
      registry.peerDown(peer, { isOrderly: orderlyEnds.includes(reason) })
      router.peerDown(peer)
    },
    message: (peer, channel, body, isOwn) => {
      if (channel === Channel.message) router.receive(peer, body, isOwn)
      else if (channel === Channel.registry) registry.receive(peer, body)
      else strays.count(peer.node, channel)
    },
    alarm: (peer, detail) => log.error({ peer: peer.node, detail }, 'ledger alarm'),
    refused: (node, reason, detail) => host.refused(node, reason, detail),
  })
  return { mesh, registry, router, runtime, diversions, diverter, strays, journal }
}

function linked(peer: Peer | undefined): Peer | undefined {
  return peer?.linked ? peer : undefined
}
