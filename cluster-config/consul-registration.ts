/**
 * A node's entry in Consul's catalogue: service `wandist`, id the node's name, with a check that the node itself keeps
 * passing.
 *
 * For people and for tools beside the mesh. No node of wandist looks for others here: who belongs is in the
 * configuration, who lives is what the links say. So nothing that goes wrong with it stops anything.
 *
 * Invariant: one call to Consul at a time, and after `stop` none.
 */
import { parseAddress } from './address.ts'
import { backoffMs, pause } from './backoff.ts'
import { messageOf } from './config-error.ts'
import { ConsulClient, type ConsulOptions, type ConsulService } from './consul-client.ts'
import { type ConsulTimings, consulTimings } from './options.ts'

/** What Consul shall say of the node. */
export interface RegistrationOptions extends ConsulOptions {
  /** Name of the meta-cluster. */
  readonly id: string
  /** The node, as `Topology.node` gives it. */
  readonly node: {
    readonly name: string
    readonly datacenter: string
    readonly cluster: string
    readonly roles: readonly string[]
    readonly mesh: string
  }
  /** The software's. */
  readonly version: string
  /** Default: the LAN preset. */
  readonly timings?: ConsulTimings | undefined
  /** Told of each new problem, as one line; one that lasts is told once. Must not throw. */
  readonly onProblem?: ((problem: string) => void) | undefined
}

/** A registration that looks after itself until it is stopped. */
export interface Registration {
  status(): { readonly registered: boolean; readonly lastError: string | undefined }
  /** Takes the entry back, within `stopMsMax`. Never rejects. */
  stop(): Promise<void>
}

/**
 * Registers a node in the background, and again whenever Consul has forgotten it.
 *
 * @throws {ConfigError} `invalid` when the address is not `host:port`
 */
export function registerNode(options: RegistrationOptions): Registration {
  const timings = options.timings ?? consulTimings.lan
  const client = new ConsulClient(options)
  const service = serviceOf(options, timings)
  const stopping = new AbortController()
  let registered = false
  let lastError: string | undefined

  function problem(error: unknown): void {
    const message = `${client.url}: ${messageOf(error)}`
    if (message === lastError) return
    lastError = message
    options.onProblem?.(message)
  }

  async function keepRegistered(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      try {
        if (registered) await client.pass(service.id, timings.answerMsMax, signal)
        else await client.register(service, timings.answerMsMax, signal)
        registered = true
        lastError = undefined
        failures = 0
        await pause(timings.ttlMs / 3, signal)
      } catch (error) {
        if (signal.aborted) return
        // Whatever the reason, registering anew is right: it is the same call for an agent that forgot the node.
        registered = false
        failures += 1
        problem(error)
        await pause(
          backoffMs(failures, timings.retryMsMin, Math.min(timings.retryMsMax, timings.ttlMs)),
          signal,
        )
      }
    }
  }

  const keeping = keepRegistered(stopping.signal)

  return {
    status: () => ({ registered, lastError }),
    async stop() {
      stopping.abort()
      await keeping
      try {
        await client.deregister(service.id, timings.stopMsMax)
      } catch (error) {
        problem(error)
      }
      registered = false
      client.close()
    },
  }
}

function serviceOf({ id, node, version }: RegistrationOptions, timings: ConsulTimings): ConsulService {
  const { host, port } = parseAddress(node.mesh)!
  return {
    id: node.name,
    name: 'wandist',
    // Tags are names in Consul's DNS: chat.wandist.service.consul.
    tags: [...node.roles],
    meta: {
      metaCluster: id,
      datacenter: node.datacenter,
      cluster: node.cluster,
      roles: node.roles.join(','),
      version,
    },
    address: host,
    port,
    ttlMs: timings.ttlMs,
    forgetMs: timings.forgetMs,
  }
}
