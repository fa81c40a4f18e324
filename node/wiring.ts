/**
 * How the rooms below hang together on a node: frames come up from the mesh to the registry or the router, envelopes
 * from the router to the runtime, and sends go down the same way.
 *
 * Invariant: a link is known to the registry before a message can be sent on it, and forgotten by registry and router
 * in the same turn in which it ends.
 */
import { Channel, type PartitionTable, type Place, Registry, Router } from '../routing/index.ts'
import {
  type Carrier,
  type CloseReason,
  type Identity,
  Mesh,
  type MeshOptions,
  type Peer,
  type Ports,
} from '../transport/index.ts'
import type { Log } from './log.ts'
import { Runtime } from './runtime/runtime.ts'

/** The rooms of a node, wired. */
export interface Wires {
  readonly mesh: Mesh
  readonly registry: Registry
  readonly router: Router
  readonly runtime: Runtime
}

/** What the wires ask of their node. */
export interface WiresHost {
  readonly identity: Identity
  readonly ports: Ports
  /** Makes the mesh's streams; phones have their own. */
  readonly carrier: Carrier
  readonly log: Log
  place(node: string): Place | undefined
  published(group: string): boolean
  tables(): ReadonlyMap<string, PartitionTable>
  linked(peer: Peer): void
  refused(node: string, reason: CloseReason, detail: string): void
}

/** @throws TransportError for an identity or options that cannot be */
export function wire(host: WiresHost, options: MeshOptions): Wires {
  const { identity, ports, log } = host
  const here = { node: identity.node, creation: identity.creation, ports }
  const registry = new Registry({
    ...here,
    place: node => host.place(node),
    published: (_scope, group) => host.published(group),
  })
  const router = new Router({
    ...here,
    registry,
    linkTo: node => linked(mesh.peer(node)),
    deliver: (index, _worker, envelope) => runtime.deliver(index, envelope),
    services: () => host.tables(),
  })
  const runtime = new Runtime({
    ...here,
    clock: ports.clock,
    timers: ports.timers,
    log,
    routing: {
      cast: (target, message, from) => router.cast(target, message, from),
      call: (target, message, call) => router.call(target, message, call),
      castAll: (group, message) => router.castAll(group, message),
      join: (group, pid) => registry.join(group, pid),
      leave: (group, pid) => void registry.leave(group, pid),
      leaveAll: pid => registry.leaveAll(pid),
      members: group => registry.members(group),
    },
  })
  const meshPorts = { ...ports, carrier: host.carrier }
  const mesh = new Mesh(identity, options, meshPorts, {
    up: peer => {
      log.info({ peer: peer.node, creation: peer.creation, version: peer.version }, 'link up')
      host.linked(peer)
      registry.peerUp(peer)
    },
    down: (peer, reason) => {
      log.info({ peer: peer.node, reason }, 'link down')
      registry.peerDown(peer)
      router.peerDown(peer)
    },
    message: (peer, channel, body) => {
      if (channel === Channel.message) router.receive(peer, body)
      else if (channel === Channel.registry) registry.receive(peer, body)
    },
    refused: (node, reason, detail) => host.refused(node, reason, detail),
  })
  return { mesh, registry, router, runtime }
}

function linked(peer: Peer | undefined): Peer | undefined {
  return peer?.linked ? peer : undefined
}
